/* SPDX-License-Identifier: GPL-2.0 */
/*
 * JSON that is read. jansson loses characters when memory is short, and goes on: what it then returns
 * is not what was written. These return NULL, with "out of memory" in @why, which may be NULL.
 */
#ifndef COPPICE_JSON_READ_H
#define COPPICE_JSON_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "error.h"

json_t *json_read_text(const char *text, size_t len, size_t flags, json_error_t *why);
json_t *json_read_file(const char *path, size_t flags, json_error_t *why);
json_t *json_read_stream(FILE *file, size_t flags, json_error_t *why);

/*
 * Right after one of these has failed: was it for want of memory or descriptors, and not for what there is to
 * read? Then @err says so of @what.
 */
bool json_read_starved(const char *what, struct error *err);

#endif /* COPPICE_JSON_READ_H */
