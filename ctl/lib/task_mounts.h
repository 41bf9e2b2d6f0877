/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a task or template has mounted that the hub has not: files and directories of the
 * hub laid over others, read-only, in a mount namespace of its own.
 */
#ifndef COPPICE_TASK_MOUNTS_H
#define COPPICE_TASK_MOUNTS_H

#include <stddef.h>

#include "error.h"

struct task_mount {
	char *source;	/* absolute; a file over a file, or a directory over a directory */
	char *target;
};

/* Applied in this order. All zero: none, and no namespace either. */
struct task_mounts {
	struct task_mount *list;
	size_t nr;
};

/* Texts are copied. A target that is there already is refused: one of them would be hidden. */
int __must_check task_mounts_add(struct task_mounts *mounts, const char *source,
				 const char *target, struct error *err);
void task_mounts_free(struct task_mounts *mounts);

/*
 * In a child, while it is root still: enter a namespace of its own and mount them there. What
 * the hub mounts later is seen in it, and nothing of it by the hub.
 */
int __must_check task_mounts_enter(const struct task_mounts *mounts, struct error *err);
/* Mount them in the namespace that the caller is in, which is its own. */
int __must_check task_mounts_apply(const struct task_mounts *mounts, struct error *err);

#endif /* COPPICE_TASK_MOUNTS_H */
