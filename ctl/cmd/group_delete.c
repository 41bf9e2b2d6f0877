// SPDX-License-Identifier: GPL-2.0
/* coppice group delete GROUP */
#include "cmd.h"
#include "lib/group.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	const char *name;

	if (cmd_parse_one(&cmd_group_delete, argc, argv, "the name of the GROUP", &name, err))
		return -1;
	return group_unmake(ctx->backend, name, err);
}

const struct command cmd_group_delete = {
	.object = "group",
	.verb = "delete",
	.args = "GROUP",
	.summary = "Delete a group that has no tasks, with its overrides, grants and cgroup",
	.needs_backend = true,
	.run = run,
};
