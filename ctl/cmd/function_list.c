// SPDX-License-Identifier: GPL-2.0
/* coppice function list */
#include "function.h"
#include "lib/cleanup.h"

static const struct column columns[] = {
	{ "name", "NAME", COLUMN_TEXT },
	{ "runtime", "RUNTIME", COLUMN_TEXT },
	{ "mode", "MODE", COLUMN_TEXT },
	{ "owner", "OWNER", COLUMN_TEXT },
	{ "group", "GROUP", COLUMN_TEXT },
	{ "state", "STATE", COLUMN_TEXT },
	{ "tasks", "TASKS", COLUMN_NUMBER },
	{ "priority", "PRIORITY", COLUMN_NUMBER },
	{ "timeout", "TIMEOUT", COLUMN_NUMBER },
	{ "memory", "MIB", COLUMN_NUMBER },
	{}
};

struct listing {
	const struct context *ctx;
	json_t *rows;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	(void)key;
	(void)data;
	return error_usage(err, "'%.80s' is one argument too many: `coppice function show %.80s` shows one function",
			   arg, arg);
}

static int add_row(const struct function *function, void *data)
{
	struct listing *listing = data;

	return json_array_append_new(listing->rows, function_row(listing->ctx, function));
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *rows = json_array();
	struct listing listing = { ctx, rows };

	if (cmd_parse(&cmd_function_list, argc, argv, option, NULL, err) ||
	    function_each(add_row, &listing, err))
		return -1;
	return output_rows(ctx, rows, columns, err);
}

const struct command cmd_function_list = {
	.object = "function",
	.verb = "list",
	.summary = "Show the functions that are deployed",
	.help = "TASKS are those of the group. The STATE is absent where the hub was started since: image and group are made "
		"again by `function restore`, which is done at boot.",
	.needs_backend = true,
	.run = run,
};
