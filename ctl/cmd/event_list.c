// SPDX-License-Identifier: GPL-2.0
/* coppice event list [FUNCTION] */
#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/dead.h"

static const struct column columns[] = {
	{ "id", "ID", COLUMN_TEXT },
	{ "function", "FUNCTION", COLUMN_TEXT },
	{ "ended", "ENDED", COLUMN_TEXT },
	{ "tries", "TRIES", COLUMN_NUMBER },
	{ "bytes", "SIZE", COLUMN_BYTES },
	{ "reason", "REASON", COLUMN_TEXT },
	{}
};

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *rows = NULL;
	const char *function;

	if (cmd_parse_word(&cmd_event_list, argc, argv, &function, err))
		return -1;
	rows = dead_list(function, err);
	return rows ? output_rows(ctx, rows, columns, err) : -1;
}

const struct command cmd_event_list = {
	.object = "event",
	.verb = "list",
	.args = "[FUNCTION]",
	.summary = "Show the asynchronous events that were given up",
	.help = "The last 10,000 are kept, with what they carry, until they are retried or deleted.",
	.run = run,
};
