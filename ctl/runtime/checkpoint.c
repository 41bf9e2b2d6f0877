/* SPDX-License-Identifier: MIT */
/* libcoppice: the checkpoint of a template, and what a task asks afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "coppice.h"
#include "placement.h"
#include "state.h"
#include "syscall.h"

/* What libc takes where there is no limit. */
#define THREAD_STACK (2UL << 20)

struct coppice_state coppice_state;
int coppice_record_fd = -1;

/* The controller used the limit on stacks to place mappings: see ctl/lib/layout.c. */
static void restore_stack_limit(const char *text)
{
	struct rlimit limit;
	pthread_attr_t attributes;

	if (getrlimit(RLIMIT_STACK, &limit))
		return;
	limit.rlim_cur = strtoull(text, NULL, 10);
	setrlimit(RLIMIT_STACK, &limit);
	/* libc has taken the limit for the size of threads' stacks already. */
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, limit.rlim_cur == RLIM_INFINITY ?
				  THREAD_STACK : limit.rlim_cur);
	pthread_setattr_default_np(&attributes);
	pthread_attr_destroy(&attributes);
}

/*
 * Before main(): take what the controller put into the environment out again, so that
 * neither the template's children nor its tasks see it.
 */
__attribute__((constructor))
static void template_init(void)
{
	const char *fd = getenv(COPPICE_ENV_TEMPLATE);
	const char *on = getenv(COPPICE_ENV_CHECKPOINT);
	const char *stack = getenv(COPPICE_ENV_STACK);
	const char *seed = getenv(COPPICE_ENV_SEED);

	if (!fd)
		return;
	coppice_record_fd = atoi(fd);
	if (fcntl(coppice_record_fd, F_SETFD, FD_CLOEXEC)) {
		coppice_record_fd = -1;
		return;
	}
	if (on)
		coppice_trigger_arm();
	coppice_environ_note();
	if (stack)
		restore_stack_limit(stack);
	if (seed)
		coppice_random_seed(seed);
	unsetenv(COPPICE_ENV_STACK);
	unsetenv(COPPICE_ENV_SEED);
	unsetenv(COPPICE_ENV_TEMPLATE);
	unsetenv(COPPICE_ENV_CHECKPOINT);
	unsetenv("LD_PRELOAD");
	coppice_placement_begin_early();
}

static void record_send(const struct coppice_record *record)
{
	/* Smaller than PIPE_BUF: written as a whole or not at all. */
	raw_call(SYS_write, coppice_record_fd, record, sizeof(*record));
}

/* On the stack that tasks resume on: from here the template changes nothing any more. */
static int wait_to_be_read(uint64_t stack, uint64_t entry)
{
	coppice_state.record.stack = stack;
	coppice_state.record.entry = entry;
	record_send(&coppice_state.record);
	/* The controller reads this process and kills it. */
	for (;;)
		raw_call(SYS_ppoll);
	return 0;
}

/* Signals wait: none may run a handler between collecting and resuming. */
static uint64_t signals_block(void)
{
	uint64_t all = ~0ULL, before = 0;

	raw_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
	return before;
}

static void signals_restore(uint64_t mask)
{
	raw_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

static int task_begin(void)
{
	int ret;

	coppice_record_fd = -1;
	coppice_environ_replace((char **)coppice_task->envp);
	coppice_hooks_task();
	ret = coppice_strings_restore();
	coppice_ready_default();
	return ret;
}

static int template_refused(void)
{
	record_send(&coppice_state.record);
	coppice_hooks_parent();
	errno = coppice_state.record.error;
	return -1;
}

__attribute__((visibility("default")))
int coppice_checkpoint(void)
{
	uint64_t mask;
	int ret;

	if (coppice_record_fd < 0)
		return COPPICE_PLAIN;
	fflush(NULL);
	coppice_hooks_prepare();
	mask = signals_block();
	if (coppice_collect(&coppice_state)) {
		ret = template_refused();
	} else {
		coppice_trigger_forget(&coppice_state);
		ret = coppice_switch(wait_to_be_read);
		if (task_begin())
			ret = -1;
	}
	signals_restore(mask);
	return ret;
}

__attribute__((visibility("default")))
int coppice_is_template(void)
{
	return coppice_record_fd >= 0;
}

__attribute__((visibility("default")))
int coppice_args(char ***argv)
{
	if (!coppice_task)
		return 0;
	*argv = (char **)coppice_task->argv;
	return coppice_task->argc;
}
