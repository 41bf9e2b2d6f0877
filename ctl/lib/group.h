/* SPDX-License-Identifier: GPL-2.0 */
/* Groups as a whole: in a backend, with a cgroup and with overrides. */
#ifndef COPPICE_GROUP_H
#define COPPICE_GROUP_H

#include <stdbool.h>

#include "backend.h"
#include "cgroup.h"

/* Make the cgroup and the group, or neither. */
int __must_check group_make(const struct backend *backend, const struct group_info *group,
			    const struct cgroup_limits *limits, struct error *err);

/* Delete the group, its overrides and its cgroup. Refused while processes are in it. */
int __must_check group_unmake(const struct backend *backend, const char *name,
			      struct error *err);

/*
 * Give the group the image @to of its owner in place of @from, with all else as it is; its
 * statistics begin anew. Refused while tasks are in it, which would stay in the old one.
 */
int __must_check group_move(const struct backend *backend, const char *name, const char *from,
			    const char *to, struct error *err);

/* Is it below /coppice, so that we may remove it? */
bool group_owns_cgroup(const struct group_info *group);

#endif /* COPPICE_GROUP_H */
