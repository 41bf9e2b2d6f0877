// SPDX-License-Identifier: GPL-2.0
/* What the coordinator says of its work. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static bool is_plain(const char *value)
{
	return *value && !strpbrk(value, " =\"\n\t");
}

static void put_value(FILE *to, const char *value)
{
	if (is_plain(value)) {
		fputs(value, to);
		return;
	}
	fputc('"', to);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			fputc('\\', to);
		fputc((unsigned char)*value < ' ' ? ' ' : *value, to);
	}
	fputc('"', to);
}

/* In one write: others may share the stream. A level in front is for the journal only. */
void log_event(int level, const char *event, ...)
{
	char line[1024];
	FILE *to = fmemopen(line, sizeof(line) - 1, "w");
	const char *name, *value;
	va_list args;

	if (!to)
		return;
	if (getenv("JOURNAL_STREAM"))
		fprintf(to, "<%d>", level);
	fprintf(to, "event=%s", event);
	va_start(args, event);
	while ((name = va_arg(args, const char *))) {
		value = va_arg(args, const char *);
		if (value) {
			fprintf(to, " %s=", name);
			put_value(to, value);
		}
	}
	va_end(args);
	fflush(to);
	line[ftell(to)] = '\n';
	(void)!write(STDERR_FILENO, line, ftell(to) + 1);
	fclose(to);
}
