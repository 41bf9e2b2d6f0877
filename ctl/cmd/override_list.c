// SPDX-License-Identifier: GPL-2.0
/* coppice override list [GROUP] */
#include <errno.h>

#include "override.h"
#include "override_library.h"

static const struct column columns[] = {
	{ "group", "GROUP", COLUMN_TEXT },
	{ "endpoint", "ENDPOINT", COLUMN_TEXT },
	{ "handler", "HANDLER", COLUMN_TEXT },
	{ "policy", "POLICY", COLUMN_TEXT },
	{ "redirected", "REDIRECTED", COLUMN_NUMBER },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	const char **group = data;

	if (key != ARGP_KEY_ARG)
		return 0;
	if (*group)
		return error_usage(err, "'%.80s' is one argument too many: give one GROUP, or none for all", arg);
	*group = arg;
	return 0;
}

struct rows {
	json_t *array;
	struct error *err;
};

static int add_row(const struct override_info *info, void *data)
{
	struct rows *rows = data;

	if (!json_array_append_new(rows->array, override_json(info)))
		return 0;
	return error_set(rows->err, ENOMEM, "out of memory");
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct rows rows = { .array = json_array(), .err = err };
	const char *group = NULL;
	int result = -1;

	if (!cmd_parse(&cmd_override_list, argc, argv, option, &group, err) &&
	    !redirect_each(group, add_row, &rows, err) &&
	    !override_library_rows(rows.array, group, err))
		result = output_rows(ctx, rows.array, columns, err);
	json_decref(rows.array);
	return result;
}

const struct command cmd_override_list = {
	.object = "override",
	.verb = "list",
	.args = "[GROUP]",
	.summary = "Show overrides and how often each has redirected a socket",
	.help = "For a library, ENDPOINT is the provider's and HANDLER the local one; with --json also the names "
		"that are overridden, fall through and were added, and its state: in force, or stale when the "
		"provider's has changed, so that tasks are refused.",
	.run = run,
};
