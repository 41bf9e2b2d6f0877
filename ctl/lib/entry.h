/* SPDX-License-Identifier: GPL-2.0 */
/* What the tasks of a group are started with, whoever starts them. */
#ifndef COPPICE_ENTRY_H
#define COPPICE_ENTRY_H

#include "backend.h"
#include "error.h"
#include "launch.h"
#include "task_mounts.h"
#include "user.h"

struct entry {
	const struct backend *backend;
	struct group_info group;
	struct user user;
	struct launch launch;	/* argv, envp and the plan are the caller's to fill in */
	struct task_mounts mounts;
};

/* entry_close() when done, also after a failure. */
int __must_check entry_open(const struct backend *backend, const char *group,
			    struct entry *entry, struct error *err);
/* For ordinary programs in the group: nothing to launch. */
int __must_check entry_open_plain(const struct backend *backend, const char *group,
				  struct entry *entry, struct error *err);
void entry_close(struct entry *entry);

#endif /* COPPICE_ENTRY_H */
