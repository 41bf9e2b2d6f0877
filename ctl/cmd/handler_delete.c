// SPDX-License-Identifier: GPL-2.0
/* coppice handler delete NAME */
#include "cmd.h"
#include "lib/terminator.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	const char *name;

	(void)ctx;
	if (cmd_parse_one(&cmd_handler_delete, argc, argv, "the NAME of the handler", &name, err))
		return -1;
	return terminator_delete(name, err);
}

const struct command cmd_handler_delete = {
	.object = "handler",
	.verb = "delete",
	.args = "NAME",
	.summary = "Take no more connections for a handler behind TLS or a relay",
	.help = "Those that are open stay. Overrides that lead there find nobody: delete them before.",
	.run = run,
};
