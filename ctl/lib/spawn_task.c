// SPDX-License-Identifier: GPL-2.0
/* Tasks: children that enter an image. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "spawn.h"

/* Numbers above those that the task shall have. */
static int move_up(int *fd, int lowest, struct error *err)
{
	int moved;

	if (*fd < 0)
		return 0;
	moved = fcntl(*fd, F_DUPFD_CLOEXEC, lowest);
	if (moved < 0)
		return error_set(err, errno, "descriptors cannot be arranged: %s", strerror(errno));
	*fd = moved;
	return 0;
}

/* Programs that the task starts may read the event too, so it stays open for them. */
static int arrange_descriptors(int *launch_fd, int event, struct error *err)
{
	int keep[2];

	if (move_up(launch_fd, TASK_OWN_FD, err) || move_up(&event, TASK_EVENT_FD + 1, err))
		return -1;
	if (event >= 0 && dup2(event, TASK_EVENT_FD) < 0)
		return error_set(err, errno, "descriptors cannot be arranged: %s", strerror(errno));
	keep[0] = *launch_fd;
	keep[1] = event >= 0 ? TASK_EVENT_FD : -1;
	return spawn_close_others(keep, 2, err);
}

static void __attribute__((noreturn)) child(const struct task_start *start)
{
	struct launch launch = *start->launch;
	struct error err = {};

	spawn_reset_signals();
	if (!arrange_descriptors(&launch.fd, start->event, &err) &&
	    (!start->mounts || !task_mounts_enter(start->mounts, &err)) &&
	    !user_become(start->user, &err))
		(void)!launch_enter(&launch, &err);
	report_fail(&err);
}

int task_start(const struct task_start *start, const struct report *report, pid_t *pid,
	       struct error *err)
{
	if (report_attach(report, err))
		return -1;
	*pid = spawn_fork(start->cgroup, err);
	if (!*pid)
		child(start);
	report_detach();
	return *pid < 0 ? -1 : 0;
}
