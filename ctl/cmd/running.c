// SPDX-License-Identifier: GPL-2.0
/* --running WHAT; see running.h. */
#include <string.h>

#include "running.h"

int running_parse(const char *text, enum group_running *running, struct error *err)
{
	static const char *const names[] = {
		[RUNNING_KEEP] = "keep", [RUNNING_DRAIN] = "drain", [RUNNING_END] = "end",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(text, names[i])) {
			*running = i;
			return 0;
		}
	return error_usage(err, "'%.80s' is nothing that can become of tasks: give keep, drain or end", text);
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct running_words *words = data;

	if (key == RUNNING_KEY)
		return running_parse(arg, &words->running, err);
	if (key == RUNNING_FLAG) {
		words->flag = true;
		return 0;
	}
	if (words->name)
		return error_usage(err, "'%.80s' is one argument too many: give one NAME", arg);
	words->name = arg;
	return 0;
}

int running_words_parse(const struct command *command, int argc, char **argv,
			struct running_words *words, struct error *err)
{
	if (cmd_parse(command, argc, argv, option, words, err))
		return -1;
	if (words->name)
		return 0;
	return error_usage(err, "deployment %s needs the NAME of a deployment: `coppice deployment status` lists them",
			   command->verb);
}
