// SPDX-License-Identifier: GPL-2.0
/* Members of a JSON object, read strictly by a table. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "function_field.h"

#define LIST_MAX	256	/* members of a list */
#define TEXT_MAX	4096	/* bytes of a text */

/*
 * Lists of texts.
 */

char **texts_new(void)
{
	return calloc(1, sizeof(char *));
}

void texts_free(char **texts)
{
	size_t i;

	for (i = 0; texts && texts[i]; i++)
		free(texts[i]);
	free(texts);
}

size_t texts_count(char *const *texts)
{
	size_t nr = 0;

	while (texts[nr])
		nr++;
	return nr;
}

bool texts_equal(char *const *a, char *const *b)
{
	for (; *a && *b; a++, b++)
		if (strcmp(*a, *b))
			return false;
	return !*a && !*b;
}

bool texts_have(char *const *texts, const char *text)
{
	for (; *texts; texts++)
		if (!strcmp(*texts, text))
			return true;
	return false;
}

json_t *texts_json(char *const *texts)
{
	json_t *array = json_array();

	for (; *texts; texts++)
		json_array_append_new(array, json_string(*texts));
	return array;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void texts_make_set(char **texts)
{
	size_t nr = texts_count(texts), from, to = 0;

	qsort(texts, nr, sizeof(*texts), compare);
	for (from = 0; from < nr; from++) {
		if (to && !strcmp(texts[to - 1], texts[from]))
			free(texts[from]);
		else
			texts[to++] = texts[from];
	}
	texts[to] = NULL;
}

/*
 * Values.
 */

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
		return "a number";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_NULL:
		return "null";
	default:
		return "true or false";
	}
}

