// SPDX-License-Identifier: GPL-2.0
/* coppice override delete GROUP ENDPOINT, or GROUP --library PROVIDER */
#include "cmd.h"
#include "lib/redirect.h"
#include "override_library.h"

enum { OPTION_LIBRARY = 256 };

static const struct argp_option options[] = {
	{ .name = "library", .key = OPTION_LIBRARY, .arg = "PROVIDER",
	  .doc = "delete the override of this library" },
	{}
};

struct arguments {
	const char *text[2];	/* group, endpoint */
	int nr;
	const char *library;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	if (key == OPTION_LIBRARY) {
		arguments->library = arg;
		return 0;
	}
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
	struct endpoint endpoint;

	if (cmd_parse(&cmd_override_delete, argc, argv, option, &arguments, err))
		return -1;
	if (arguments.library)
		return delete_library(ctx, &arguments, err);
	if (arguments.nr < 2)
		return error_usage(err, "a GROUP and an ENDPOINT are needed, as `coppice override list` shows them");
	if (endpoint_parse(arguments.text[1], &endpoint, err))
		return -1;
	return redirect_delete(arguments.text[0], &endpoint, err);
}

const struct command cmd_override_delete = {
	.object = "override",
	.verb = "delete",
	.args = "GROUP ENDPOINT | GROUP --library PROVIDER",
	.summary = "Let a group's connections to an endpoint go there again, or give it the provider's library back",
	.help = "Connections that are open stay with the handler. Without a library's override the group gets "
		"the image that it had before, or one that is built again.",
	.options = options,
	.run = run,
};
