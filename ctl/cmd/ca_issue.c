// SPDX-License-Identifier: GPL-2.0
/* coppice ca issue NAME HOST… */
#include <string.h>

#include "cmd.h"
#include "lib/ca.h"
#include "lib/cleanup.h"
#include "lib/host.h"

static const struct column fields[] = {
	{ "file", "certificate and key", COLUMN_TEXT },
	{ "made", "made now", COLUMN_TEXT },
	{}
};

struct arguments {
	const char *name;
	char hosts[LEAF_HOSTS_MAX][HOST_MAX + 1];
	const char *list[LEAF_HOSTS_MAX];
	size_t nr;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;
	char *host;

	if (key != ARGP_KEY_ARG)
		return 0;
	if (!arguments->name) {
		arguments->name = arg;
		return 0;
	}
	if (arguments->nr == LEAF_HOSTS_MAX)
		return error_usage(err, "there are more than %d host names", LEAF_HOSTS_MAX);
	host = arguments->hosts[arguments->nr];
	if (host_parse(arg, host, err))
		return -1;
	if (strchr(host + 1, '*'))
		return error_usage(err, "'%.80s': in a certificate a * can only be the first label",
				   arg);
	arguments->list[arguments->nr++] = host;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = {};
	autojson json_t *object = NULL;
	char path[PATH_MAX];
	bool made;

	if (cmd_parse(&cmd_ca_issue, argc, argv, option, &arguments, err))
		return -1;
	if (!arguments.nr)
		return error_usage(err, "the NAME of a service and its HOSTs are needed: s3 s3.eu-west-1.amazonaws.com, say");
	if (ca_leaf(arguments.name, arguments.list, arguments.nr, path, &made, err))
		return -1;
	object = json_pack("{s:s, s:b}", "file", path, "made", made);
	return output_object(ctx, object, fields, err);
}

const struct command cmd_ca_issue = {
	.object = "ca",
	.verb = "issue",
	.args = "NAME HOST…",
	.summary = "Have a certificate for a service that speaks TLS itself",
	.help = "Each HOST is signed for with the names one label below it. The file has the "
		"certificate, its authority's and the key, and is valid for 14 days: ask again "
		"and it is renewed in the second half of them, else left as it is.",
	.run = run,
};
