// SPDX-License-Identifier: GPL-2.0
/* JSON that is read; see json_read.h. */
#include <errno.h>
#include <string.h>

#include "json_memory.h"
#include "json_read.h"

static json_t *complete(json_t *value, json_error_t *why)
{
	if (!json_memory_was_short())
		return value;
	json_decref(value);
	if (why)
		strcpy(why->text, "out of memory");
	errno = ENOMEM;
	return NULL;
}

json_t *json_read_text(const char *text, size_t len, size_t flags, json_error_t *why)
{
	errno = 0;
	json_memory_begin();
	return complete(json_loadb(text, len, flags, why), why);
}

json_t *json_read_file(const char *path, size_t flags, json_error_t *why)
{
	errno = 0;
	json_memory_begin();
	return complete(json_load_file(path, flags, why), why);
}

json_t *json_read_stream(FILE *file, size_t flags, json_error_t *why)
{
	errno = 0;
	json_memory_begin();
	return complete(json_loadf(file, flags, why), why);
}
