// SPDX-License-Identifier: GPL-2.0
/* coppice handler relay NAME --to unix:PATH */
#include "handler.h"

static const struct argp_option options[] = {
	{ .name = "to", .key = HANDLER_TO, .arg = "HANDLER",
	  .doc = "the handler: unix:PATH, a stream socket that user haproxy may connect to, or an "
		 "address and port" },
	{ .name = "listen", .key = HANDLER_LISTEN, .arg = "HANDLER",
	  .doc = "address and port to take connections at (default: a free port of 127.0.0.1 "
		 "from 20443 on)" },
	{ .name = "proxy", .key = HANDLER_PROXY,
	  .doc = "begin each connection to the handler with a header of the PROXY protocol, "
		 "version 2: the task's address" },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct tls_handler *handler = data;
	int ret = handler_option(key, arg, handler, err);

	if (ret <= 0)
		return ret;
	if (handler->name)
		return error_usage(err, "'%.80s' is one argument too many: handler relay takes one NAME", arg);
	handler->name = arg;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct tls_handler handler = {};

	if (cmd_parse(&cmd_handler_relay, argc, argv, option, &handler, err))
		return -1;
	if (!handler.name || !handler.to.family)
		return error_usage(err, "a NAME and --to are needed: coppice handler relay shadow --to unix:/run/shadow.sock, say");
	return handler_add(ctx, &handler, err);
}

const struct command cmd_handler_relay = {
	.object = "handler",
	.verb = "relay",
	.args = "NAME --to HANDLER [--listen HANDLER] [--proxy]",
	.summary = "Let TCP connections get to a handler at a socket of a path",
	.help = "HAProxy takes the connections and passes their bytes on as they are; `coppice service "
		"list` shows whether it runs. What is printed as \"listens at\" is the HANDLER for "
		"`coppice override add`.",
	.options = options,
	.run = run,
};
