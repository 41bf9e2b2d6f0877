/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory of jansson. When that is short, jansson leaves out what it has no room for, and goes on; errno does
 * not tell, as a number that is read afterwards sets it to 0.
 */
#ifndef COPPICE_JSON_MEMORY_H
#define COPPICE_JSON_MEMORY_H

#include <stdbool.h>

/* Has there been too little, in this thread, since json_memory_begin()? */
void json_memory_begin(void);
bool json_memory_was_short(void);

#endif /* COPPICE_JSON_MEMORY_H */
