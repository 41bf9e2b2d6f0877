// SPDX-License-Identifier: GPL-2.0
/* Mounts of tasks and templates. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "task_mounts.h"

static int refuse_twice(const struct task_mounts *mounts, const char *target, struct error *err)
{
	size_t i;

	for (i = 0; i < mounts->nr; i++)
		if (!strcmp(mounts->list[i].target, target))
			return error_set(err, EEXIST, "%.200s would be covered twice: give one override of it", target);
	return 0;
}

int task_mounts_add(struct task_mounts *mounts, const char *source, const char *target,
		    struct error *err)
{
	struct task_mount *list, next;

	if (refuse_twice(mounts, target, err))
		return -1;
	next = (struct task_mount) { .source = strdup(source), .target = strdup(target) };
	list = realloc(mounts->list, (mounts->nr + 1) * sizeof(*list));
	if (list)
		mounts->list = list;
	if (list && next.source && next.target) {
		list[mounts->nr++] = next;
		return 0;
	}
	free(next.source);
	free(next.target);
	return error_set(err, ENOMEM, "out of memory");
}

void task_mounts_free(struct task_mounts *mounts)
{
	size_t i;

	for (i = 0; i < mounts->nr; i++) {
		free(mounts->list[i].source);
		free(mounts->list[i].target);
	}
	free(mounts->list);
	*mounts = (struct task_mounts) {};
}

/* Read-only is what a mount is, not a file: it takes a second call. */
static int apply(const struct task_mount *mount_, struct error *err)
{
	const unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV;

	if (mount(mount_->source, mount_->target, NULL, MS_BIND, NULL))
		return error_set(err, errno, "%.160s cannot be laid over %.160s for the task: %s",
				 mount_->source, mount_->target, strerror(errno));
	if (mount(NULL, mount_->target, NULL, flags, NULL))
		return error_set(err, errno, "%.200s cannot be made read-only for the task: %s",
				 mount_->target, strerror(errno));
	return 0;
}

int task_mounts_apply(const struct task_mounts *mounts, struct error *err)
{
	size_t i;

	for (i = 0; i < mounts->nr; i++)
		if (apply(&mounts->list[i], err))
			return -1;
	return 0;
}

int task_mounts_enter(const struct task_mounts *mounts, struct error *err)
{
	if (!mounts->nr)
		return 0;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return error_set(err, errno, "the task cannot have mounts of its own: %s: run as root",
				 strerror(errno));
	return task_mounts_apply(mounts, err);
}
