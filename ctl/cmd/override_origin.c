// SPDX-License-Identifier: GPL-2.0
/* coppice override origin SOURCE HANDLER */
#include <stdio.h>

#include "lib/cleanup.h"
#include "override.h"

enum { OPTION_UDP = 256 };

static const struct column columns[] = {
	{ "endpoint", "endpoint", COLUMN_TEXT },
	{ "group", "group", COLUMN_TEXT },
	{ "pid", "pid", COLUMN_NUMBER },
	{ "cookie", "cookie", COLUMN_NUMBER },
	{}
};

struct arguments {
	const char *text[2];	/* source, handler */
	int nr;
	uint8_t protocol;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	if (key == OPTION_UDP) {
		arguments->protocol = IPPROTO_UDP;
		return 0;
	}
	if (arguments->nr == 2)
		return error_usage(err, "'%.80s' is one argument too many: there is a SOURCE and a HANDLER", arg);
	arguments->text[arguments->nr++] = arg;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = { .protocol = IPPROTO_TCP };
	struct redirect_origin origin;
	struct endpoint source, handler;
	autojson json_t *object = NULL;
	char text[REDIRECT_TEXT_MAX];

	if (cmd_parse(&cmd_override_origin, argc, argv, option, &arguments, err))
		return -1;
	if (arguments.nr < 2)
		return error_usage(err, "a SOURCE, as the handler sees it, and the HANDLER's own address are needed: 127.0.0.1:40000 127.0.0.1:8080, say");
	if (handler_parse(arguments.text[0], &source, err) ||
	    handler_parse(arguments.text[1], &handler, err) ||
	    redirect_origin(arguments.protocol, &source, &handler, &origin, err))
		return -1;
	endpoint_format(&origin.asked, text);
	object = json_pack("{s:s, s:s, s:i, s:I}", "endpoint", text, "group", origin.group,
			   "pid", (int)origin.pid, "cookie", (json_int_t)origin.cookie);
	return output_object(ctx, object, columns, err);
}

const struct command cmd_override_origin = {
	.object = "override",
	.verb = "origin",
	.args = "SOURCE HANDLER [--udp]",
	.summary = "Say what the task at the other end of a handler's connection asked for",
	.help = "SOURCE is the address and port that the handler sees, HANDLER its own. Prints the endpoint, the group "
		"and the process that connected, or that first sent a datagram. For the handler's network namespace.",
	.options = (const struct argp_option []) {
		{ .name = "udp", .key = OPTION_UDP, .doc = "of datagrams (default: TCP)" },
		{}
	},
	.run = run,
};
