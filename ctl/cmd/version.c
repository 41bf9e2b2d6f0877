// SPDX-License-Identifier: GPL-2.0
/* coppice version */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib/cleanup.h"

static const struct column columns[] = {
	{ "controller", "coppice", COLUMN_TEXT },
	{ "module", "module", COLUMN_TEXT },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	(void)key;
	(void)data;
	return error_usage(err, "'%.80s' is one argument too many: version takes none", arg);
}

/* NULL if it is not loaded. */
static const char *module_version(char *text, size_t size)
{
	autofclose FILE *file = fopen("/sys/module/coppice/version", "re");

	if (!file || !fgets(text, size, file))
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *object = NULL;
	char module[64];

	if (cmd_parse(&cmd_version, argc, argv, option, NULL, err))
		return -1;
	object = json_pack("{s:s, s:s?}", "controller", COPPICE_VERSION,
			   "module", module_version(module, sizeof(module)));
	return output_object(ctx, object, columns, err);
}

const struct command cmd_version = {
	.object = "version",
	.summary = "Show the versions of the controller and the loaded module",
	.run = run,
};
