/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keepers: processes that do nothing but hold the memfd of an image open, so that it
 * outlives the controller. Others reach it through /proc/PID/fd.
 */
#ifndef COPPICE_KEEPER_H
#define COPPICE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define KEEPER_COMM	"coppice-keeper"
#define KEEPER_FD	3	/* the memfd */
#define KEEPER_COMMIT	4	/* a socket; one byte: keep it; its end: do not */

struct keeper {
	pid_t pid;
	uint64_t start;		/* see proc.h */
	uint64_t inode;		/* of the memfd */
};

/*
 * Start a keeper of @memfd. It goes by itself unless keeper_commit() tells it to stay
 * before *commit is closed: a killed controller leaves none.
 */
int __must_check keeper_start(int memfd, const char *image, struct keeper *keeper,
			      int *commit, struct error *err);
/* Returns when the keeper has the memfd and will keep it. */
int __must_check keeper_commit(int commit, struct error *err);
/* What the keeper's process does; returns when it is not needed. */
int keeper_main(void);

/* Also if that can't be told: no image is given up for want of a descriptor. */
bool keeper_alive(const struct keeper *keeper);
/* The memfd for reading, or -1. */
int __must_check keeper_open(const struct keeper *keeper, struct error *err);
/* End it and wait until it is gone; no error if it was. */
int __must_check keeper_stop(const struct keeper *keeper, struct error *err);

/* Every keeper process there is, with the image that it was started for. */
typedef int (*keeper_fn)(const struct keeper *keeper, const char *image, void *data);
int __must_check keeper_each(keeper_fn fn, void *data, struct error *err);

#endif /* COPPICE_KEEPER_H */
