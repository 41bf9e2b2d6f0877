// SPDX-License-Identifier: GPL-2.0
/* coppice service stop [NAME] */
#include "cmd.h"
#include "lib/service.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	const struct service *const *service;
	const struct service *one;
	const char *name;

	(void)ctx;
	if (cmd_parse_word(&cmd_service_stop, argc, argv, &name, err))
		return -1;
	if (name) {
		one = service_find(name, err);
		return one ? service_stop(one, err) : -1;
	}
	for (service = services; *service; service++)
		if (service_stop(*service, err))
			return -1;
	return EXIT_OK;
}

const struct command cmd_service_stop = {
	.object = "service",
	.verb = "stop",
	.args = "[NAME]",
	.summary = "End the responder and the terminator, or one of them",
	.help = "Without the responder tasks with overrides of host names resolve no name; without the "
		"terminator, handlers behind TLS cannot be reached.",
	.run = run,
};
