/* SPDX-License-Identifier: MIT */
/*
 * Placement: what a Python function's events write to lies together, so that a task has few pages of its own.
 *
 * An event of a function in CPython writes to few objects, mostly to count references, which lie
 * among many that it only reads. So a first run of the template finds out which ones these are, and another
 * has them allocated side by side. An allocation is told by where in the program's course it comes:
 * its identity is made of the place that the bootstrap has named last (a module that is loaded, say), of the size, and of how
 * many of that came since. It is a hint: a run that goes otherwise places other objects there, which is no harm.
 */
#ifndef COPPICE_RUNTIME_PLACEMENT_H
#define COPPICE_RUNTIME_PLACEMENT_H

#include <stddef.h>
#include <stdint.h>

enum coppice_placement {
	COPPICE_PLACEMENT_LEARNS = 1,
	COPPICE_PLACEMENT_PLACES,
	COPPICE_PLACEMENT_INVALID,	/* the file is none that was learned */
	COPPICE_PLACEMENT_IMPOSSIBLE,	/* there is no memory, or no interpreter with allocators to replace */
	COPPICE_PLACEMENT_TOO_LONG,	/* the file lists more allocations than there is room for */
};

/*
 * Have the allocations with the identities in a file placed together, or, if it is empty, every allocation from here
 * on noted with its identity. Return: one of the above, the first call's to all later ones.
 */
int coppice_placement_begin(int fd);

/* The same before the interpreter begins, which has made some thousand objects when the bootstrap does. */
void coppice_placement_begin_early(void);

/* The program gets to a place that has this name in each run. */
void coppice_placement_at(const char *place);

/* No allocation is placed or noted any more. */
void coppice_placement_end(void);

/* What is placed from here on lies in other pages than before. */
void coppice_placement_seal(void);

/*
 * Watch which of the noted blocks are written to, at a price of some microseconds for each write. Only in
 * a process that ends afterwards. Return: 0, or -1 with errno ENOSYS on a processor that can't.
 */
int coppice_placement_watch(void);

/* The identities of those that were written to, at most @most. Return: how many there are. */
size_t coppice_placement_written(uint64_t *ids, size_t most);

#endif /* COPPICE_RUNTIME_PLACEMENT_H */
