// SPDX-License-Identifier: GPL-2.0
/* coppice clear [--kill] */
#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/clear.h"

enum { OPTION_KILL = 256 };

static const struct argp_option options[] = {
	{ .name = "kill", .key = OPTION_KILL, .doc = "kill the tasks that run" },
	{}
};

static const struct column fields[] = {
	{ "groups", "groups removed", COLUMN_NUMBER },
	{ "images", "images removed", COLUMN_NUMBER },
	{ "strays", "strays removed", COLUMN_NUMBER },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	bool *kill = data;

	if (key != OPTION_KILL)
		return error_usage(err, "'%.80s' is one argument too many: clear takes none", arg);
	*kill = true;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *object = NULL;
	struct cleared cleared;
	bool kill = false;

	if (cmd_parse(&cmd_clear, argc, argv, option, &kill, err) ||
	    clear_hub(kill, &cleared, err))
		return -1;
	object = json_pack("{s:i, s:i, s:i}", "groups", cleared.groups, "images", cleared.images,
			   "strays", cleared.strays);
	return output_object(ctx, object, fields, err);
}

const struct command cmd_clear = {
	.object = "clear",
	.args = "[--kill]",
	.summary = "Remove all groups, images, overrides and services, as before taking Coppice off a hub",
	.help = "Of both backends. Refused while tasks run, unless they are to be killed. What is "
		"configured under /var/lib/coppice, the hub's certificate authority among it, stays; the "
		"module can be unloaded afterwards.",
	.options = options,
	.run = run,
};
