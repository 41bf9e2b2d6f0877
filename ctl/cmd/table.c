// SPDX-License-Identifier: GPL-2.0
/* The table of commands and what is looked up in it. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

const struct command *const commands[] = {
#define COMMAND(name) &cmd_##name,
#include "commands.h"
#undef COMMAND
	NULL
};

const struct argp_option global_options[] = {
	{ .name = "json", .key = 'j', .doc = "print JSON, errors too" },
	{ .name = "backend", .key = 'b', .arg = "kernel|memfd",
	  .doc = "where images and groups live: in the module, or in sealed memfds without it "
		 "(default: kernel if the module is loaded)" },
	{ .name = "help", .key = 'h', .doc = "explain the command instead of running it" },
	{ .name = "version", .key = 'V', .doc = "print the version" },
	{}
};

const struct command *command_find(const char *object, const char *verb)
{
	const struct command *const *command;

	for (command = commands; *command; command++) {
		const char *own = (*command)->verb;

		if (!strcmp((*command)->object, object) &&
		    (!own || (verb && !strcmp(own, verb))))
			return *command;
	}
	return NULL;
}

static bool is_last_of_object(const struct command *const *command)
{
	return !command[1] || strcmp(command[0]->object, command[1]->object);
}

void command_names(const char *object, char *names, size_t size)
{
	const struct command *const *command;
	size_t len = 0;

	names[0] = '\0';
	for (command = commands; *command; command++) {
		const char *name = object ? (*command)->verb : (*command)->object;

		if (!name || !(*command)->summary ||
		    (object && strcmp((*command)->object, object)) ||
		    (!object && !is_last_of_object(command)))
			continue;
		len += snprintf(names + len, size - len, "%s%s", len ? ", " : "", name);
		if (len >= size)
			return;
	}
}
