/* SPDX-License-Identifier: GPL-2.0 */
/* Private to function_*.c: members of a JSON object, read strictly by a table. */
#ifndef COPPICE_FUNCTION_FIELD_H
#define COPPICE_FUNCTION_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"

enum field_kind {
	FIELD_TEXT,	/* char *, not empty, one line */
	FIELD_PATH,	/* char *, relative and within the directory */
	FIELD_TEXTS,	/* char **, NULL-terminated */
	FIELD_SET,	/* the same, sorted and each once */
	FIELD_PATHS,	/* char ** of paths */
	FIELD_NUMBER,	/* unsigned int, @min to @max */
	FIELD_BOOL,	/* bool */
	FIELD_CHOICE,	/* an enum: index in @choices, @max of them */
	FIELD_OTHER,	/* by @read */
};

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	unsigned int min, max;
	const char *const *choices;
	bool required;
	int (*read)(const json_t *value, const char *key, void *data, struct error *err);
};

/*
 * Read the members of @object into @data as the table says (it ends with an empty one). What is
 * missing is left as it is in @data; what the table does not know is refused. @where is
 * put before keys: "concurrency.", "".
 */
int __must_check fields_read(const json_t *object, const char *where, const struct field *fields,
			     void *data, struct error *err);

/* Is it a relative path that does not lead out of its directory? */
bool field_is_inside(const char *path);

/*
 * Lists of texts.
 */
char **texts_new(void);
void texts_free(char **texts);
size_t texts_count(char *const *texts);
bool texts_equal(char *const *a, char *const *b);
bool texts_have(char *const *texts, const char *text);
/* Sort them, and free those that are there before. */
void texts_make_set(char **texts);
json_t *texts_json(char *const *texts);
/* The texts of an array; sorted and each once if @set. */
int __must_check texts_read(const json_t *value, const char *key, bool set, char ***texts,
			    struct error *err);

#endif /* COPPICE_FUNCTION_FIELD_H */
