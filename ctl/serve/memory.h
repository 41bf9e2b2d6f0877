/* SPDX-License-Identifier: GPL-2.0 */
/* The hub's memory and processors. */
#ifndef COPPICE_MEMORY_H
#define COPPICE_MEMORY_H

#include <stdint.h>

/* Bytes that are available, as of a moment ago. */
uint64_t memory_available(void);
/* Some came back: what was read a moment ago is not to count. */
void memory_forget(void);

/* What many requests at a time have taken of this process's own memory, and left. To be called now and then. */
void memory_give_back(void);

/* Percent of the processors that was wanted in the last minute; 0 if that can't be known. */
unsigned int processor_load(void);

#endif /* COPPICE_MEMORY_H */
