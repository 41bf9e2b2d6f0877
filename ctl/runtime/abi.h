/* SPDX-License-Identifier: MIT */
/*
 * What the controller and libcoppice tell each other: the template's record at
 * its checkpoint, and the arguments that a task finds when it resumes.
 *
 * Both sides are of one build in practice, but an image outlives a controller:
 * the versions below are checked, and a layout never changes under its number.
 */
#ifndef COPPICE_RUNTIME_ABI_H
#define COPPICE_RUNTIME_ABI_H

#include <stdint.h>

/* Set in a template's environment: number of the pipe that takes its record. */
#define COPPICE_ENV_TEMPLATE	"COPPICE_TEMPLATE_FD"
/* Set in a template's environment to "stdin": checkpoint at its first read. */
#define COPPICE_ENV_CHECKPOINT	"COPPICE_CHECKPOINT_ON"
/* Set in a template's environment: the soft limit on stacks that it shall have. */
#define COPPICE_ENV_STACK	"COPPICE_STACK_LIMIT"
/* Set in a template's environment: the secret that seeds of hash tables are made from. */
#define COPPICE_ENV_SEED	"COPPICE_HASH_SEED"
/* Set in a Python template's environment: file to run before everything else. */
#define COPPICE_ENV_BASE	"COPPICE_PYTHON_BASE"
/* Set in a Python template's environment: descriptor of a file with its placement, or for it (placement.py). */
#define COPPICE_ENV_PLACEMENT	"COPPICE_PLACEMENT_FD"
/* Set in a task's environment: descriptor with its event. */
#define COPPICE_ENV_EVENT	"COPPICE_EVENT_FD"
/* Set in a task's environment: socket over which a coordinator hands it events (channel.py). */
#define COPPICE_ENV_CHANNEL	"COPPICE_CHANNEL_FD"
/* Set in a task's environment if the event is several, a line each: "reset" or "keep". */
#define COPPICE_ENV_REUSE	"COPPICE_REUSE"
/* Set in a task's environment if there is no event for it yet. */
#define COPPICE_ENV_SPARE	"COPPICE_SPARE"
/* Set in a task's environment: CLOCK_MONOTONIC when it was asked for, in nanoseconds. */
#define COPPICE_ENV_REQUEST	"COPPICE_REQUEST_NS"

#define COPPICE_RECORD_MAGIC	0x31434352u	/* "RCC1" */
#define COPPICE_ARGS_MAGIC	0x33434341u	/* "ACC3" */

struct coppice_span {
	uint64_t start;
	uint64_t len;
};

/* The mm's fields as in struct prctl_mm_map, less what a task brings itself. */
struct coppice_mm {
	uint64_t start_code, end_code;
	uint64_t start_data, end_data;
	uint64_t start_brk, brk;
	uint64_t start_stack;
};

/*
 * Written by the template to its pipe, in one write, when all else is done; it
 * then waits to be read and killed. error != 0: it can't be a template, and
 * reason says why in one sentence.
 */
struct coppice_record {
	uint32_t magic;
	uint32_t size;		/* of this structure */
	int32_t error;
	uint32_t pad;
	uint64_t entry;		/* where a task resumes */
	uint64_t stack;		/* its stack pointer there */
	struct coppice_span vdso;	/* where the image expects them */
	struct coppice_span vvar;
	struct coppice_mm mm;
	char comm[16];
	char reason[200];
};

/* struct coppice_task_args.flags */
#define COPPICE_ARGS_MODULE	(1u << 0)	/* entered through the module: fd is a group's */
#define COPPICE_ARGS_RESHARE_IDLE	(1u << 1)	/* give equal pages back when idle */
#define COPPICE_ARGS_RESET	(1u << 2)	/* resumes after a reset, not in a new process */

/* Standard ones, the event's and the one in struct coppice_task_args. */
#define COPPICE_ARGS_FDS	5

/*
 * Start of the region that the launcher leaves mapped for a task; its address
 * is the cookie of the enter call. A second one follows, for a task that resumes again.
 * Strings and pointer arrays follow in the same region, which stays mapped (writable,
 * private) as long as the task lives: it is the task's argv and environ.
 *
 * The module puts the region's content back at a reset; the address of the second header is
 * the reset cookie.
 */
struct coppice_task_args {
	uint32_t magic;
	uint32_t size;		/* of this structure */
	uint32_t flags;
	int32_t fd;		/* of the group or of the image's memfd; close-on-exec */
	struct coppice_span vdso;	/* where they are now; resume moves them */
	struct coppice_span vvar;	/* to where the image expects them */
	struct coppice_mm mm;	/* the image's, for /proc/PID and brk */
	uint32_t nr_fds;	/* descriptors that the task began with, sorted */
	int32_t fds[COPPICE_ARGS_FDS];
	uint64_t argc;
	uint64_t argv;		/* address of char *[argc + 1] */
	uint64_t envp;		/* address of char *[], NULL-terminated */
	uint64_t arg_start, arg_end;	/* the strings, contiguous, for /proc/PID/cmdline */
	uint64_t env_start, env_end;
};

#endif /* COPPICE_RUNTIME_ABI_H */
