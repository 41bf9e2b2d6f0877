// SPDX-License-Identifier: GPL-2.0
/*
 * Taking off a hub all that is in force there. Each step is one that has a command of its own,
 * so that it is as safe at any moment, and can be repeated when something failed.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "cgroup.h"
#include "cleanup.h"
#include "clear.h"
#include "group.h"
#include "overrides.h"
#include "recipe.h"
#include "service.h"
#include "stray.h"

#define POLL_MS		20
#define PATIENCE_MS	30000	/* killed tasks go when the kernel gets to it */

/* Removing is not done while listing: what is to go is collected before. */
struct names {
	char (*name)[IMAGE_NAME_MAX + 1];
	size_t nr;
	uint64_t tasks;
	struct error *err;
};

static int names_add(struct names *names, const char *name)
{
	void *more = realloc(names->name, (names->nr + 1) * sizeof(*names->name));

	if (!more)
		return error_set(names->err, ENOMEM, "out of memory");
	names->name = more;
	strcpy(names->name[names->nr++], name);
	return 0;
}

static int add_group(const struct group_info *info, void *data)
{
	struct names *names = data;

	names->tasks += info->tasks;
	return names_add(names, info->name);
}

static int add_image(const struct image_info *info, void *data)
{
	return names_add(data, info->name);
}

static int kill_task(const struct task_info *info, void *data)
{
	(void)data;
	if (info->pid > 0)
		kill(info->pid, SIGKILL);
	return 0;
}

/* Both those of the group and, in a cgroup of ours, those that left it by execve(). */
static int kill_all(const struct backend *backend, const struct group_info *group, size_t *left,
		    struct error *err)
{
	autofree pid_t *pids = NULL;
	struct group_info now;

	*left = 0;
	if (backend->task_each(group->name, kill_task, NULL, err))
		return -1;
	if (group_owns_cgroup(group) &&
	    (cgroup_signal(group->cgroup, SIGKILL, err) ||
	     cgroup_pids(group->cgroup, &pids, left, err)))
		return -1;
	if (backend->group_get(group->name, &now, err))
		return -1;
	*left += now.tasks;
	return 0;
}

/* Again and again: a task may fork meanwhile. */
static int end_tasks(const struct backend *backend, const char *name, struct error *err)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	struct group_info group;
	int waited = 0;
	size_t left;

	if (backend->group_get(name, &group, err))
		return -1;
	while (!kill_all(backend, &group, &left, err)) {
		if (!left)
			return 0;
		if (waited >= PATIENCE_MS)
			return error_set(err, EBUSY, "%zu processes of group %s do not end after being killed: see what they wait for (/proc/PID/stack), and try again",
					 left, name);
		nanosleep(&pause, NULL);
		waited += POLL_MS;
	}
	return -1;
}

static int clear_group(const struct backend *backend, const char *name, bool kill,
		       struct error *err)
{
	if (kill && end_tasks(backend, name, err))
		return -1;
	return group_unmake(backend, name, err);
}

static int clear_groups(const struct backend *backend, bool kill, struct cleared *cleared,
			struct error *err)
{
	struct names names = { .err = err };
	int ret = backend->group_each(add_group, &names, err);
	size_t i;

	for (i = 0; !ret && i < names.nr; i++) {
		ret = clear_group(backend, names.name[i], kill, err);
		cleared->groups += !ret;
	}
	free(names.name);
	return ret;
}

/* One may have gone with the group that it was made for. */
static int clear_image(const struct backend *backend, const char *name, struct error *err)
{
	if (backend->image_delete(name, err))
		return err->code == ENOENT ? 0 : -1;
	return recipe_remove(backend, name, err);
}

static int clear_images(const struct backend *backend, struct cleared *cleared,
			struct error *err)
{
	struct names names = { .err = err };
	int ret = backend->image_each(add_image, &names, err);
	size_t i;

	for (i = 0; !ret && i < names.nr; i++) {
		ret = clear_image(backend, names.name[i], err);
		cleared->images += !ret;
	}
	free(names.name);
	return ret;
}

static int clear_backend(const struct backend *backend, bool kill, struct cleared *cleared,
			 struct error *err)
{
	return clear_groups(backend, kill, cleared, err) || clear_images(backend, cleared, err) ? -1 : 0;
}

static int refuse_tasks(const struct backend *backend, struct error *err)
{
	struct names names = { .err = err };
	int ret = backend->group_each(add_group, &names, err);

	free(names.name);
	if (!ret && names.tasks)
		return error_set(err, EBUSY, "%llu tasks run: end them first, or kill them with --kill",
				 (unsigned long long)names.tasks);
	return ret;
}

static int stop_services(struct error *err)
{
	const struct service *const *service;

	for (service = services; *service; service++)
		if (service_stop(*service, err))
			return -1;
	return 0;
}

static int clear_stray(const struct stray *stray, void *data, struct error *err)
{
	struct cleared *cleared = data;

	if (stray_remove(stray, err))
		return -1;
	cleared->strays++;
	return 0;
}

/* Those that hold nothing any more; one that does is shown by what is in it. */
static void remove_directories(void)
{
	static const char *const pins[] = {
		"/sys/fs/bpf/coppice/maps", "/sys/fs/bpf/coppice/groups",
		"/sys/fs/bpf/coppice/devices", "/sys/fs/bpf/coppice",
	};
	static const char *const cgroups[] = { SERVICE_CGROUP, CGROUP_PARENT };
	struct error ignored;
	size_t i;

	for (i = 0; i < sizeof(pins) / sizeof(pins[0]); i++)
		rmdir(pins[i]);
	for (i = 0; i < sizeof(cgroups) / sizeof(cgroups[0]); i++)
		(void)!cgroup_remove(cgroups[i], &ignored);
}

int clear_hub(bool kill, struct cleared *cleared, struct error *err)
{
	const struct backend *const backends[] = { &backend_kernel, &backend_memfd };
	struct error ignored;
	size_t i;

	*cleared = (struct cleared) {};
	for (i = 0; i < 2 && !kill; i++)
		if (backends[i]->available(&ignored) && refuse_tasks(backends[i], err))
			return -1;
	if (stop_services(err))
		return -1;
	for (i = 0; i < 2; i++)
		if (backends[i]->available(&ignored) &&
		    clear_backend(backends[i], kill, cleared, err))
			return -1;
	if (overrides_forget_hub(err) || stray_each(clear_stray, cleared, err))
		return -1;
	remove_directories();
	return 0;
}
