// SPDX-License-Identifier: GPL-2.0
/* coppice override delete GROUP ENDPOINT */
#include "lib/overrides.h"
#include "override.h"

enum { OPTION_CONNECTIONS = 256 };

struct arguments {
	const char *text[2];	/* group, endpoint */
	int nr;
	enum redirect_connections connections;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	if (key == OPTION_CONNECTIONS)
		return override_connections(arg, &arguments->connections, err);
	if (arguments->nr == 2)
		return error_usage(err, "'%.80s' is one argument too many: an override is named by GROUP and ENDPOINT", arg);
	arguments->text[arguments->nr++] = arg;
	return 0;
}

/* The group itself may be gone: what its pins hold can still be deleted. */
static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = {};
	struct override override = {};

	(void)ctx;
	if (cmd_parse(&cmd_override_delete, argc, argv, option, &arguments, err))
		return -1;
	if (arguments.nr < 2)
		return error_usage(err, "a GROUP and an ENDPOINT are needed, as `coppice override list` shows them");
	if (overrides_parse(arguments.text[1], &override, err))
		return -1;
	return overrides_delete(arguments.text[0], &override, arguments.connections, err);
}

const struct command cmd_override_delete = {
	.object = "override",
	.verb = "delete",
	.args = "GROUP ENDPOINT [--connections keep|reset]",
	.summary = "Let a group's connections to an endpoint go there again",
	.options = (const struct argp_option []) {
		{ .name = "connections", .key = OPTION_CONNECTIONS, .arg = "WHAT",
		  .doc = "what becomes of open ones: keep (they stay with the handler; the default) or reset" },
		{}
	},
	.run = run,
};
