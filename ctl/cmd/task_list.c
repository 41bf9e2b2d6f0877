// SPDX-License-Identifier: GPL-2.0
/* coppice task list [GROUP] */
#include "cmd.h"
#include "describe.h"
#include "lib/cleanup.h"

static const struct column columns[] = {
	{ "group", "GROUP", COLUMN_TEXT },
	{ "pid", "PID", COLUMN_NUMBER },
	{ "forked", "FORKED", COLUMN_TEXT },
	{ "age_ms", "AGE/MS", COLUMN_NUMBER },
	{ "faults", "FAULTS", COLUMN_NUMBER },
	{ "mapped_ahead", "MAPPED", COLUMN_NUMBER },
	{ "copied_ahead", "COPIED", COLUMN_NUMBER },
	{ "given_back", "GIVEN-BACK", COLUMN_NUMBER },
	{ "adopted_pages", "ADOPTED", COLUMN_NUMBER },
	{}
};

static int add_row(const struct task_info *info, void *data)
{
	return json_array_append_new(data, describe_task(info));
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *rows = json_array();
	struct group_info info;
	const char *group;

	if (cmd_parse_word(&cmd_task_list, argc, argv, &group, err))
		return -1;
	/* No tasks and no group are told apart. */
	if (group && ctx->backend->group_get(group, &info, err))
		return -1;
	if (ctx->backend->task_each(group, add_row, rows, err))
		return -1;
	return output_rows(ctx, rows, columns, err);
}

const struct command cmd_task_list = {
	.object = "task",
	.verb = "list",
	.args = "[GROUP]",
	.summary = "Show the tasks of a group or of all",
	.help = "MAPPED and COPIED are pages that were mapped and copied ahead when the task "
		"started, FAULTS those page faults that the image answered since, GIVEN-BACK "
		"private pages that had become equal to the image's again, ADOPTED pages of a "
		"running task that the image's took the place of.",
	.needs_backend = true,
	.run = run,
};
