// SPDX-License-Identifier: GPL-2.0
/* coppice override delete GROUP ENDPOINT, or GROUP --library PROVIDER */
#include <errno.h>

#include "lib/overrides.h"
#include "override.h"
#include "override_library.h"

enum { OPTION_CONNECTIONS = 256, OPTION_LIBRARY };

struct arguments {
	const char *text[2];	/* group, endpoint */
	int nr;
	const char *library;
	enum redirect_connections connections;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	if (key == OPTION_LIBRARY) {
		arguments->library = arg;
		return 0;
	}
	if (key == OPTION_CONNECTIONS)
		return override_connections(arg, &arguments->connections, err);
	if (arguments->nr == 2)
		return error_usage(err, "'%.80s' is one argument too many: an override is named by GROUP and ENDPOINT", arg);
	arguments->text[arguments->nr++] = arg;
	return 0;
}

/* Groups have their libraries from their image, which only this backend may know. */
static int delete_library(struct context *ctx, const struct arguments *arguments,
			  struct error *err)
{
	if (arguments->nr != 1)
		return error_usage(err, "with --library one GROUP is needed, as `coppice override list` shows it");
	ctx->backend = backend_find(ctx->backend_name, err);
	if (!ctx->backend)
		return -1;
	return override_library_delete(ctx, arguments->text[0], arguments->library, err);
}

/* The group itself may be gone: what its pins hold can still be deleted. */
static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = {};
	struct override override = {};

	if (cmd_parse(&cmd_override_delete, argc, argv, option, &arguments, err))
		return -1;
	if (arguments.library)
		return delete_library(ctx, &arguments, err);
	if (arguments.nr < 2)
		return error_usage(err, "a GROUP and an ENDPOINT are needed, as `coppice override list` shows them");
	if (overrides_parse(arguments.text[1], &override, err))
		return -1;
	if (!overrides_delete(arguments.text[0], &override, arguments.connections, err))
		return override_keep(ctx, arguments.text[0], err);
	return override_keep_again(ctx, arguments.text[0], ENOENT, err);
}

const struct command cmd_override_delete = {
	.object = "override",
	.verb = "delete",
	.args = "GROUP {ENDPOINT [--connections keep|reset] | --library PROVIDER}",
	.summary = "Let a group's connections to an endpoint go there again, or give it the provider's library back",
	.help = "Without a library's override the group gets the image that it had before, or one that is built again.",
	.options = (const struct argp_option []) {
		{ .name = "connections", .key = OPTION_CONNECTIONS, .arg = "WHAT",
		  .doc = "what becomes of open ones: keep (they stay with the handler; the default) or reset" },
		{ .name = "library", .key = OPTION_LIBRARY, .arg = "PROVIDER",
		  .doc = "delete the override of this library" },
		{}
	},
	.run = run,
};
