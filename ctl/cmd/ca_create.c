// SPDX-License-Identifier: GPL-2.0
/* coppice ca create --permit DOMAIN… */
#include "cmd.h"
#include "lib/ca.h"
#include "lib/host.h"
#include "lib/name.h"

#define DOMAINS_MAX	64
#define DAYS_MAX	7300

enum { OPTION_PERMIT = 256, OPTION_DAYS };

static const struct argp_option options[] = {
	{ .name = "permit", .key = OPTION_PERMIT, .arg = "DOMAIN",
	  .doc = "a domain that the CA may sign for, with all names below it; may be repeated" },
	{ .name = "days", .key = OPTION_DAYS, .arg = "N",
	  .doc = "how long the CA is valid (default: 3650)" },
	{}
};

struct arguments {
	char domains[DOMAINS_MAX][HOST_MAX + 1];
	const char *list[DOMAINS_MAX];
	size_t nr;
	uint64_t days;
};

static int add_domain(struct arguments *arguments, const char *text, struct error *err)
{
	char *domain;

	if (arguments->nr == DOMAINS_MAX)
		return error_usage(err, "there are more than %d domains", DOMAINS_MAX);
	domain = arguments->domains[arguments->nr];
	if (host_parse(text, domain, err))
		return -1;
	if (host_is_wildcard(domain))
		return error_usage(err, "'%.80s': --permit takes a domain without wildcards, and permits all below it",
				   text);
	arguments->list[arguments->nr++] = domain;
	return 0;
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	switch (key) {
	case OPTION_PERMIT:
		return add_domain(arguments, arg, err);
	case OPTION_DAYS:
		return number_parse("a number of days", arg, DAYS_MAX, &arguments->days, err);
	}
	return error_usage(err, "'%.80s' is one argument too many: domains are given with --permit",
			   arg);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = { .days = CA_DAYS };

	(void)ctx;
	if (cmd_parse(&cmd_ca_create, argc, argv, option, &arguments, err))
		return -1;
	if (!arguments.nr)
		return error_usage(err, "what may the CA sign for? give --permit amazonaws.com, say");
	if (!arguments.days)
		return error_usage(err, "--days 0 makes a CA that is never valid: give 1 or more");
	return ca_create(arguments.list, arguments.nr, arguments.days, err);
}

const struct command cmd_ca_create = {
	.object = "ca",
	.verb = "create",
	.args = "--permit DOMAIN… [--days N]",
	.summary = "Make the hub's certificate authority, which only chosen groups trust",
	.help = "The key stays on the hub, readable by root alone. The permitted domains are part of "
		"the certificate, so clients refuse what the CA should sign beyond them.",
	.options = options,
	.run = run,
};
