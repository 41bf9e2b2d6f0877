/* SPDX-License-Identifier: GPL-2.0 */
/* JSON as text. jansson leaves out what it has no memory for, and goes on: here that is no text at all. */
#ifndef COPPICE_JSON_TEXT_H
#define COPPICE_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

/* To be freed; NULL: out of memory, or no value. */
char *json_text(const json_t *value, size_t flags);

#endif /* COPPICE_JSON_TEXT_H */
