// SPDX-License-Identifier: GPL-2.0
/* coppice deployment apply BUNDLE */
#include "deployment_functions.h"
#include "deployment_request.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct deployment_request request = {};
	enum group_running running;

	if (deployment_request_parse(&cmd_deployment_apply, argc, argv, &request, &running, err))
		return -1;
	return deployment_request_print(ctx, deployment_apply_all(ctx, &request, running, err), err);
}

const struct command cmd_deployment_apply = {
	.object = "deployment",
	.verb = "apply",
	.args = DEPLOYMENT_REQUEST_ARGS " [--running WHAT]",
	.summary = "Bring a signed bundle onto this hub",
	.help = "The tree is laid out beside the applied one and put in its place at once: after a kill or a "
		"power loss the hub has the old version or the new one, and applying it again finishes "
		"what is left. A bundle that is applied already changes nothing unless something has "
		"drifted. Then functions that it carries are added, replaced or taken off, and grants of all that "
		"are its own are put in force; new tasks get the new version.",
	.options = deployment_apply_options,
	.run = run,
};
