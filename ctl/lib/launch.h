/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entering an image: what runs in the forked child of the controller after it
 * has its uid, cgroup and descriptors. Shared by both backends.
 */
#ifndef COPPICE_LAUNCH_H
#define COPPICE_LAUNCH_H

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

struct launch {
	int fd;			/* module: group descriptor; memfd: the image's memfd */
	int module;		/* which of the two */
	int no_premap;
	uint64_t entry, stack;	/* memfd backend only: the module knows its own */
	struct coppice_span vdso, vvar;	/* where the image expects them */
	struct coppice_mm mm;
	const struct launch_segment *segments;	/* sorted; both backends (for placement) */
	size_t nr_segments;
	char *const *argv;
	char *const *envp;
};

/*
 * Replace this process's memory by the image. Returns only on failure, with the
 * process as it was (signals blocked). Allocates nothing after the point of no return.
 */
int launch_enter(const struct launch *launch, struct error *err);

#endif /* COPPICE_LAUNCH_H */
