// SPDX-License-Identifier: GPL-2.0
/* Fields of JSON objects, strictly. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "name.h"

int field_refuse(const char *where, const char *key, struct error *err, const char *format, ...)
{
	char text[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return error_set(err, EINVAL, "%s%s%s%s%s", where, *where && *key ? "." : "", key,
			 *where || *key ? ": " : "", text);
}

static int list_known(const char *const *known, char *text, size_t size)
{
	size_t len = 0;

	for (; *known && len < size; known++)
		len += snprintf(text + len, size - len, "%s%s", len ? ", " : "", *known);
	return 0;
}

int fields_check(const json_t *object, const char *where, const char *const *known,
		 struct error *err)
{
	const char *const *name;
	char names[256] = "";
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return field_refuse(where, "", err, "it is no object");
	json_object_foreach((json_t *)object, key, value) {
		for (name = known; *name && strcmp(*name, key); name++)
			;
		if (*name)
			continue;
		list_known(known, names, sizeof(names));
		return field_refuse(where, "", err, "'%.80s' is no field here: there are %s", key,
				    names);
	}
	return 0;
}

const char *field_text(const json_t *object, const char *where, const char *key,
		       struct error *err)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_string(value)) {
		field_refuse(where, key, err, value ? "it is no text" : "it is missing: give a text");
		return NULL;
	}
	return json_string_value(value);
}

const char *field_name(const json_t *object, const char *where, const char *key,
		       struct error *err)
{
	const char *text = field_text(object, where, key, err);

	if (!text)
		return NULL;
	if (!name_check("it", text, err))
		return text;
	field_refuse(where, key, err, "'%.80s' is no name: use 1 to 63 letters, digits, dots, dashes and underscores, not a dot or dash first",
		     text);
	return NULL;
}

json_t *field_list(const json_t *object, const char *where, const char *key, struct error *err)
{
	json_t *value = json_object_get(object, key);

	if (json_is_array(value))
		return value;
	field_refuse(where, key, err, value ? "it is no list" : "it is missing: give a list");
	return NULL;
}

int field_number(const json_t *object, const char *where, const char *key, uint64_t min,
		 uint64_t max, uint64_t *number, struct error *err)
{
	const json_t *value = json_object_get(object, key);
	json_int_t integer = json_integer_value(value);

	if (!value)
		return field_refuse(where, key, err, "it is missing: give a whole number");
	if (!json_is_integer(value) || integer < 0 || (uint64_t)integer < min ||
	    (uint64_t)integer > max)
		return field_refuse(where, key, err, "it is no whole number from %llu to %llu",
				    (unsigned long long)min, (unsigned long long)max);
	*number = integer;
	return 0;
}

int field_number32(const json_t *object, const char *where, const char *key, uint32_t min,
		   uint32_t max, uint32_t *number, struct error *err)
{
	uint64_t wide;

	if (field_number(object, where, key, min, max, &wide, err))
		return -1;
	*number = wide;
	return 0;
}
