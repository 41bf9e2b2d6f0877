// SPDX-License-Identifier: GPL-2.0
/* coppice event delete [EVENT] [--function FUNCTION] */
#include "event.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	return event_act_on(ctx, &cmd_event_delete, argc, argv, dead_delete, err) ? -1 : EXIT_OK;
}

const struct command cmd_event_delete = {
	.object = "event",
	.verb = "delete",
	.args = EVENT_ARGS,
	.summary = "Forget an event that was given up, or all of a function",
	.options = event_options,
	.run = run,
};
