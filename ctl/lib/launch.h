/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entering an image: what runs in the forked child of the controller after it
 * has its uid, cgroup and descriptors. Shared by both backends.
 */
#ifndef COPPICE_LAUNCH_H
#define COPPICE_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "error.h"
#include "runtime/abi.h"

struct launch_segment {
	uint64_t start;
	uint64_t len;
	uint32_t prot;
	int32_t anon;		/* fresh memory: offset does not count */
	uint64_t offset;	/* memfd backend: of the content in the file */
};

/*
 * Where things go in a child of this process: made once for any number of children, so
 * that each has little to do, and to copy, before its memory is replaced.
 */
struct launch_plan {
	struct coppice_span vvar, vdso;	/* where they are now */
	bool special_anew;		/* mapped where the image expects them, which costs half of a move */
	uint64_t special_to;		/* or else where they have to make way to, or 0 */
	struct coppice_span args;
	struct coppice_span code, table;	/* of the restorer: memfd backend only */
};

struct launch {
	int fd;			/* module: group descriptor; memfd: the image's memfd */
	int module;		/* which of the two */
	uint64_t group;		/* id of that in which it was opened */
	int no_premap;
	int reshare_idle;	/* the group's policy */
	uint64_t entry, stack;	/* memfd backend only: the module knows its own */
	struct coppice_span vdso, vvar;	/* where the image expects them */
	struct coppice_mm mm;
	const struct launch_segment *segments;	/* sorted; both backends (for placement) */
	size_t nr_segments;
	char *const *argv;
	char *const *envp;
	struct launch_plan plan;	/* by launch_plan() */
};

/*
 * Plan for children that this process will fork, once all else of @launch is filled in.
 * Texts of argv and envp may still change, but not become longer.
 */
int __must_check launch_plan(struct launch *launch, struct error *err);

/*
 * In a child that has its signals blocked (spawn_fork()): replace its memory by the image. Returns only on
 * failure, with the process as it was. Allocates nothing after the point of no return.
 */
int launch_enter(const struct launch *launch, struct error *err);

#endif /* COPPICE_LAUNCH_H */
