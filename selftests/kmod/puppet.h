/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Puppets: tasks of an image of a few pages, which do one thing at a time as they are told and
 * are stopped in between. With no library in them, the kernel does for them what is
 * asked for and nothing else.
 */
#ifndef COPPICE_SELFTEST_PUPPET_H
#define COPPICE_SELFTEST_PUPPET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/coppice_dev.h>

#include "company.h"
#include "lib/error.h"
#include "lib/image.h"

#define PUPPET_CODE	0x100000000UL
#define PUPPET_DATA	0x200000000UL
#define PUPPET_FRESH	0x300000000UL	/* and the stack at its end */
#define PUPPET_PAGES	16		/* of data and of fresh memory */
#define PUPPET_REFUSED	77		/* its exit status if it may not enter */

enum puppet_command {
	PUPPET_EXIT,
	PUPPET_READY,
	PUPPET_RESHARE,
	PUPPET_RESET,
	PUPPET_TOUCH,		/* write every other page of data, with what it has */
	PUPPET_MESS,		/* write all, and map and unmap here and there */
	PUPPET_FORK,		/* the child's pid; the child is gone then */
	PUPPET_VFORK_RESET,	/* RESET, in a child that shares its memory */
	PUPPET_THREAD,		/* have another thread */
	PUPPET_SHARER,		/* have another process in its memory, for ever; its pid */
	PUPPET_PAUSE,		/* wait for a signal, and do not stop before */
	PUPPET_CHECK,		/* the bytes of its data that are not the image's */
	/* These without a stop before: they can be given to one that works. */
	PUPPET_WORK,		/* write and restore pages of data, through resets, until told otherwise */
	PUPPET_EXEC,		/* become another program */
};

/* What a puppet and its master share; a page of its own. */
struct puppet {
	pid_t pid;
	int group;		/* descriptor that it enters by */
	unsigned int nth;	/* allocation that is to fail when it enters, or 0 */
	bool homeless;		/* it is to enter without saying what a reset keeps */
	struct company *company;	/* that it is to have, from before it enters, or NULL */
	volatile bool held;	/* it is not to enter yet */
	volatile bool waits;	/* for that */
	volatile int command;
	volatile long result;	/* of the last command, or of an enter that was refused */
	volatile unsigned int starts;	/* how often it came to its entry */
	volatile unsigned int left;	/* of nth, if it was refused; see fault.h */
	volatile unsigned int steps;	/* of its work */
	volatile unsigned int wrong;	/* bytes that it has found as it worked */
	char sentence[256];
	char program[16];	/* that it becomes */
	char *argv[2];
	struct coppice_reshare reshare;
	struct coppice_reset reset;
};

/* Of the caller, as libraries use it: who enters may have none. */
void puppet_unregister_rseq(void);

/* Load the image as @name for root; and add a group of that name. */
int puppet_load(const char *name, struct error *err);
int puppet_set(const char *name, struct error *err);

/* Has the image in the module the content that it was given? */
bool puppet_image_intact(const char *name, struct error *err);

/* A box for one, in memory that is shared with children. */
struct puppet *puppet_new(void);

/* Have a child enter @group. */
void puppet_begin(struct puppet *puppet, int group);
/*
 * Have a child enter @group and wait until it has stopped at its entry (true), or is dead.
 * A dead one is still to be waited for by puppet_reap().
 */
bool puppet_start(struct puppet *puppet, int group);
/* Have it do something: false if it died of it. */
bool puppet_do(struct puppet *puppet, enum puppet_command command);
/* The same, but without waiting: of a command that does not end. */
void puppet_let(struct puppet *puppet, enum puppet_command command);
/* Wait until it has stopped (true), or is dead. */
bool puppet_stops(struct puppet *puppet);
/* Its exit status, or 128 + signal. */
int puppet_reap(struct puppet *puppet);
/* End it, as above. */
int puppet_end(struct puppet *puppet);

#endif /* COPPICE_SELFTEST_PUPPET_H */
