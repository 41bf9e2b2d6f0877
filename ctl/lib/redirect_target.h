/* SPDX-License-Identifier: GPL-2.0 */
/* Private to redirect*.c: the cgroup that programs of a group are, or are to be, attached to. */
#ifndef COPPICE_REDIRECT_TARGET_H
#define COPPICE_REDIRECT_TARGET_H

#include <linux/types.h>

#include "error.h"

/* What an operation on one group works with. */
struct target {
	const char *group;
	const char *place;	/* of its links below PIN_GROUPS: the group, or GROUP@CONTAINER */
	__u32 number;		/* 0: not in "groups" */
	int cgroup;		/* descriptor, or -1 */
	__u64 cgroup_id;
};

/*
 * Open the cgroup at @path, which must be one that programs can be attached to. On failure,
 * too, the descriptor is the caller's to close.
 */
int __must_check target_open(struct target *target, const char *path, struct error *err);

#endif /* COPPICE_REDIRECT_TARGET_H */
