// SPDX-License-Identifier: GPL-2.0
/* Errors are values; see error.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

static void fill(struct error *err, enum exit_status status, int code,
		 const char *format, va_list args)
{
	err->status = status;
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), format, args);
}

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, EXIT_REFUSED, code, format, args);
	va_end(args);
	return -1;
}

int error_usage(struct error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, EXIT_USAGE, EINVAL, format, args);
	va_end(args);
	return -1;
}

int error_prefix(struct error *err, const char *format, ...)
{
	char text[sizeof(err->text)];
	va_list args;
	size_t len;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	len = strlen(text);
	/* What there is no room for is cut off, as in error_set(). */
	if (snprintf(text + len, sizeof(text) - len, ": %s", err->text) < 0)
		text[len] = '\0';
	memcpy(err->text, text, sizeof(text));
	return -1;
}

bool error_hides(int code)
{
	return code == ENOMEM || code == EMFILE || code == ENFILE;
}
