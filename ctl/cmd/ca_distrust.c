// SPDX-License-Identifier: GPL-2.0
/* coppice ca distrust GROUP */
#include "cmd.h"
#include "lib/trust.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	const char *name;

	(void)ctx;
	if (cmd_parse_one(&cmd_ca_distrust, argc, argv, "the name of the GROUP", &name, err))
		return -1;
	return trust_take(name, err);
}

const struct command cmd_ca_distrust = {
	.object = "ca",
	.verb = "distrust",
	.args = "GROUP",
	.summary = "Take that trust back",
	.help = "Tasks that run keep what they have loaded.",
	.run = run,
};
