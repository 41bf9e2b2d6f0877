/* SPDX-License-Identifier: GPL-2.0 */
/* Children of the controller: a process in a cgroup, as a user, with few descriptors. */
#ifndef COPPICE_SPAWN_H
#define COPPICE_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "enclosure.h"
#include "error.h"
#include "launch.h"
#include "runtime/devices.h"
#include "task_mounts.h"
#include "user.h"

/*
 * Fork straight into the cgroup of descriptor @cgroup (-1: stay), with all signals
 * blocked in both. Like fork(2), but -1 has err set.
 */
pid_t spawn_fork(int cgroup, struct error *err);

/* In the child: the default disposition of every signal. They stay blocked. */
void spawn_reset_signals(void);

/* In the child: close all but 0, 1, 2 and @keep (-1: none). */
int __must_check spawn_close_others(const int *keep, int nr, struct error *err);

/*
 * Memory that a child shares until its own is replaced: by execve() or by entering an
 * image. Tells whether that happened, or why not.
 */
struct report {
	int fd;			/* -1: none */
	unsigned int slot;	/* of this child, where several share the descriptor */
};

int __must_check report_open(struct report *report, unsigned int slots, struct error *err);
void report_close(struct report *report);
/*
 * Around the fork, so that the child has the memory from its first moment on: a parent
 * that asks before would take it for replaced.
 */
int __must_check report_attach(const struct report *report, struct error *err);
void report_detach(void);
/* In the child: store why and end. */
void report_fail(const struct error *err) __attribute__((noreturn));
/*
 * For a report of one slot: wait until @pid's memory has been replaced (returns 0) or it
 * has failed before (-1 with its reason in err, and it is reaped).
 */
int __must_check report_wait(const struct report *report, pid_t pid, struct error *err);
/* Of a child that has ended: did it fail before its memory was replaced? */
bool report_failed(const struct report *report, struct error *err);

/* An ordinary program in place of an image. */
struct task_program {
	char *const *argv;	/* argv[0]: its path */
	char *const *envp;
	const char *directory;
};

struct task_start {
	const struct launch *launch;	/* with argv and envp */
	const struct task_program *program;	/* or NULL; else @launch does not count */
	const struct user *user;
	const struct enclosure *enclosure;	/* what it is confined to, or NULL */
	const struct task_mounts *mounts;	/* or NULL; an enclosure has them already */
	int cgroup;		/* descriptor */
	int event;		/* descriptor, or -1; the task has it as TASK_EVENT_FD */
	int output;		/* standard output and error, and nothing to read; -1: the caller's */
	bool by_streams;	/* with @output: the event is standard input and output as well */
	uint64_t data_max, processes_max;	/* RLIMIT_DATA and RLIMIT_NPROC; 0: the caller's */
};

#define TASK_EVENT_FD	3
/*
 * The image's or the group's, for the runtime: close-on-exec, out of the way of what the task
 * opens, and no higher than what the kernel has room for in a process's first table.
 */
#define TASK_OWN_FD	COPPICE_DEVICES_END

/* In a child: be who the task is, with its grants and no others. */
int __must_check task_become(const struct task_start *start, struct error *err);

/* Start a task. It may still fail to enter: see report_wait(). */
int __must_check task_start(const struct task_start *start, const struct report *report,
			    pid_t *pid, struct error *err);

/*
 * The environment of a template or a task: @from without what is for the dynamic
 * linker or for us, with the user's HOME, USER and LOGNAME, and with @more. NULL if out
 * of memory. Strings of @from and @more are not copied.
 */
char **spawn_environment(char *const *from, const struct user *user, char *const *more);
void spawn_environment_free(char **environment);

#endif /* COPPICE_SPAWN_H */