/* Control characters would end up in logs, unit files and headers. */
static bool is_clean(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static int check_text(const json_t *value, const char *key, struct error *err)
{
	size_t len;

	if (!json_is_string(value))
		return error_set(err, EINVAL, "%s is %s: give a text", key, type_name(value));
	len = json_string_length(value);
	if (!len)
		return error_set(err, EINVAL, "%s is empty: give a text, or leave it out", key);
	if (len > TEXT_MAX)
		return error_set(err, EINVAL, "%s has %zu bytes: %d is the most", key, len, TEXT_MAX);
	if (!is_clean(json_string_value(value), len))
		return error_set(err, EINVAL, "%s has a control character: give one line of text", key);
	return 0;
}

static int read_text(const json_t *value, const char *key, char **text, struct error *err)
{
	if (check_text(value, key, err))
		return -1;
	free(*text);
	*text = strdup(json_string_value(value));
	return *text ? 0 : error_set(err, ENOMEM, "out of memory");
}

bool field_is_inside(const char *path)
{
	const char *part = path;

	if (*path == '/')
		return false;
	for (; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (!*part || *part == '/' || !strcmp(part, ".") || !strcmp(part, "..") ||
		    !strncmp(part, "./", 2) || !strncmp(part, "../", 3))
			return false;
	}
	return true;
}

static int check_path(const char *path, const char *key, struct error *err)
{
	if (field_is_inside(path))
		return 0;
	return error_set(err, EINVAL, "%s is '%.80s': give the path of a file beside the manifest or below, without dots",
			 key, path);
}

int texts_read(const json_t *value, const char *key, bool set, char ***texts, struct error *err)
{
	char name[96];
	char **list;
	size_t i;

	if (!json_is_array(value))
		return error_set(err, EINVAL, "%s is %s: give a list of texts", key, type_name(value));
	if (json_array_size(value) > LIST_MAX)
		return error_set(err, EINVAL, "%s has %zu members: %d is the most", key,
				 json_array_size(value), LIST_MAX);
	list = calloc(json_array_size(value) + 1, sizeof(*list));
	if (!list)
		return error_set(err, ENOMEM, "out of memory");
	texts_free(*texts);
	*texts = list;
	for (i = 0; i < json_array_size(value); i++) {
		snprintf(name, sizeof(name), "%s[%zu]", key, i);
		if (read_text(json_array_get(value, i), name, &list[i], err))
			return -1;
	}
	if (set)
		texts_make_set(list);
	return 0;
}

static int read_paths(const json_t *value, const char *key, char ***texts, struct error *err)
{
	char **text;

	if (texts_read(value, key, false, texts, err))
		return -1;
	for (text = *texts; *text; text++)
		if (check_path(*text, key, err))
			return -1;
	return 0;
}

static int read_number(const json_t *value, const char *key, const struct field *field,
		       unsigned int *number, struct error *err)
{
	json_int_t given = json_integer_value(value);

	if (!json_is_integer(value))
		return error_set(err, EINVAL, "%s is %s: give a whole number from %u to %u", key,
				 type_name(value), field->min, field->max);
	if (given < field->min || given > field->max)
		return error_set(err, ERANGE, "%s is %lld: give a whole number from %u to %u", key,
				 (long long)given, field->min, field->max);
	*number = given;
	return 0;
}

static int read_bool(const json_t *value, const char *key, bool *given, struct error *err)
{
	if (!json_is_boolean(value))
		return error_set(err, EINVAL, "%s is %s: give true or false", key, type_name(value));
	*given = json_is_true(value);
	return 0;
}

static int read_choice(const json_t *value, const char *key, const struct field *field,
		       unsigned int *choice, struct error *err)
{
	char names[128] = "";
	size_t len = 0;
	unsigned int i;

	if (check_text(value, key, err))
		return -1;
	for (i = 0; i < field->max; i++) {
		if (!strcmp(field->choices[i], json_string_value(value))) {
			*choice = i;
			return 0;
		}
		len += snprintf(names + len, sizeof(names) - len, "%s%s",
				!i ? "" : i + 1 == field->max ? " or " : ", ", field->choices[i]);
	}
	return error_set(err, EINVAL, "%s is '%.80s': give %s", key, json_string_value(value), names);
}

static int read_value(const json_t *value, const char *key, const struct field *field,
		      void *data, struct error *err)
{
	void *to = (char *)data + field->offset;

	switch (field->kind) {
	case FIELD_TEXT:
		return read_text(value, key, to, err);
	case FIELD_PATH:
		return read_text(value, key, to, err) || check_path(*(char **)to, key, err) ? -1 : 0;
	case FIELD_TEXTS:
		return texts_read(value, key, false, to, err);
	case FIELD_SET:
		return texts_read(value, key, true, to, err);
	case FIELD_PATHS:
		return read_paths(value, key, to, err);
	case FIELD_NUMBER:
		return read_number(value, key, field, to, err);
	case FIELD_BOOL:
		return read_bool(value, key, to, err);
	case FIELD_CHOICE:
		return read_choice(value, key, field, to, err);
	default:
		return field->read(value, key, data, err);
	}
}

/*
 * Objects.
 */

static int unknown(const char *where, const char *key, const struct field *fields,
		   struct error *err)
{
	char names[384] = "";
	size_t len = 0;

	for (; fields->key && len < sizeof(names); fields++)
		len += snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
				fields->key);
	return error_set(err, EINVAL, "%s%.60s is no field: there are %s", where, key, names);
}

static int refuse_unknown(const json_t *object, const char *where, const struct field *fields,
			  struct error *err)
{
	const struct field *field;
	const json_t *value;
	const char *key;

	json_object_foreach((json_t *)object, key, value) {
		for (field = fields; field->key && strcmp(field->key, key); field++)
			;
		if (!field->key)
			return unknown(where, key, fields, err);
	}
	return 0;
}

int fields_read(const json_t *object, const char *where, const struct field *fields, void *data,
		struct error *err)
{
	const json_t *value;
	char key[96];

	if (!json_is_object(object))
		return error_set(err, EINVAL, "%.*s is %s: give an object", (int)strcspn(where, "."),
				 where, type_name(object));
	if (refuse_unknown(object, where, fields, err))
		return -1;
	for (; fields->key; fields++) {
		snprintf(key, sizeof(key), "%s%s", where, fields->key);
		value = json_object_get(object, fields->key);
		if (!value && fields->required)
			return error_set(err, EINVAL, "%s is missing: a manifest needs it", key);
		if (value && read_value(value, key, fields, data, err))
			return -1;
	}
	return 0;
}
