// SPDX-License-Identifier: GPL-2.0
/* Which tasks a command is for: PID… or --group GROUP. */
#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/name.h"
#include "target.h"

int targets_option(int key, char *arg, void *data, struct error *err)
{
	struct targets *targets = data;
	uint64_t pid;

	if (key == TARGET_OPTION_GROUP) {
		targets->group = arg;
		return 0;
	}
	if (targets->nr_pids == TARGETS_MAX)
		return error_usage(err, "there are more than %d processes", TARGETS_MAX);
	if (number_parse("a process", arg, INT32_MAX, &pid, err))
		return -1;
	targets->pids[targets->nr_pids++] = pid;
	return 0;
}

static bool is_meant(const struct targets *targets, pid_t pid)
{
	size_t i;

	if (targets->group)
		return true;
	for (i = 0; i < targets->nr_pids; i++)
		if (targets->pids[i] == pid)
			return true;
	return false;
}

struct search {
	struct targets *targets;
	struct error *err;
};

static int add(const struct task_info *info, void *data)
{
	const struct search *search = data;
	struct targets *targets = search->targets;
	struct task_info *tasks;

	if (!is_meant(targets, info->pid))
		return 0;
	tasks = realloc(targets->tasks, (targets->nr_tasks + 1) * sizeof(*tasks));
	if (!tasks)
		return error_set(search->err, ENOMEM, "out of memory");
	targets->tasks = tasks;
	tasks[targets->nr_tasks++] = *info;
	return 0;
}

static bool is_found(const struct targets *targets, pid_t pid)
{
	size_t i;

	for (i = 0; i < targets->nr_tasks; i++)
		if (targets->tasks[i].pid == pid)
			return true;
	return false;
}

int targets_find(const struct context *ctx, struct targets *targets, struct error *err)
{
	struct search search = { targets, err };
	struct group_info group;
	size_t i;

	if (!targets->group == !targets->nr_pids)
		return error_usage(err, "whom? give process ids of tasks, or --group");
	if (targets->group && ctx->backend->group_get(targets->group, &group, err))
		return -1;
	if (ctx->backend->task_each(targets->group, add, &search, err))
		return -1;
	for (i = 0; i < targets->nr_pids; i++)
		if (!is_found(targets, targets->pids[i]))
			return error_set(err, ESRCH, "process %d is no task: `coppice task list` shows them",
					 targets->pids[i]);
	return 0;
}

static int collect(struct context *ctx, const struct targets *targets, target_fn fn,
		   json_t *rows, struct error *err)
{
	size_t i;

	for (i = 0; i < targets->nr_tasks; i++) {
		json_t *row = fn(ctx, &targets->tasks[i], err);

		if (!row && err->code != ENOENT) {
			error_prefix(err, "task %d", targets->tasks[i].pid);
			return -1;
		}
		if (row)
			json_array_append_new(rows, row);
		output_progress(ctx, "%zu of %zu tasks", i + 1, targets->nr_tasks);
	}
	output_progress(ctx, "%s", "");
	return 0;
}

int targets_run(struct context *ctx, const struct command *command, int argc, char **argv,
		target_fn fn, const struct column *columns, struct error *err)
{
	struct targets *targets = calloc(1, sizeof(*targets));
	autojson json_t *rows = json_array();
	int ret = -1;

	if (!targets)
		return error_set(err, ENOMEM, "out of memory");
	if (!cmd_parse(command, argc, argv, targets_option, targets, err) &&
	    !targets_find(ctx, targets, err) && !collect(ctx, targets, fn, rows, err))
		ret = output_rows(ctx, rows, columns, err);
	free(targets->tasks);
	free(targets);
	return ret;
}
