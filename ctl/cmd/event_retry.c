// SPDX-License-Identifier: GPL-2.0
/* coppice event retry [EVENT] [--function FUNCTION] */
#include "event.h"
#include "lib/cleanup.h"
#include "lib/function.h"

/* Of a function that is gone they would be given up again at once. */
static int check_function(const char *name, struct error *err)
{
	struct function function = {};

	if (function_get(name, &function, err))
		return error_prefix(err, "the events have nobody to run them");
	function_free(&function);
	return 0;
}

static int retry(const struct dead_choice *choice, uint64_t *nr, struct error *err)
{
	autojson json_t *event = NULL;
	const char *function = choice->function;

	if (choice->id) {
		event = dead_get(choice->id, err);
		if (!event)
			return -1;
		function = json_string_value(json_object_get(event, "function"));
	}
	return check_function(function, err) ? -1 : dead_retry(choice, nr, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	return event_act_on(ctx, &cmd_event_retry, argc, argv, retry, err) ? -1 : EXIT_OK;
}

const struct command cmd_event_retry = {
	.object = "event",
	.verb = "retry",
	.args = EVENT_ARGS,
	.summary = "Have an event that was given up run again, or all of a function",
	.help = "With the same id, and all tries before it. The coordinator notices within a second, or when it is started.",
	.options = event_options,
	.run = run,
};
