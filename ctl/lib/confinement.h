/* SPDX-License-Identifier: GPL-2.0 */
/* How the tasks of a group are confined, while somebody starts some: follows its grants. */
#ifndef COPPICE_CONFINEMENT_H
#define COPPICE_CONFINEMENT_H

#include <stdbool.h>

#include "backend.h"
#include "enclosure.h"
#include "error.h"
#include "task_mounts.h"
#include "user.h"

struct confinement {
	const struct group_info *group;
	const struct task_mounts *mounts;	/* or NULL */
	struct grants_stamp stamp;
	struct enclosure enclosure;
	struct user user;		/* whom tasks run as */
	int lock;
	bool has_grants;		/* else there is no enclosure */
};

#define CONFINEMENT_NONE { .enclosure = ENCLOSURE_NONE, .lock = -1 }

/* Both must stay as they are until it is closed. */
int __must_check confinement_open(struct confinement *confinement,
				  const struct group_info *group,
				  const struct task_mounts *mounts, struct error *err);
void confinement_close(struct confinement *confinement);

/*
 * Around the start of a task: it has the grants that are in force now, and whoever changes them
 * waits until it is in the cgroup, where it is found.
 */
int __must_check confinement_begin(struct confinement *confinement, struct error *err);
void confinement_end(const struct confinement *confinement);

#endif /* COPPICE_CONFINEMENT_H */
