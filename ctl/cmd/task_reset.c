// SPDX-License-Identifier: GPL-2.0
/* coppice task reset PID…|--group GROUP */
#include <errno.h>

#include "target.h"

static const struct argp_option options[] = { TARGET_OPTIONS, {} };

static const struct column columns[] = {
	{ "group", "GROUP", COLUMN_TEXT },
	{ "pid", "PID", COLUMN_NUMBER },
	{}
};

static json_t *reset(const struct context *ctx, const struct task_info *task, struct error *err)
{
	if (!ctx->backend->task_reset) {
		error_set(err, EOPNOTSUPP, "the %s backend cannot reset a task: load the module, or start a new task",
			  ctx->backend->name);
		return NULL;
	}
	if (ctx->backend->task_reset(task->id, err))
		return NULL;
	return json_pack("{s:s, s:i}", "group", task->group, "pid", task->pid);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	return targets_run(ctx, &cmd_task_reset, argc, argv, reset, columns, err);
}

const struct command cmd_task_reset = {
	.object = "task",
	.verb = "reset",
	.args = "PID…|--group GROUP",
	.summary = "Make tasks again what they were when they entered",
	.help = "Memory, signals, timers and descriptors are those of the start; nothing of what a "
		"task has computed is left. It goes on at its checkpoint, and what it was "
		"doing is lost. A task with several threads or that was forked by another "
		"is refused.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
