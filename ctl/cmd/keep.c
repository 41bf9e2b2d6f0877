// SPDX-License-Identifier: GPL-2.0
/* coppice keep IMAGE: what keepers run; not for people. */
#include <fcntl.h>

#include "cmd.h"
#include "lib/keeper.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	(void)ctx;
	(void)argc;
	(void)argv;
	if (fcntl(KEEPER_FD, F_GETFD) < 0 || fcntl(KEEPER_COMMIT, F_GETFD) < 0)
		return error_usage(err, "keep is what the controller starts for itself");
	return keeper_main();
}

const struct command cmd_keep = {
	.object = "keep",
	.run = run,
};
