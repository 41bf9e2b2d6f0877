/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory of jansson. When that is short, jansson leaves out what it has no room for and goes on, as does who builds
 * a value and does not ask after each member; errno does not tell, as a number that is read sets it to 0.
 */
#ifndef COPPICE_JSON_MEMORY_H
#define COPPICE_JSON_MEMORY_H

#include <stdbool.h>

/* Has there been too little, in this thread, since this was asked for last? */
bool json_memory_was_short(void);

/* It is to say so the next time. */
void json_memory_note_short(void);

#endif /* COPPICE_JSON_MEMORY_H */
