/* SPDX-License-Identifier: GPL-2.0 */
/* What an applied deployment gives a function, in the form of coppice-grants(5). */
#ifndef COPPICE_DEPLOYMENT_GRANTS_H
#define COPPICE_DEPLOYMENT_GRANTS_H

#include <jansson.h>

#include "error.h"

/* Where a task has its volumes and secrets; paths and devices are where the hub has them. */
#define DEPLOYMENT_VOLUMES_TARGET	"/volumes"
#define DEPLOYMENT_SECRETS_TARGET	"/run/secrets"

/*
 * uid, gid, groups, umask, grants. Sources are those that were applied, or it is refused; with
 * the numbers that the kernel has for them now. NULL with err set.
 */
json_t *deployment_grants(const char *name, const char *function, struct error *err);

#endif /* COPPICE_DEPLOYMENT_GRANTS_H */
