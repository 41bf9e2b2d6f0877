// SPDX-License-Identifier: GPL-2.0
/* Children of the controller. */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "spawn.h"

/* Where the C library wants the thread's id, as its own fork() would have it. */
static uint64_t tid_address(void)
{
	int *address = NULL;

	return prctl(PR_GET_TID_ADDRESS, &address) ? 0 : (uintptr_t)address;
}

pid_t spawn_fork(int cgroup, struct error *err)
{
	uint64_t tid = tid_address();
	struct clone_args args = {
		.flags = (tid ? CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID : 0) |
			 (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.child_tid = tid,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup >= 0 ? cgroup : 0,
	};
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		return 0;
	if (pid < 0)
		error_set(err, errno, "no process can be started in the cgroup: %s",
			  strerror(errno));
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

void spawn_reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	int sig;

	/* Those that cannot be set refuse: SIGKILL, SIGSTOP and the C library's own. */
	for (sig = 1; sig <= SIGRTMAX; sig++)
		(void)!sigaction(sig, &action, NULL);
}

/* The lowest from @from on, or -1. */
static int next_kept(const int *keep, int nr, int from)
{
	int lowest = -1, i;

	for (i = 0; i < nr; i++)
		if (keep[i] >= from && (lowest < 0 || keep[i] < lowest))
			lowest = keep[i];
	return lowest;
}

int spawn_close_others(const int *keep, int nr, struct error *err)
{
	int from = STDERR_FILENO + 1, kept;
	bool failed = false;

	while (!failed && (kept = next_kept(keep, nr, from)) >= 0) {
		failed = kept > from && close_range(from, kept - 1, 0);
		from = kept + 1;
	}
	if (failed || close_range(from, ~0U, 0))
		return error_set(err, errno, "descriptors cannot be closed: %s", strerror(errno));
	return 0;
}
