/* SPDX-License-Identifier: GPL-2.0 */
/* Owners on disk that a mount shows as others. */
#ifndef COPPICE_IDMAP_H
#define COPPICE_IDMAP_H

#include "error.h"
#include "grants.h"

/* A descriptor of a user namespace that says it, for MOUNT_ATTR_IDMAP; or -1. Root's to make. */
int __must_check idmap_open(const struct grant *grant, struct error *err);

#endif /* COPPICE_IDMAP_H */
