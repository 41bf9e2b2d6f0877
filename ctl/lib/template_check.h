/* SPDX-License-Identifier: GPL-2.0 */
/* What a template must not have: see "What cannot be a template" in the README. */
#ifndef COPPICE_TEMPLATE_CHECK_H
#define COPPICE_TEMPLATE_CHECK_H

#include <sys/types.h>

#include "error.h"
#include "template_maps.h"

/*
 * Refuses threads, children and descriptors other than 0, 1, 2, @record_fd and those of harmless
 * devices of the template @pid, which waits at its checkpoint. Each is named.
 */
int __must_check template_check(pid_t pid, int record_fd, struct error *err);

/* Refuses mappings that can't become part of an image. */
int __must_check template_check_vma(const struct template_vma *vma, struct error *err);

#endif /* COPPICE_TEMPLATE_CHECK_H */
