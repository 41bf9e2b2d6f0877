// SPDX-License-Identifier: GPL-2.0
/* coppice override add GROUP ENDPOINT HANDLER… */
#include "override.h"

enum { OPTION_POLICY = 256 };

struct arguments {
	const char *group, *endpoint;
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
		return policy_of_override(arg, &arguments->override.policy, err);
	default:
		return add_word(arguments, arg, err);
	}
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = {};
	struct override *override = &arguments.override;

	if (cmd_parse(&cmd_override_add, argc, argv, option, &arguments, err))
		return -1;
	if (!arguments.endpoint || (!override->nr_handlers && override->policy != REDIRECT_BLOCK))
		return error_usage(err, "a GROUP, an ENDPOINT and a HANDLER are needed: web 198.18.0.5:80 127.0.0.1:8080, say");
	/* All texts are understood before anything is changed. */
	if (endpoint_parse(arguments.endpoint, &override->endpoint, err) ||
	    redirect_check(override, err))
		return -1;
	if (override_attach(ctx, arguments.group, err))
		return -1;
	return redirect_add_all(arguments.group, override, 1, err);
}

const struct command cmd_override_add = {
	.object = "override",
	.verb = "add",
	.args = "GROUP ENDPOINT HANDLER… [--policy POLICY]",
	.summary = "Send a group's sockets for an endpoint to a local handler",
	.help = "ENDPOINT is [udp:|any:]ADDRESS[/LENGTH]:PORT, for IPv6 [ADDRESS[/LENGTH]]:PORT, with "
		"FIRST-LAST for a range of ports and * for any; without udp: or any: it is for TCP. "
		"HANDLER is one address and port, with ,weight=N for its share where there are several. The narrowest range of ports wins, then the longest prefix. "
		"@hub in place of a GROUP is for all groups, after their own.",
	.options = (const struct argp_option []) {
		{ .name = "policy", .key = OPTION_POLICY, .arg = "POLICY",
		  .doc = "local (refused while no handler is up; the default), prefer-local (then to the "
			 "endpoint itself), prefer-cloud (to a handler while the endpoint is unreachable), or block (no handler)" },
		{}
	},
	.needs_backend = true,
	.run = run,
};
