// SPDX-License-Identifier: GPL-2.0
/* coppice override add GROUP ENDPOINT HANDLER… | --from FILE | --library PROVIDER LOCAL */
#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/overrides.h"
#include "override.h"
#include "override_library.h"

enum { OPTION_POLICY = 256, OPTION_FROM, OPTION_LIBRARY, OPTION_STRICT };

struct arguments {
	const char *group, *endpoint, *from;	/* endpoint: with library the local one */
	const char *library;
	bool has_policy, strict;
	struct override override;
};

static int add_word(struct arguments *arguments, const char *word, struct error *err)
{
	if (!arguments->group)
		arguments->group = word;
	else if (!arguments->endpoint)
		arguments->endpoint = word;
	else
		return override_add_handler(&arguments->override, word, err);
	return 0;
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	switch (key) {
	case OPTION_POLICY:
		arguments->has_policy = true;
		return policy_of_override(arg, &arguments->override.policy, err);
	case OPTION_FROM:
		arguments->from = arg;
		return 0;
	case OPTION_LIBRARY:
		arguments->library = arg;
		return 0;
	case OPTION_STRICT:
		arguments->strict = true;
		return 0;
	default:
		return add_word(arguments, arg, err);
	}
}

/* Everything is understood before anything is changed. */
static int add(const struct context *ctx, const char *group, const struct override *overrides,
	       size_t nr, struct error *err)
{
	if (override_ready(ctx, group, overrides, nr, err))
		return -1;
	if (!overrides_add(group, overrides, nr, err))
		return override_keep(ctx, group, err);
	return override_keep_again(ctx, group, EEXIST, err);
}

static int add_file(const struct context *ctx, const struct arguments *arguments,
		    struct error *err)
{
	autofree struct override *overrides = NULL;
	ssize_t nr;

	if (arguments->endpoint || arguments->has_policy)
		return error_usage(err, "--from gives endpoints, handlers and policies: leave them out here");
	nr = override_read(arguments->from, &overrides, err);
	return nr < 0 ? -1 : add(ctx, arguments->group, overrides, nr, err);
}

static int add_library(struct context *ctx, const struct arguments *arguments, struct error *err)
{
	if (!arguments->endpoint || arguments->override.nr_handlers || arguments->from ||
	    arguments->has_policy)
		return error_usage(err, "with --library a GROUP and one LOCAL library are needed, and no more: web --library libfoo.so.1 /opt/local/libfoo.so, say");
	return override_library_add(ctx, arguments->group, arguments->library, arguments->endpoint,
				    arguments->strict, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = {};
	struct override *override = &arguments.override;

	if (cmd_parse(&cmd_override_add, argc, argv, option, &arguments, err))
		return -1;
	if (arguments.library)
		return add_library(ctx, &arguments, err);
	if (arguments.strict)
		return error_usage(err, "--strict is about a library's interface: give --library with it");
	if (arguments.group && arguments.from)
		return add_file(ctx, &arguments, err);
	if (!arguments.endpoint || (!override->nr_handlers && override->policy != REDIRECT_BLOCK))
		return error_usage(err, "a GROUP, an ENDPOINT and a HANDLER are needed: web 198.18.0.5:80 127.0.0.1:8080, say");
	if (overrides_parse(arguments.endpoint, override, err))
		return -1;
	return add(ctx, arguments.group, override, 1, err);
}

const struct command cmd_override_add = {
	.object = "override",
	.verb = "add",
	.args = "GROUP {ENDPOINT HANDLER… [--policy POLICY] | --from FILE | --library PROVIDER LOCAL [--strict]}",
	.summary = "Send a group's sockets for an endpoint to a local handler, or give it a local library",
	.help = "ENDPOINT is [udp:|any:]HOST:PORT or [udp:|any:]ADDRESS[/LENGTH]:PORT, for IPv6 [ADDRESS[/LENGTH]]:PORT, with "
		"FIRST-LAST for a range of ports and * for any; without udp: or any: it is for TCP. "
		"In a HOST a * at the front stands for one label or more, elsewhere for one. "
		"Or unix:PATH, as tasks write it (Linux 6.7 and later). HANDLER is one address and port, or unix:PATH for unix:PATH, with ,weight=N for its share where there are several. The narrowest range of ports wins, then the longest prefix. "
		"@hub in place of a GROUP is for all groups, after their own. With --library the two are compared, the group's image is built again "
		"with the merged library and the group gets that image; it must have no tasks.",
	.options = (const struct argp_option []) {
		{ .name = "policy", .key = OPTION_POLICY, .arg = "POLICY",
		  .doc = "local (refused while no handler is up; the default), prefer-local (then to the "
			 "endpoint itself), prefer-cloud (to a handler while the endpoint is unreachable), or block (no handler)" },
		{ .name = "from", .key = OPTION_FROM, .arg = "FILE",
		  .doc = "add all that a JSON list has, or none (- for standard input)" },
		{ .name = "library", .key = OPTION_LIBRARY, .arg = "PROVIDER",
		  .doc = "override this library, given by its path, soname or Python name, by LOCAL, the path of another "
			 "one: what LOCAL has is used, what it lacks is still the provider's" },
		{ .name = "strict", .key = OPTION_STRICT,
		  .doc = "refuse a LOCAL library that lacks something of the provider's" },
		{}
	},
	.needs_backend = true,
	.run = run,
};
