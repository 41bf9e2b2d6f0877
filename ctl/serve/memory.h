/* SPDX-License-Identifier: GPL-2.0 */
/* The hub's memory. */
#ifndef COPPICE_MEMORY_H
#define COPPICE_MEMORY_H

#include <stdint.h>

/* Bytes that are available, as of a moment ago. */
uint64_t memory_available(void);

#endif /* COPPICE_MEMORY_H */
