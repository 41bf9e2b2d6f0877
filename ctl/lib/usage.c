// SPDX-License-Identifier: GPL-2.0
/* What tasks and groups take of the hub's memory. */
#include <errno.h>
#include <unistd.h>

#include "proc.h"
#include "usage.h"

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static int ask_module(const struct backend *backend, const struct task_info *task,
		      struct usage *usage, struct error *err)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	struct task_memory memory;

	if (backend->task_memory(task->id, &memory, err))
		return err->code == ENOENT ? 0 : -1;
	usage->shared = memory.shared * page;
	usage->copied = memory.copied * page;
	return 0;
}

int usage_task(const struct backend *backend, const struct task_info *task,
	       struct usage *usage, struct error *err)
{
	struct proc_memory memory;

	*usage = (struct usage) { .tasks = 1 };
	proc_memory(task->pid, &memory);
	if (!backend->task_memory)
		usage->shared = less(memory.rss, memory.anonymous);
	else if (ask_module(backend, task, usage, err))
		return -1;
	usage->own = less(memory.anonymous, usage->copied);
	usage->tables = memory.tables;
	return 0;
}

struct sum {
	const struct backend *backend;
	struct usage *usage;
	struct error *err;
};

static int add_task(const struct task_info *task, void *data)
{
	const struct sum *sum = data;
	struct usage usage;

	if (usage_task(sum->backend, task, &usage, sum->err))
		return -1;
	sum->usage->tasks++;
	sum->usage->shared += usage.shared;
	sum->usage->copied += usage.copied;
	sum->usage->own += usage.own;
	sum->usage->tables += usage.tables;
	return 0;
}

int usage_group(const struct backend *backend, const char *group, struct usage *usage,
		struct error *err)
{
	struct sum sum = { backend, usage, err };

	*usage = (struct usage) {};
	return backend->task_each(group, add_task, &sum, err);
}

int usage_saved(const struct backend *backend, const struct group_info *group,
		const struct usage *usage, struct saved *saved, struct error *err)
{
	struct image_info image;

	*saved = (struct saved) {};
	if (group->adopt && !backend->adopt)
		return 0;
	if (backend->image_get(group->image, &image, err))
		return -1;
	saved->image = image.pages * sysconf(_SC_PAGESIZE);
	saved->bytes = less(usage->shared, saved->image);
	return 0;
}

void usage_describe(json_t *object, const struct usage *usage)
{
	json_object_set_new(object, "shared_bytes", json_integer(usage->shared));
	json_object_set_new(object, "copied_bytes", json_integer(usage->copied));
	json_object_set_new(object, "own_bytes", json_integer(usage->own));
	json_object_set_new(object, "table_bytes", json_integer(usage->tables));
	json_object_set_new(object, "private_bytes",
			    json_integer(usage->copied + usage->own + usage->tables));
}
