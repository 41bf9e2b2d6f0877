// SPDX-License-Identifier: GPL-2.0
/* coppice task reshare PID…|--group GROUP */
#include <errno.h>

#include "target.h"

static const struct argp_option options[] = { TARGET_OPTIONS, {} };

static const struct column columns[] = {
	{ "group", "GROUP", COLUMN_TEXT },
	{ "pid", "PID", COLUMN_NUMBER },
	{ "compared", "COMPARED", COLUMN_NUMBER },
	{ "given_back", "GIVEN-BACK", COLUMN_NUMBER },
	{}
};

static json_t *reshare(const struct context *ctx, const struct task_info *task,
		       struct error *err)
{
	struct reshare_info info;

	if (!ctx->backend->task_reshare) {
		error_set(err, EOPNOTSUPP, "the %s backend cannot reshare a task from outside: load the module, or call coppice_reshare() in the task",
			  ctx->backend->name);
		return NULL;
	}
	if (ctx->backend->task_reshare(task->id, &info, err))
		return NULL;
	return json_pack("{s:s, s:i, s:I, s:I}", "group", task->group, "pid", task->pid,
			 "compared", (json_int_t)info.compared,
			 "given_back", (json_int_t)info.given_back);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	return targets_run(ctx, &cmd_task_reshare, argc, argv, reshare, columns, err);
}

const struct command cmd_task_reshare = {
	.object = "task",
	.verb = "reshare",
	.args = "PID…|--group GROUP",
	.summary = "Give back private pages of tasks that equal the image's",
	.help = "Each private page is compared with the page of the image that it was copied from. "
		"COMPARED and GIVEN-BACK are pages. The tasks go on meanwhile; pages that "
		"they write or that a device has pinned stay theirs.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
