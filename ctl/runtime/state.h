/* SPDX-License-Identifier: MIT */
/*
 * What the kernel keeps about a process beside its memory. The template collects
 * it into its own data, so that it is part of the image; a task sets it again.
 */
#ifndef COPPICE_RUNTIME_STATE_H
#define COPPICE_RUNTIME_STATE_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "devices.h"

#define COPPICE_NSIG 64

/* As rt_sigaction(2) has it, which is not what libc's struct sigaction is. */
struct kernel_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

/* A descriptor that tasks have too. */
struct coppice_device {
	const char *path;	/* as in devices.h */
	uint64_t rdev;
	int fd;
	int flags;		/* as for open(2) */
};

struct coppice_state {
	uint64_t thread_pointer;
	int *tid_address;	/* libc's cached thread id lies there */
	void *robust_list;
	size_t robust_len;
	void *rseq;		/* NULL: libc registered none */
	uint32_t rseq_len;
	stack_t altstack;
	struct kernel_sigaction actions[COPPICE_NSIG];
	struct coppice_device devices[COPPICE_DEVICES_END];
	unsigned int nr_devices;
	struct coppice_record record;
};

/* The one state of the process: a template's, later its tasks'. */
extern struct coppice_state coppice_state;

/* collect.c: fill in all but entry and stack; -1: record.reason says why not. */
int coppice_collect(struct coppice_state *state);
/* Set the reason for which the process can't be a template; returns -1. */
int coppice_refuse(struct coppice_state *state, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * switch.S: save the callee-saved registers and call wait(stack, entry), which
 * returns only on failure. A task that resumes at @entry with @stack restores the registers
 * and returns from here with coppice_resume()'s result.
 */
int coppice_switch(int (*wait)(uint64_t stack, uint64_t entry));

/*
 * resume.c: first C code of a task; libc is usable when it returns. After a reset @clean is what
 * the module says of it (COPPICE_CLEAN_*), else anything.
 */
int coppice_resume(const struct coppice_task_args *args, unsigned long clean);
/* again.c: for a task that was reset. */
void coppice_begin_again(const struct coppice_task_args *args, unsigned long clean);
/* devices.c: in the template, and in each task; -1: one can't be opened. */
void coppice_devices_collect(struct coppice_state *state);
int coppice_devices_open(const struct coppice_state *state);
/* The arguments that the task resumed with, or NULL in any other process. */
extern const struct coppice_task_args *coppice_task;

/* generators.c: in a template; in a task. */
void coppice_generators_note(void);
void coppice_generators_reseed(void);

/* hooks.c: what runs before a checkpoint and after a resume. */
void coppice_hooks_prepare(void);
void coppice_hooks_parent(void);
void coppice_hooks_task(void);

/* memory.c: the task is ready, unless the program says so itself. */
void coppice_ready_default(void);

/* memfd.c: @image is the image's file; see coppice_reshare(). */
int coppice_memfd_reshare(int image, uint64_t *compared, uint64_t *given_back);

/* environ.c: before the template changes its environment; in a task. */
void coppice_environ_note(void);
void coppice_environ_replace(char **env);

/* strings.c: in a task, with what locks the interpreter held; -1: it has an exception. */
int coppice_strings_restore(void);

/* random.c: in a template with a layout. */
void coppice_random_seed(const char *text);

/* checkpoint.c */
extern int coppice_record_fd;	/* -1: not a template */
/* SIGSYS as it was before the stdin trigger took it; no-op without. */
void coppice_trigger_forget(struct coppice_state *state);
void coppice_trigger_arm(void);

#endif /* COPPICE_RUNTIME_STATE_H */
