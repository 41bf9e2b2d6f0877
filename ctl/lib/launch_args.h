/* SPDX-License-Identifier: GPL-2.0 */
/* Private to launch*.c: the region of a task's arguments, and the restorer. */
#ifndef COPPICE_LAUNCH_ARGS_H
#define COPPICE_LAUNCH_ARGS_H

#include "launch.h"

#define PAGE_UP(n) (((uint64_t)(n) + 4095) & ~4095UL)

/* Bytes that the region for @launch's argv and envp takes, whole pages. */
uint64_t launch_args_size(const struct launch *launch);
/* Fill in the region at @args but for where the vDSO is; its content ends with the last variable. */
void launch_args_fill(struct coppice_task_args *args, const struct launch *launch);

/*
 * The memfd backend's counterpart of the ENTER ioctl: code that can run from any
 * address and needs nothing but its table.
 */
struct restore_table {
	int fd;
	uint64_t entry, stack, cookie;
	struct coppice_span keep[4];	/* sorted; all of them end below the last address */
	size_t nr_keep;
	struct coppice_span table;	/* of this table and the stack behind it: unmapped at the end */
	size_t nr_segments;
	struct launch_segment segments[];
};

/* The code itself: a section of its own, copied to where it shall run. */
extern const char __start_coppice_restorer_text[], __stop_coppice_restorer_text[];
void coppice_restorer(const struct restore_table *table);

#endif /* COPPICE_LAUNCH_ARGS_H */
