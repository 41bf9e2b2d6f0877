/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A nuisance: a process that disturbs another one from outside, in one way, once or over and
 * over, while the test does something else. It has its own connection to the module.
 */
#ifndef COPPICE_SELFTEST_NUISANCE_H
#define COPPICE_SELFTEST_NUISANCE_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/error.h"

enum nuisance_way {
	NUISANCE_NONE,
	NUISANCE_KILL,		/* once */
	NUISANCE_SQUEEZE,	/* once: no memory for the cage, so that the kernel kills */
	NUISANCE_TRACE,		/* attach, peek, poke and detach */
	NUISANCE_FREEZE,	/* and thaw */
	NUISANCE_MIGRATE,	/* to the other cage and back */
	NUISANCE_DELETE_GROUP,	/* and add it again, if it could be */
	NUISANCE_DELETE_IMAGE,	/* with the group, and load it again, if it could be */
	NUISANCE_RMMOD,		/* which must be refused */
	NUISANCE_LEAVE,
};

/* What it is to disturb, and how to have again what it deleted. */
struct nuisance_world {
	const char *cages[2];
	const char *name;	/* of the image and the group */
	int (*load)(struct error *err);
	int (*add)(struct error *err);
};

/* Shared by the test and the nuisance. */
struct nuisance {
	pid_t pid;
	const struct nuisance_world *world;
	/* Of who is traced: what a word of it must be, if it can be read. */
	unsigned long address;
	unsigned long word;
	pid_t target;
	volatile int way;
	unsigned int pause;	/* longest one between two acts, or before the only one; us */
	volatile bool stop;
	volatile unsigned int ordered, done;
	volatile unsigned int acts;
	volatile unsigned int wrong;	/* what may not be, has been */
	char text[200];			/* what that was */
};

/* To be made before the caller has a connection to the module. */
struct nuisance *nuisance_new(const struct nuisance_world *world);
void nuisance_begin(struct nuisance *nuisance, enum nuisance_way way, pid_t target,
		    unsigned int pause);
/* It has stopped: nobody is traced, frozen or squeezed, and nothing is missing. */
void nuisance_end(struct nuisance *nuisance);
void nuisance_free(struct nuisance *nuisance);

#endif /* COPPICE_SELFTEST_NUISANCE_H */
