// SPDX-License-Identifier: GPL-2.0
/* coppice deployment grants NAME FUNCTION */
#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/deployment_grants.h"

struct words {
	const char *name, *function;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct words *words = data;

	(void)key;
	if (words->function)
		return error_usage(err, "'%.80s' is one argument too many: give NAME and FUNCTION", arg);
	*(words->name ? &words->function : &words->name) = arg;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct context as_json = *ctx;
	autojson json_t *grants = NULL;
	struct words words = {};

	if (cmd_parse(&cmd_deployment_grants, argc, argv, option, &words, err))
		return -1;
	if (!words.function)
		return error_usage(err, "deployment grants needs the NAME of a deployment and one of its functions");
	grants = deployment_grants(words.name, words.function, err);
	as_json.json = true;
	return grants ? output_object(&as_json, grants, NULL, err) : -1;
}

const struct command cmd_deployment_grants = {
	.object = "deployment",
	.verb = "grants",
	.args = "NAME FUNCTION",
	.summary = "Print what a function may have of this hub, as JSON",
	.help = "Its user and groups with the hub's numbers, and of each resource that it has rights to the "
		"source, where tasks see it, and the owners that are mapped. Refused while the volumes are not "
		"settled, or if a path or device is not the one that was applied any more.",
	.run = run,
};
