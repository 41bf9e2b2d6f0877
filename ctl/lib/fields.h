/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fields of JSON objects, strictly: what is missing, unknown or of another type is refused by
 * name. @where is the object's own name, "functions[3]", or "" for the outermost.
 */
#ifndef COPPICE_FIELDS_H
#define COPPICE_FIELDS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* "functions[3].role: ", then the text; always returns -1. */
int field_refuse(const char *where, const char *key, struct error *err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* It is an object, and has no fields but these; the list ends with NULL. */
int __must_check fields_check(const json_t *object, const char *where, const char *const *known,
			      struct error *err);

/* NULL with err set unless it is there. */
const char *field_text(const json_t *object, const char *where, const char *key,
		       struct error *err);
/* The same by the rule of names. */
const char *field_name(const json_t *object, const char *where, const char *key,
		       struct error *err);
json_t *field_list(const json_t *object, const char *where, const char *key, struct error *err);

int __must_check field_number(const json_t *object, const char *where, const char *key,
			      uint64_t min, uint64_t max, uint64_t *number, struct error *err);
int __must_check field_number32(const json_t *object, const char *where, const char *key,
				uint32_t min, uint32_t max, uint32_t *number, struct error *err);

#endif /* COPPICE_FIELDS_H */
