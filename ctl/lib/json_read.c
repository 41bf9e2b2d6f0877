// SPDX-License-Identifier: GPL-2.0
/* JSON that is read; see json_read.h. */
#include <errno.h>
#include <string.h>

#include "json_memory.h"
#include "json_read.h"

/* Was memory short before? */
static bool begin(void)
{
	errno = 0;
	return json_memory_was_short();
}

/* What is not whole is refused here; what was built before and is not, where it is written. */
static json_t *complete(json_t *value, bool was_short, json_error_t *why)
{
	bool is_short = json_memory_was_short();

	if (was_short)
		json_memory_note_short();
	if (!is_short)
		return value;
	json_decref(value);
	if (why)
		strcpy(why->text, "out of memory");
	errno = ENOMEM;
	return NULL;
}

json_t *json_read_text(const char *text, size_t len, size_t flags, json_error_t *why)
{
	bool was_short = begin();

	return complete(json_loadb(text, len, flags, why), was_short, why);
}

json_t *json_read_file(const char *path, size_t flags, json_error_t *why)
{
	bool was_short = begin();

	return complete(json_load_file(path, flags, why), was_short, why);
}

json_t *json_read_stream(FILE *file, size_t flags, json_error_t *why)
{
	bool was_short = begin();

	return complete(json_loadf(file, flags, why), was_short, why);
}

bool json_read_starved(const char *what, struct error *err)
{
	int code = errno;

	if (!error_hides(code))
		return false;
	error_set(err, code, "%.200s cannot be read: %s", what, strerror(code));
	return true;
}
