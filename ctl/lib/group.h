/* SPDX-License-Identifier: GPL-2.0 */
/* Groups as a whole: in a backend, with a cgroup and with overrides. */
#ifndef COPPICE_GROUP_H
#define COPPICE_GROUP_H

#include <stdbool.h>

#include "backend.h"
#include "cgroup.h"
#include "grants.h"

/* Make the cgroup and the group, or neither. @grants: of the group's owner, or NULL. */
int __must_check group_make(const struct backend *backend, const struct group_info *group,
			    const struct cgroup_limits *limits, const struct grants *grants,
			    struct error *err);

/* Delete the group, its overrides, grants and its cgroup. Refused while processes are in it. */
int __must_check group_unmake(const struct backend *backend, const char *name,
			      struct error *err);

/*
 * Give the group the image @to of its owner in place of @from, with all else as it is; its
 * statistics begin anew. Refused while tasks are in it, which would stay in the old one.
 */
int __must_check group_move(const struct backend *backend, const char *name, const char *from,
			    const char *to, struct error *err);

/* What becomes of tasks that have the grants from before. */
enum group_running {
	RUNNING_KEEP,		/* nothing: theirs end with them */
	RUNNING_DRAIN,		/* they are waited for */
	RUNNING_END,		/* they are ended: SIGTERM, after 5 seconds SIGKILL */
};

/*
 * Grants in place of the group's own: those of its owner. From now on each start has them; @ended
 * is set to how many tasks from before have ended. The grants are in force also where -1
 * is returned because of what runs, and the sentence says so.
 */
int __must_check group_regrant(const struct backend *backend, const char *name,
			       const struct grants *grants, enum group_running running,
			       size_t *ended, struct error *err);
/* Could a task be started with them? */
int __must_check group_try_grants(const struct grants *grants, struct error *err);
/* All of them, and the restriction of devices. No error if there are none. */
int __must_check group_take_grants(const char *name, struct error *err);

/* Is it below /coppice, so that we may remove it? */
bool group_owns_cgroup(const struct group_info *group);

#endif /* COPPICE_GROUP_H */
