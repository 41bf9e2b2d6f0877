// SPDX-License-Identifier: GPL-2.0
/* coppice override set GROUP FILE */
#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/overrides.h"
#include "override.h"

enum { OPTION_CONNECTIONS = 256 };

struct arguments {
	const char *text[2];	/* group, file */
	int nr;
	enum redirect_connections connections;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	if (key == OPTION_CONNECTIONS)
		return override_connections(arg, &arguments->connections, err);
	if (arguments->nr == 2)
		return error_usage(err, "'%.80s' is one argument too many: all overrides of a GROUP are set from one FILE", arg);
	arguments->text[arguments->nr++] = arg;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autofree struct override *overrides = NULL;
	struct arguments arguments = {};
	ssize_t nr;

	if (cmd_parse(&cmd_override_set, argc, argv, option, &arguments, err))
		return -1;
	if (arguments.nr < 2)
		return error_usage(err, "a GROUP and a FILE are needed: its overrides as a JSON list, - for standard input");
	nr = override_read(arguments.text[1], &overrides, err);
	if (nr < 0 || override_ready(ctx, arguments.text[0], overrides, nr, err))
		return -1;
	if (!overrides_set(arguments.text[0], overrides, nr, arguments.connections, err))
		return override_keep(ctx, arguments.text[0], err);
	return override_keep_again(ctx, arguments.text[0], EINPROGRESS, err);
}

const struct command cmd_override_set = {
	.object = "override",
	.verb = "set",
	.args = "GROUP FILE [--connections keep|reset]",
	.summary = "Replace all overrides of a group at once",
	.help = "FILE is a JSON list (- for standard input) of objects with endpoint, handler (or handlers, a list "
		"of texts or of objects with handler and weight) and policy, as `override list --json` prints it. Every connect "
		"sees the old overrides or the new ones; those that stay the same keep their statistics.",
	.options = (const struct argp_option []) {
		{ .name = "connections", .key = OPTION_CONNECTIONS, .arg = "WHAT",
		  .doc = "what becomes of open ones of overrides that are gone or different: keep (the default) or reset" },
		{}
	},
	.needs_backend = true,
	.run = run,
};
