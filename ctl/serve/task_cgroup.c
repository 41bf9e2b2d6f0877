// SPDX-License-Identifier: GPL-2.0
/* A task's cgroup, below its group's: its limits, and what takes all of its processes down. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "log.h"
#include "task_parts.h"

#define NAME		"task."
#define PROCESSES	128

/* What the hub's cgroup v2 can't limit is limited by resource limits: see task_begin.c. */
int task_cgroup_make(struct task *task, const char *group_cgroup, struct error *err)
{
	struct cgroup_limits limits = {};
	bool made;

	if (cgroup_has_controller("memory"))
		limits.memory_max = (uint64_t)task->pool->function.memory << 20;
	if (cgroup_has_controller("pids"))
		limits.pids_max = PROCESSES;
	task->number = task->pool->coordinator->tasks++;
	snprintf(task->cgroup, sizeof(task->cgroup), "%s/" NAME "%llu", group_cgroup,
		 (unsigned long long)task->number);
	return cgroup_make(task->cgroup, &limits, &made, err);
}

int task_cgroup_open(const struct task *task, struct error *err)
{
	return cgroup_open(task->cgroup, err);
}

void task_cgroup_kill(const struct task *task)
{
	struct error ignored;

	(void)!cgroup_kill(task->cgroup, &ignored);
}

bool task_cgroup_remove(const struct task *task)
{
	struct error err;

	return !cgroup_remove(task->cgroup, &err) || err.code != EBUSY;
}

bool task_cgroup_has_others(const struct task *task)
{
	autofree pid_t *pids = NULL;
	struct error ignored;
	size_t nr;

	return !cgroup_pids(task->cgroup, &pids, &nr, &ignored) && nr > 1;
}

/*
 * What a killed coordinator left.
 */

static bool is_ours(const struct coordinator *coordinator, const char *cgroup)
{
	const struct pool *pool;
	const struct task *task;

	if (!coordinator)
		return false;
	TAILQ_FOREACH(pool, &coordinator->pools, link)
		TAILQ_FOREACH(task, &pool->tasks, link)
			if (!strcmp(task->cgroup, cgroup))
				return true;
	return false;
}

static int remove_strays(const struct function *function, void *data)
{
	char group[IMAGE_NAME_MAX + 1], path[PATH_MAX], cgroup[PATH_MAX];
	const struct dirent *entry;
	autoclosedir DIR *dir = NULL;
	struct error err;

	if (function_group_name(function, group, &err))
		return 0;
	snprintf(cgroup, sizeof(cgroup), CGROUP_PARENT "/%s", group);
	if (cgroup_path(cgroup, path, &err))
		return 0;
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, NAME, strlen(NAME)))
			continue;
		snprintf(cgroup, sizeof(cgroup), CGROUP_PARENT "/%s/%.200s", group, entry->d_name);
		if (is_ours(data, cgroup))
			continue;
		log_event(LOG_NOTICE, "stray-ended", "function", function->name, "cgroup", cgroup, NULL);
		if (cgroup_destroy(cgroup, &err))
			log_event(LOG_ERR, "stray-stays", "cgroup", cgroup, "reason", err.text, NULL);
	}
	return 0;
}

void task_remove_strays(struct coordinator *coordinator)
{
	struct error err;

	if (function_each(remove_strays, coordinator, &err) < 0)
		log_event(LOG_ERR, "strays-unknown", "reason", err.text, NULL);
}
