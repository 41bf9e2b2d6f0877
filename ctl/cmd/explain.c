// SPDX-License-Identifier: GPL-2.0
/* coppice explain PID: all that is known of one task, on one page. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "describe.h"
#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "lib/enclosure.h"
#include "lib/function_group.h"
#include "lib/function_store.h"
#include "lib/name.h"
#include "lib/user.h"
#include "override.h"

static const struct column fields[] = {
	{ "pid", "process", COLUMN_NUMBER },
	{ "user", "runs as", COLUMN_TEXT },
	{ "age_ms", "age, ms", COLUMN_NUMBER },
	{ "group", "group", COLUMN_TEXT },
	{ "image", "image", COLUMN_TEXT },
	{ "how", "is in it", COLUMN_TEXT },
	{ "functions", "functions", COLUMN_TEXT },
	{ "why", "why there", COLUMN_TEXT },
	{ "cgroup", "cgroup", COLUMN_TEXT },
	{ "shared_bytes", "memory shared", COLUMN_BYTES },
	{ "private_bytes", "memory of its own", COLUMN_BYTES },
	{ "copied_bytes", "of that, copies", COLUMN_BYTES },
	{ "table_bytes", "and page tables", COLUMN_BYTES },
	{ "programs", "hooks", COLUMN_TEXT },
	{ "overrides", "overrides", COLUMN_TEXT },
	{ "libraries", "local libraries", COLUMN_TEXT },
	{ "grants", "may read and write", COLUMN_TEXT },
	{}
};

/*
 * The task.
 */

struct search {
	pid_t pid;
	struct task_info *found;
};

static int match(const struct task_info *info, void *data)
{
	struct search *search = data;

	if (info->pid != search->pid)
		return 0;
	*search->found = *info;
	return 1;
}

static int find(const struct context *ctx, const char *text, struct task_info *task,
		struct error *err)
{
	struct search search = { .found = task };
	uint64_t pid;
	int ret;

	if (number_parse("a process id", text, INT_MAX, &pid, err))
		return -1;
	search.pid = pid;
	ret = ctx->backend->task_each(NULL, match, &search, err);
	if (ret)
		return ret < 0 ? -1 : 0;
	return error_set(err, ESRCH, "process %d is no task: `coppice task list` shows them", search.pid);
}

static const char *how(const struct task_info *task)
{
	if (task->adopted)
		return "as a running process that was adopted";
	return task->forked ? "as the child of a task" : "by entering the image";
}

static void put_user(json_t *object, pid_t pid)
{
	struct stat stat_;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (!stat(path, &stat_))
		json_object_set_new(object, "user", json_string(user_name(stat_.st_uid)));
}

/*
 * Why it is in its group.
 */

static int put_functions(json_t *object, const char *group, struct error *err)
{
	json_t *names = json_array(), *why = json_array(), *sentences;
	char name[IMAGE_NAME_MAX + 1];
	struct functions all;
	size_t i;

	json_object_set_new(object, "functions", names);
	json_object_set_new(object, "why", why);
	if (functions_read(&all, err))
		return -1;
	for (i = 0; i < all.nr; i++) {
		if (function_group_name(&all.list[i], name, err)) {
			functions_free(&all);
			return -1;
		}
		if (strcmp(name, group))
			continue;
		json_array_append_new(names, json_string(all.list[i].name));
		sentences = function_why(&all.list[i], all.list, all.nr);
		json_array_extend(why, sentences);
		json_decref(sentences);
	}
	functions_free(&all);
	if (!json_array_size(why))
		json_array_append_new(why, json_string("no function has this group: who started the task chose it"));
	return 0;
}

/*
 * What it talks to and has.
 */

static void __attribute__((format(printf, 2, 3)))
put_text(json_t *row, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_object_set_new(row, "text", json_string(text));
}

static const char *of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "-";
}

static int put_overrides(json_t *object, const struct group_info *group, const char *path,
			 struct error *err)
{
	json_t *described = override_describe(group, path, err), *row;
	size_t i;

	if (!described)
		return -1;
	json_array_foreach(json_object_get(described, "programs"), i, row)
		put_text(row, "%s: %s (program %lld)", of(row, "hook"),
			 json_is_true(json_object_get(row, "effective")) ? "in force" : "none of ours",
			 (long long)json_integer_value(json_object_get(row, "program")));
	json_array_foreach(json_object_get(described, "overrides"), i, row)
		put_text(row, "%s to %s, %s; redirected %lld", of(row, "endpoint"), of(row, "handler"),
			 of(row, "policy"), (long long)json_integer_value(json_object_get(row, "redirected")));
	json_array_foreach(json_object_get(described, "libraries"), i, row)
		put_text(row, "%s by %s, %s", of(row, "provider"), of(row, "local"), of(row, "state"));
	json_object_update_missing(object, described);
	json_decref(described);
	return 0;
}

static int put_grants(json_t *object, const char *group, struct error *err)
{
	autogrants struct grants grants = {};
	autojson json_t *described = NULL;

	if (!grants_kept(group)) {
		json_object_set_new(object, "grants", json_pack("[s]", "all that its user may: the group has no grants"));
		return 0;
	}
	if (grants_of(group, &grants, err))
		return -1;
	described = enclosure_describe(&grants);
	json_object_set(object, "grants", json_object_get(described, "grants"));
	return 0;
}

static int explain(const struct context *ctx, const struct task_info *task, struct error *err)
{
	autojson json_t *object = describe_task_usage(ctx, task, err);
	struct group_info group;
	char path[PATH_MAX];

	if (!object || ctx->backend->group_get(task->group, &group, err) ||
	    cgroup_of(task->pid, path, err))
		return -1;
	json_object_set_new(object, "image", json_string(group.image));
	json_object_set_new(object, "how", json_string(how(task)));
	put_user(object, task->pid);
	if (put_functions(object, task->group, err) ||
	    put_overrides(object, &group, path, err) || put_grants(object, task->group, err))
		return -1;
	return output_object(ctx, object, fields, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct task_info task;
	const char *pid;

	if (cmd_parse_one(&cmd_explain, argc, argv, "the PID of a task", &pid, err) ||
	    find(ctx, pid, &task, err))
		return -1;
	return explain(ctx, &task, err);
}

const struct command cmd_explain = {
	.object = "explain",
	.args = "PID",
	.summary = "Show why a task is where it is, what it takes, and what it may",
	.help = "Its group, and by which rules functions are in that; its shared and private memory; the programs "
		"and overrides that are in force at its cgroup, as the kernel has them; and what it may read and write.",
	.needs_backend = true,
	.run = run,
};
