// SPDX-License-Identifier: GPL-2.0
/* Tasks: children that enter an image. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "privileges.h"
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

static int replace(int from, int to, struct error *err)
{
	if (from < 0 || dup2(from, to) >= 0)
		return 0;
	return error_set(err, errno, "descriptors cannot be arranged: %s", strerror(errno));
}

/* What the task has for standard streams if its output is not the caller's. */
static int arrange_streams(int output, int event, bool by_streams, struct error *err)
{
	int null;

	if (output < 0)
		return 0;
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0)
		return error_set(err, errno, "/dev/null cannot be opened: %s", strerror(errno));
	if (replace(by_streams ? event : null, STDIN_FILENO, err) ||
	    replace(by_streams ? event : output, STDOUT_FILENO, err))
		return -1;
	return replace(output, STDERR_FILENO, err);
}

/* Programs that the task starts may read the event too, so it stays open for them. */
static int arrange_descriptors(int *launch_fd, const struct task_start *start, struct error *err)
{
	int event = start->event, output = start->output, keep[2];

	if (move_up(launch_fd, TASK_OWN_FD, err) || move_up(&event, TASK_EVENT_FD + 1, err) ||
	    move_up(&output, TASK_EVENT_FD + 1, err) || arrange_streams(output, event, start->by_streams, err) ||
	    replace(event, TASK_EVENT_FD, err))
		return -1;
	keep[0] = *launch_fd;
	keep[1] = event >= 0 ? TASK_EVENT_FD : -1;
	return spawn_close_others(keep, 2, err);
}

static int limit(int resource, uint64_t max, struct error *err)
{
	const struct rlimit value = { max, max };

	if (!max || !setrlimit(resource, &value))
		return 0;
	return error_set(err, errno, "the task's limits cannot be set: %s", strerror(errno));
}

/* Each step needs what the next one gives up. */
int task_become(const struct task_start *start, struct error *err)
{
	bool confined = start->enclosure;

	if ((confined && enclosure_enter(start->enclosure, err)) ||
	    (!confined && start->mounts && task_mounts_enter(start->mounts, err)) ||
	    limit(RLIMIT_DATA, start->data_max, err) ||
	    limit(RLIMIT_NPROC, start->processes_max, err) ||
	    (confined && privileges_bound(err)) || user_become(start->user, err))
		return -1;
	return confined ? privileges_drop(err) : 0;
}

/* Like a program that a shell starts; no image says what is to become of signals. */
static int execute(const struct task_program *program, struct error *err)
{
	sigset_t none;

	if (chdir(program->directory))
		return error_set(err, errno, "%.200s cannot be entered: %s", program->directory,
				 strerror(errno));
	spawn_reset_signals();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(program->argv[0], program->argv, program->envp);
	return error_set(err, errno, "%.200s cannot be run: %s", program->argv[0],
			 strerror(errno));
}

static void __attribute__((noreturn)) child(const struct task_start *start)
{
	struct launch launch = { .fd = -1 };
	struct error err = {};

	if (!start->program)
		launch = *start->launch;
	/* Signals are blocked, and what resumes says what is to become of each. */
	if (task_become(start, &err) || arrange_descriptors(&launch.fd, start, &err))
		report_fail(&err);
	(void)!(start->program ? execute(start->program, &err) : launch_enter(&launch, &err));
	report_fail(&err);
}

int task_start(const struct task_start *start, const struct report *report, pid_t *pid,
	       struct error *err)
{
	pid_t started;

	if (report_attach(report, err))
		return -1;
	started = spawn_fork(start->cgroup, err);
	/* What a child writes to, it has a copy made of. */
	if (!started)
		child(start);
	*pid = started;
	report_detach();
	return started < 0 ? -1 : 0;
}
