// SPDX-License-Identifier: GPL-2.0
/* coppice service start [NAME] */
#include "cmd.h"
#include "lib/service.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	const struct service *const *service;
	const struct service *one;
	const char *name;
	int wanted;

	(void)ctx;
	if (cmd_parse_word(&cmd_service_start, argc, argv, &name, err))
		return -1;
	if (name) {
		one = service_find(name, err);
		return one ? service_start(one, err) : -1;
	}
	for (service = services; *service; service++) {
		wanted = (*service)->wanted(err);
		if (wanted < 0 || (wanted && service_start(*service, err)))
			return -1;
	}
	return EXIT_OK;
}

const struct command cmd_service_start = {
	.object = "service",
	.verb = "start",
	.args = "[NAME]",
	.summary = "Start the responder and the terminator, or one of them, in the background",
	.help = "Without NAME: those that overrides need, after a reboot say. Overrides start them too. "
		"With systemd, enable coppice@responder and coppice@terminator instead.",
	.run = run,
};
