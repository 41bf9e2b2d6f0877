// SPDX-License-Identifier: GPL-2.0
/* coppice ca delete */
#include "cmd.h"
#include "lib/ca.h"

static int option(int key, char *arg, void *data, struct error *err)
{
	(void)key;
	(void)data;
	return error_usage(err, "'%.80s' is one argument too many: a hub has one CA", arg);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	(void)ctx;
	if (cmd_parse(&cmd_ca_delete, argc, argv, option, NULL, err))
		return -1;
	return ca_delete(err);
}

const struct command cmd_ca_delete = {
	.object = "ca",
	.verb = "delete",
	.summary = "Delete the hub's certificate authority with all that it has signed",
	.help = "Groups trust nothing of it from their next task on; warm images that have loaded it "
		"keep it until they are built again.",
	.run = run,
};
