/* SPDX-License-Identifier: MIT */
/* Which of an interpreter's blocks lies where, while it is found out which of them events write to. */
#ifndef COPPICE_RUNTIME_BLOCKS_H
#define COPPICE_RUNTIME_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_UNIT	16UL	/* blocks are multiples of it, and aligned to it */
#define BLOCK_MAX	2048UL	/* larger ones are not of interest */

/* False: there is no memory for it. */
bool blocks_open(void);
/* @block has this identity from now on; one that is too large is left out. */
void blocks_note(const void *block, uint64_t id, size_t size);
/* It was freed; returns the identity that it had, or 0. */
uint64_t blocks_forget(const void *block);
/* The identity of the block that @address lies in, or 0. */
uint64_t blocks_find(uintptr_t address);
/* Call @visit with each page that has a block. */
void blocks_each_page(void (*visit)(uintptr_t page));

#endif /* COPPICE_RUNTIME_BLOCKS_H */
