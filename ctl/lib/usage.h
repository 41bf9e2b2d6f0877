/* SPDX-License-Identifier: GPL-2.0 */
/* What tasks and groups take of the hub's memory. */
#ifndef COPPICE_USAGE_H
#define COPPICE_USAGE_H

#include <jansson.h>

#include "backend.h"

/*
 * Bytes. With the module, shared and copied are counted in page tables by the module, and
 * own is what the kernel's smaps_rollup has beside copied; without, shared is what smaps_rollup
 * has of files, and copied is part of own.
 */
struct usage {
	uint64_t tasks;
	uint64_t shared;	/* the image's pages that are mapped, however many map them */
	uint64_t copied;	/* the tasks' own in place of the image's */
	uint64_t own;		/* other memory that is theirs alone */
	uint64_t tables;	/* page tables */
};

/* Zero in all but tasks for a task that has ended. */
int __must_check usage_task(const struct backend *backend, const struct task_info *task,
			    struct usage *usage, struct error *err);
int __must_check usage_group(const struct backend *backend, const char *group,
			     struct usage *usage, struct error *err);

/*
 * Bytes that sharing saves: without it each task would have pages of its own where it maps the
 * image's, and nobody would need the image. Nothing while tasks map less than that is.
 */
struct saved {
	uint64_t bytes;
	uint64_t image;		/* all of it, whether tasks map it or not */
};

int __must_check usage_saved(const struct backend *backend, const struct group_info *group,
			     const struct usage *usage, struct saved *saved, struct error *err);

/* Adds the bytes to a task's or a group's JSON. */
void usage_describe(json_t *object, const struct usage *usage);

#endif /* COPPICE_USAGE_H */
