// SPDX-License-Identifier: GPL-2.0
/* coppice group list */
#include "cmd.h"
#include "describe.h"
#include "lib/cleanup.h"

static const struct column columns[] = {
	{ "name", "NAME", COLUMN_TEXT },
	{ "image", "IMAGE", COLUMN_TEXT },
	{ "owner", "OWNER", COLUMN_TEXT },
	{ "tasks", "TASKS", COLUMN_NUMBER },
	{ "max_tasks", "MAX", COLUMN_NUMBER },
	{ "entered", "ENTERED", COLUMN_NUMBER },
	{ "faults", "FAULTS", COLUMN_NUMBER },
	{ "cgroup", "CGROUP", COLUMN_TEXT },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	(void)key;
	(void)data;
	return error_usage(err, "'%.80s' is one argument too many: `coppice group show %.80s` shows one group",
			   arg, arg);
}

static int add_row(const struct group_info *info, void *data)
{
	return json_array_append_new(data, describe_group(info));
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *rows = json_array();

	if (cmd_parse(&cmd_group_list, argc, argv, option, NULL, err) ||
	    ctx->backend->group_each(add_row, rows, err))
		return -1;
	return output_rows(ctx, rows, columns, err);
}

const struct command cmd_group_list = {
	.object = "group",
	.verb = "list",
	.summary = "Show all groups",
	.help = "ENTERED counts tasks that were ever started; FAULTS those page faults that the "
		"image answered. The memfd backend cannot count either.",
	.needs_backend = true,
	.run = run,
};
