// SPDX-License-Identifier: GPL-2.0
/* coppice service run NAME */
#include "cmd.h"
#include "lib/service.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	const struct service *service;
	const char *name;

	(void)ctx;
	if (cmd_parse_one(&cmd_service_run, argc, argv, "the NAME of the service", &name, err))
		return -1;
	service = service_find(name, err);
	return service ? service_run(service, err) : -1;
}

const struct command cmd_service_run = {
	.object = "service",
	.verb = "run",
	.args = "NAME",
	.summary = "Run the responder or the terminator in the foreground, for systemd",
	.help = "It is started again when it ends, and has its configuration renewed. SIGHUP reads "
		"what has changed, SIGTERM ends it.",
	.run = run,
};
