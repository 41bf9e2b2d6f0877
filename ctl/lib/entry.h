/* SPDX-License-Identifier: GPL-2.0 */
/* What the tasks of a group are started with, whoever starts them. */
#ifndef COPPICE_ENTRY_H
#define COPPICE_ENTRY_H

#include "backend.h"
#include "confinement.h"
#include "error.h"
#include "launch.h"
#include "spawn.h"
#include "task_mounts.h"

struct entry {
	const struct backend *backend;
	struct group_info group;
	struct launch launch;	/* argv, envp and the plan are the caller's to fill in */
	struct task_mounts mounts;
	struct confinement confinement;	/* and whom tasks run as */
};

#define ENTRY_NONE { .launch = { .fd = -1 }, .confinement = CONFINEMENT_NONE }

/* entry_close() when done, also after a failure. It must stay where it is until then. */
int __must_check entry_open(const struct backend *backend, const char *group,
			    struct entry *entry, struct error *err);
/* For ordinary programs in the group: nothing to launch. */
int __must_check entry_open_plain(const struct backend *backend, const char *group,
				  struct entry *entry, struct error *err);
/*
 * Start a task with the grants that are in force at this moment: user, mounts and enclosure of
 * @start are filled in here.
 */
int __must_check entry_start(struct entry *entry, struct task_start *start,
			     const struct report *report, pid_t *pid, struct error *err);
void entry_close(struct entry *entry);

#endif /* COPPICE_ENTRY_H */
