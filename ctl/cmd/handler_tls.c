// SPDX-License-Identifier: GPL-2.0
/* coppice handler tls HOST… --to ADDRESS:PORT */
#include <string.h>

#include "handler.h"
#include "lib/host.h"

enum { OPTION_NAME = HANDLER_OWN, OPTION_HTTP };

static const struct argp_option options[] = {
	{ .name = "to", .key = HANDLER_TO, .arg = "HANDLER",
	  .doc = "address and port of the plain handler, or unix:PATH" },
	{ .name = "listen", .key = HANDLER_LISTEN, .arg = "HANDLER",
	  .doc = "address and port to take TLS connections at (default: a free port of "
		 "127.0.0.1 from 20443 on)" },
	{ .name = "name", .key = OPTION_NAME, .arg = "NAME",
	  .doc = "what to call it (default: the first HOST)" },
	{ .name = "http", .key = OPTION_HTTP,
	  .doc = "it is HTTP: take HTTP/2 too, and take Alt-Svc, which leads to QUIC, out of "
		 "answers" },
	{ .name = "proxy", .key = HANDLER_PROXY,
	  .doc = "begin each connection to the handler with a header of the PROXY protocol, "
		 "version 2: the task's address, and the name it asked for" },
	{}
};

struct arguments {
	char hosts[LEAF_HOSTS_MAX][HOST_MAX + 1];
	const char *list[LEAF_HOSTS_MAX];
	char name[HOST_MAX + 1];
	struct tls_handler handler;
};

static int add_host(struct arguments *arguments, const char *text, struct error *err)
{
	struct tls_handler *handler = &arguments->handler;
	char *host;

	if (handler->nr_hosts == LEAF_HOSTS_MAX)
		return error_usage(err, "there are more than %d host names", LEAF_HOSTS_MAX);
	host = arguments->hosts[handler->nr_hosts];
	if (host_parse(text, host, err))
		return -1;
	if (strchr(host + 1, '*'))
		return error_usage(err, "'%.80s': in a certificate a * can only be the first label: give each host that is meant",
				   text);
	arguments->list[handler->nr_hosts++] = host;
	return 0;
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;
	int ret = handler_option(key, arg, &arguments->handler, err);

	if (ret <= 0)
		return ret;
	switch (key) {
	case OPTION_NAME:
		arguments->handler.name = arg;
		return 0;
	case OPTION_HTTP:
		arguments->handler.http = true;
		return 0;
	}
	return add_host(arguments, arg, err);
}

/* The first host, with what no name begins with replaced. */
static void make_name(struct arguments *arguments)
{
	size_t i;

	strcpy(arguments->name, arguments->hosts[0]);
	for (i = 0; arguments->name[i]; i++)
		if (arguments->name[i] == '*')
			arguments->name[i] = '_';
	arguments->handler.name = arguments->name;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = {};
	struct tls_handler *handler = &arguments.handler;

	if (cmd_parse(&cmd_handler_tls, argc, argv, option, &arguments, err))
		return -1;
	if (!handler->nr_hosts || !handler->to.family)
		return error_usage(err, "a HOST and --to are needed: s3.eu-west-1.amazonaws.com --to 127.0.0.1:4568, say");
	handler->hosts = arguments.list;
	if (!handler->name)
		make_name(&arguments);
	return handler_add(ctx, handler, err);
}

const struct command cmd_handler_tls = {
	.object = "handler",
	.verb = "tls",
	.args = "HOST… --to HANDLER [--listen HANDLER] [--name NAME] [--http] [--proxy]",
	.summary = "Put TLS, with certificates of the hub's CA, in front of a plain handler",
	.help = "HAProxy takes the connections, with a certificate for each HOST and the names below "
		"it, which is renewed by itself; `coppice service list` shows whether it runs. "
		"What is printed as \"listens at\" is the HANDLER for `coppice override add`.",
	.options = options,
	.run = run,
};
