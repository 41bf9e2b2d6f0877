// SPDX-License-Identifier: GPL-2.0
/* What commands for dead letters have in common: one by its id, or all of a function. */
#include <errno.h>

#include "event.h"
#include "lib/cleanup.h"

enum { OPTION_FUNCTION = 256 };

const struct argp_option event_options[] = {
	{ .name = "function", .key = OPTION_FUNCTION, .arg = "FUNCTION",
	  .doc = "all events of this function that were given up" },
	{}
};

static const struct column columns[] = {
	{ "events", "events", COLUMN_NUMBER },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct dead_choice *choice = data;
	const char **to = key == OPTION_FUNCTION ? &choice->function : &choice->id;

	if (*to)
		return error_usage(err, "'%.80s' is one argument too many after '%.80s'", arg, *to);
	*to = arg;
	return 0;
}

static int parse(const struct command *command, int argc, char **argv, struct dead_choice *choice,
		 struct error *err)
{
	if (cmd_parse(command, argc, argv, option, choice, err))
		return -1;
	if (choice->id && choice->function)
		return error_usage(err, "an event has one function: give its id or --function, not both");
	if (!choice->id && !choice->function)
		return error_usage(err, "the id of the EVENT is missing: coppice event %s EVENT, or --function FUNCTION for all of a function",
				   command->verb);
	return 0;
}

int event_act_on(struct context *ctx, const struct command *command, int argc, char **argv,
		 event_act act, struct error *err)
{
	struct dead_choice choice = {};
	autojson json_t *object = NULL;
	uint64_t nr;

	if (parse(command, argc, argv, &choice, err) || act(&choice, &nr, err))
		return -1;
	object = json_pack("{s:I}", "events", (json_int_t)nr);
	return object ? output_object(ctx, object, columns, err) :
		error_set(err, ENOMEM, "out of memory");
}
