// SPDX-License-Identifier: GPL-2.0
/* coppice event show EVENT */
#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/dead.h"

static const struct column fields[] = {
	{ "id", "id", COLUMN_TEXT },
	{ "function", "function", COLUMN_TEXT },
	{ "received", "received", COLUMN_TEXT },
	{ "ended", "ended", COLUMN_TEXT },
	{ "tries", "tries", COLUMN_NUMBER },
	{ "reason", "reason", COLUMN_TEXT },
	{ "bytes", "size", COLUMN_BYTES },
	{ "payload", "payload", COLUMN_TEXT },
	{ "payload_base64", "payload (base64)", COLUMN_TEXT },
	{}
};

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *object = NULL;
	const char *id;

	if (cmd_parse_one(&cmd_event_show, argc, argv, "the id of the EVENT", &id, err))
		return -1;
	object = dead_get(id, err);
	return object ? output_object(ctx, object, fields, err) : -1;
}

const struct command cmd_event_show = {
	.object = "event",
	.verb = "show",
	.args = "EVENT",
	.summary = "Show an event that was given up, why, and what it carries",
	.help = "Of a long payload only the beginning is shown; --json has all of it.",
	.run = run,
};
