/* SPDX-License-Identifier: GPL-2.0 */
/* Members of JSON objects that must not be missing. */
#ifndef COPPICE_JSON_PUT_H
#define COPPICE_JSON_PUT_H

#include <jansson.h>

#include "error.h"

/* As json_object_set_new(): @value is the object's, or is freed. Refused where memory is short for it, or was (NULL). */
int __must_check json_put(json_t *object, const char *key, json_t *value, struct error *err);

#endif /* COPPICE_JSON_PUT_H */
