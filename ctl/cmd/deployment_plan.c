// SPDX-License-Identifier: GPL-2.0
/* coppice deployment plan BUNDLE */
#include "deployment_request.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct deployment_request request = {};
	enum group_running ignored;

	if (deployment_request_parse(&cmd_deployment_plan, argc, argv, &request, &ignored, err))
		return -1;
	return deployment_request_print(ctx, deployment_plan(&request, err), err);
}

const struct command cmd_deployment_plan = {
	.object = "deployment",
	.verb = "plan",
	.args = DEPLOYMENT_REQUEST_ARGS,
	.summary = "Show what applying a bundle would change on this hub",
	.help = "All that `deployment apply` checks is checked, signature and conflicts with the hub's own "
		"users, groups and files included, and nothing is changed.",
	.options = deployment_request_options,
	.run = run,
};
