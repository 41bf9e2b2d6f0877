// SPDX-License-Identifier: GPL-2.0
/* coppice override add GROUP ENDPOINT HANDLER, or GROUP --library PROVIDER LOCAL */
#include <limits.h>

#include "cmd.h"
#include "lib/cgroup.h"
#include "lib/redirect.h"
#include "override_library.h"

enum { OPTION_LIBRARY = 256, OPTION_STRICT };

static const struct argp_option options[] = {
	{ .name = "library", .key = OPTION_LIBRARY, .arg = "PROVIDER",
	  .doc = "override this library, given by its path, soname or Python name, by LOCAL, the path of another "
		 "one: what LOCAL has is used, what it lacks is still the provider's" },
	{ .name = "strict", .key = OPTION_STRICT,
	  .doc = "refuse a LOCAL library that lacks something of the provider's" },
	{}
};

struct arguments {
	const char *text[3];	/* group, endpoint, handler; with library: group, local */
	int nr;
	const char *library;
	bool strict;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	switch (key) {
	case OPTION_LIBRARY:
		arguments->library = arg;
		return 0;
	case OPTION_STRICT:
		arguments->strict = true;
		return 0;
	}
	if (arguments->nr == 3)
		return error_usage(err, "'%.80s' is one argument too many: one override has one handler", arg);
	arguments->text[arguments->nr++] = arg;
	return 0;
}

/* The programs are attached with the group's first override. */
static int attach(const struct context *ctx, const char *group, struct error *err)
{
	struct group_info info;
	char path[PATH_MAX];

	if (ctx->backend->group_get(group, &info, err))
		return -1;
	if (cgroup_path(info.cgroup, path, err))
		return -1;
	return redirect_attach(group, path, err);
}

static int add_library(struct context *ctx, const struct arguments *arguments, struct error *err)
{
	if (arguments->nr != 2)
		return error_usage(err, "with --library a GROUP and one LOCAL library are needed: web --library libfoo.so.1 /opt/local/libfoo.so, say");
	return override_library_add(ctx, arguments->text[0], arguments->library,
				    arguments->text[1], arguments->strict, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct endpoint endpoint, handler;
	struct arguments arguments = {};

	if (cmd_parse(&cmd_override_add, argc, argv, option, &arguments, err))
		return -1;
	if (arguments.library)
		return add_library(ctx, &arguments, err);
	if (arguments.strict)
		return error_usage(err, "--strict is about a library's interface: give --library with it");
	if (arguments.nr < 3)
		return error_usage(err, "a GROUP, an ENDPOINT and a HANDLER are needed: web 198.18.0.5:80 127.0.0.1:8080, say");
	/* All texts are understood before anything is changed. */
	if (endpoint_parse(arguments.text[1], &endpoint, err) ||
	    handler_parse(arguments.text[2], &handler, err) ||
	    redirect_check(&endpoint, &handler, err))
		return -1;
	if (attach(ctx, arguments.text[0], err))
		return -1;
	return redirect_add(arguments.text[0], &endpoint, &handler, err);
}

const struct command cmd_override_add = {
	.object = "override",
	.verb = "add",
	.args = "GROUP ENDPOINT HANDLER | GROUP --library PROVIDER LOCAL [--strict]",
	.summary = "Send a group's connections to an endpoint to a local handler, or give it a local library",
	.help = "ENDPOINT is ADDRESS[/LENGTH]:PORT, for IPv6 [ADDRESS[/LENGTH]]:PORT, "
		"with * for any port; HANDLER is one address and port. TCP only. A port that "
		"is named wins over *, then the longest prefix wins. With --library the two are compared, the group's image is built again "
		"with the merged library and the group gets that image; it must have no tasks.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
