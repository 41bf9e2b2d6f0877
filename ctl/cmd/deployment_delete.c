// SPDX-License-Identifier: GPL-2.0
/* coppice deployment delete NAME */
#include "deployment_functions.h"
#include "running.h"
#include "lib/deployment_apply.h"

static const struct argp_option options[] = {
	{ .name = "volumes", .key = RUNNING_FLAG, .doc = "remove its volumes with all their data, too" },
	RUNNING_OPTION,
	{}
};

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct running_words words = { .running = RUNNING_DRAIN };

	if (running_words_parse(&cmd_deployment_delete, argc, argv, &words, err))
		return -1;
	return deployment_functions_withdraw(ctx, words.name, words.running, err) ||
	       deployment_delete(words.name, words.flag, err) ? -1 : 0;
}

const struct command cmd_deployment_delete = {
	.object = "deployment",
	.verb = "delete",
	.args = "NAME [--volumes] [--running WHAT]",
	.summary = "Take a deployment off this hub",
	.help = "Its volumes stay unless told otherwise, and so do the numbers that their files have. The "
		"newest version that the hub has had is remembered, so that no older one can be applied.",
	.options = options,
	.run = run,
};
