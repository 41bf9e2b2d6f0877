/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processes for adopt_test: each maps a copy of adopt_lib.so, runs its code in several
 * threads all the time, and does as it is told through a pipe.
 */
#ifndef COPPICE_SELFTEST_ACTOR_H
#define COPPICE_SELFTEST_ACTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "adopt_lib.h"
#include "lib/error.h"

#define ACTOR_PAGE	4096UL
/* The pages before the code, the code, the data: all of the library that is read-only. */
#define ACTOR_PAGES	(1UL + ADOPT_TEXT_PAGES + ADOPT_DATA_PAGES)
#define ACTOR_DATA	(1UL + ADOPT_TEXT_PAGES)	/* number of its first page */

/* Where the library is, and load an image of it as @name for root. */
const char *actor_library(void);
int actor_load(const char *name, struct error *err);

struct actor {
	pid_t pid;
	int to, from;
	unsigned char *base;	/* where the library lies in it */
};

enum actor_command {
	ACTOR_CHECK,		/* is everything right? 1: yes */
	ACTOR_FORK,		/* the child's pid; it checks and waits for SIGTERM */
	ACTOR_EXEC,		/* becomes a sleep; does not answer */
	ACTOR_DIRTY,		/* makes copies of data pages 20 and 21, 21 with the same content */
	ACTOR_PROTECT,		/* makes all data writable and read-only again, writes page 30 */
	ACTOR_MOVE,		/* moves all data to another address and back by mremap() */
	ACTOR_UNMAP,		/* gives everything back but one page of the data */
	ACTOR_EXECUTABLE,	/* tries to make data executable: 1 if it may */
};

/* Starts one as @uid, with a copy of the library at @path; with @threads running code. */
int actor_start(struct actor *actor, uid_t uid, const char *path, int threads);
/* Have it do something meanwhile; but for ACTOR_EXEC each wants its answer to be taken, in order. */
int actor_let(struct actor *actor, enum actor_command command);
/* Its answer, or -1: it has ended. */
int actor_answer(struct actor *actor);
/* Both. */
int actor_do(struct actor *actor, enum actor_command command);
/* Ends it: its status is 0 if it never saw a wrong byte. */
int actor_end(struct actor *actor);

/* How much of a process is mapped from what has @word in its name, from smaps. */
struct actor_usage {
	unsigned long size, rss, pss;	/* KiB */
	unsigned int mappings;
	bool dontfork;			/* in the flags of the last one */
	char name[300];			/* and what it is called */
};

struct actor_usage actor_usage(pid_t pid, const char *word);

#endif /* COPPICE_SELFTEST_ACTOR_H */
