/* SPDX-License-Identifier: GPL-2.0 */
/*
 * JSON that is read. jansson loses characters when memory is short, and goes on: what it then returns
 * is not what was written. These return NULL, with "out of memory" in @why, which may be NULL.
 */
#ifndef COPPICE_JSON_READ_H
#define COPPICE_JSON_READ_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

json_t *json_read_text(const char *text, size_t len, size_t flags, json_error_t *why);
json_t *json_read_file(const char *path, size_t flags, json_error_t *why);
json_t *json_read_stream(FILE *file, size_t flags, json_error_t *why);

#endif /* COPPICE_JSON_READ_H */
