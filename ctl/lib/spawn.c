// SPDX-License-Identifier: GPL-2.0
/* Children of the controller. */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
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

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int spawn_close_others(const int *keep, int nr, struct error *err)
{
	int sorted[8], i;
	unsigned int from = STDERR_FILENO + 1;

	memcpy(sorted, keep, nr * sizeof(*keep));
	qsort(sorted, nr, sizeof(*sorted), compare);
	for (i = 0; i < nr; i++) {
		if (sorted[i] < (int)from)
			continue;
		if (sorted[i] > (int)from && close_range(from, sorted[i] - 1, 0))
			return error_set(err, errno, "descriptors cannot be closed: %s",
					 strerror(errno));
		from = sorted[i] + 1;
	}
	if (close_range(from, ~0U, 0))
		return error_set(err, errno, "descriptors cannot be closed: %s", strerror(errno));
	return 0;
}
