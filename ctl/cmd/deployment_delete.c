// SPDX-License-Identifier: GPL-2.0
/* coppice deployment delete NAME */
#include "cmd.h"
#include "lib/deployment_apply.h"

struct words {
	const char *name;
	bool volumes;
};

static const struct argp_option options[] = {
	{ .name = "volumes", .key = 'v', .doc = "remove its volumes with all their data, too" },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct words *words = data;

	if (key == 'v') {
		words->volumes = true;
		return 0;
	}
	if (words->name)
		return error_usage(err, "'%.80s' is one argument too many: give one NAME", arg);
	words->name = arg;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct words words = {};

	(void)ctx;
	if (cmd_parse(&cmd_deployment_delete, argc, argv, option, &words, err))
		return -1;
	if (!words.name)
		return error_usage(err, "deployment delete needs the NAME of a deployment: `coppice deployment status` lists them");
	return deployment_delete(words.name, words.volumes, err);
}

const struct command cmd_deployment_delete = {
	.object = "deployment",
	.verb = "delete",
	.args = "NAME [--volumes]",
	.summary = "Take a deployment off this hub",
	.help = "Its volumes stay unless told otherwise, and so do the numbers that their files have. The "
		"newest version that the hub has had is remembered, so that no older one can be applied.",
	.options = options,
	.run = run,
};
