/* SPDX-License-Identifier: MIT */
/*
 * What a reset leaves to do: the kernel's things that are not memory. As in resume.c nothing
 * here calls libc.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>
#include <time.h>

#include <linux/coppice_dev.h>

#include "state.h"
#include "syscall.h"

/* Descriptors that the task has opened since it entered. */
static void close_opened(const struct coppice_task_args *args)
{
	unsigned int from = 0, i;

	for (i = 0; i < args->nr_fds && i < COPPICE_ARGS_FDS; i++) {
		if ((unsigned int)args->fds[i] > from)
			raw_call(SYS_close_range, from, args->fds[i] - 1, 0);
		from = args->fds[i] + 1;
	}
	raw_call(SYS_close_range, from, ~0U, 0);
}

/* The first timer's number in /proc/self/timers, or -1: "ID: 0", one of several lines each. */
static int first_timer(void)
{
	char text[16];
	int fd = raw_call(SYS_openat, AT_FDCWD, "/proc/self/timers", O_RDONLY | O_CLOEXEC), id = 0, i;
	long len = raw_call(SYS_read, fd, text, sizeof(text));

	raw_call(SYS_close, fd);
	if (fd < 0 || len < 5 || text[0] != 'I' || text[1] != 'D')
		return -1;
	for (i = 4; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		id = id * 10 + text[i] - '0';
	return id;
}

static void disarm(void)
{
	const struct itimerval none = {};
	int which;

	for (which = ITIMER_REAL; which <= ITIMER_PROF; which++)
		raw_call(SYS_setitimer, which, &none, NULL);
}

static void delete_timers(void)
{
	int id;

	while ((id = first_timer()) >= 0)
		if (raw_call(SYS_timer_delete, id))
			break;
}

/* Signals that were sent for what is no more; all are blocked. */
static void drop_signals(void)
{
	const struct timespec now = {};
	uint64_t all = ~0ULL;

	while (raw_call(SYS_rt_sigtimedwait, &all, NULL, &now, sizeof(all)) > 0)
		;
}

void coppice_begin_again(const struct coppice_task_args *args, unsigned long clean)
{
	if (!(clean & COPPICE_CLEAN_FILES))
		close_opened(args);
	if (!(clean & COPPICE_CLEAN_ALARMS))
		disarm();
	if (!(clean & COPPICE_CLEAN_TIMERS))
		delete_timers();
	if (!(clean & COPPICE_CLEAN_SIGNALS))
		drop_signals();
	if (!(clean & COPPICE_CLEAN_LOCKS))
		raw_call(SYS_munlockall);
}
