/* SPDX-License-Identifier: GPL-2.0 */
/* JSON as text. What memory was short for is missing in it (see json_memory.h): here that is no text at all. */
#ifndef COPPICE_JSON_TEXT_H
#define COPPICE_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

/* To be freed; NULL: out of memory, now or since the last text when values were built, or no value. */
char *json_text(const json_t *value, size_t flags);

#endif /* COPPICE_JSON_TEXT_H */
