// SPDX-License-Identifier: GPL-2.0
/* coppice function delete FUNCTION [--force] */
#include <errno.h>

#include "function_deploy.h"
#include "lib/cleanup.h"
#include "lib/function_store.h"

enum { OPTION_FORCE = 256 };

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct function function;
	const char *name;
	autoclose int lock = -1;
	enum group_running running;
	bool force;
	int ret;

	if (cmd_parse_one_flag(&cmd_function_delete, argc, argv, "the name of the FUNCTION", &name,
			       &force, err))
		return -1;
	running = force ? RUNNING_END : RUNNING_KEEP;
	lock = function_lock(err);
	if (lock < 0)
		return -1;
	if (function_get(name, &function, err))
		return err->code == ENOENT ? function_withdraw_rest(ctx, name, running, err) : -1;
	ret = function_withdraw(ctx, &function, running, err);
	function_free(&function);
	return ret;
}

const struct command cmd_function_delete = {
	.object = "function",
	.verb = "delete",
	.args = "FUNCTION [--force]",
	.summary = "Delete a function, and with the last one of a group its group and image",
	.help = "Idle tasks of the group, if it goes, are ended. Refused while others are at work: they may be invocations.",
	.options = (const struct argp_option []) {
		{ .name = "force", .key = OPTION_FORCE, .doc = "kill them" },
		{}
	},
	.needs_backend = true,
	.run = run,
};
