// SPDX-License-Identifier: GPL-2.0
/*
 * Changing the grants of a group.
 *
 * Whoever starts tasks holds the lock of the grants from when they are looked at until the task
 * is in the cgroup. So who has it alone, and has put others in force, finds all that have the
 * ones from before in the cgroup, and they are no more than that.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "cleanup.h"
#include "device_grants.h"
#include "enclosure.h"
#include "group.h"

#define PATIENCE_MS	5000

struct processes {
	struct pollfd *list;	/* descriptors of processes; -1: has ended */
	size_t nr;
	struct error *err;
};

static int add(struct processes *processes, pid_t pid)
{
	struct pollfd *list = realloc(processes->list, (processes->nr + 1) * sizeof(*list));
	int fd;

	if (!list)
		return error_set(processes->err, ENOMEM, "out of memory");
	processes->list = list;
	fd = pidfd_open(pid, 0);
	if (fd < 0 && errno != ESRCH && errno != EINVAL)
		return error_set(processes->err, errno, "task %d cannot be watched: %s", pid, strerror(errno));
	if (fd >= 0)
		list[processes->nr++] = (struct pollfd) { .fd = fd, .events = POLLIN };
	return 0;
}

static int add_task(const struct task_info *info, void *data)
{
	return add(data, info->pid);
}

/* In a cgroup of ours also those processes that left the group by execve(). */
static int find(const struct backend *backend, const struct group_info *group,
		struct processes *processes)
{
	autofree pid_t *pids = NULL;
	size_t nr, i;

	if (!group_owns_cgroup(group))
		return backend->task_each(group->name, add_task, processes, processes->err);
	if (cgroup_pids(group->cgroup, &pids, &nr, processes->err))
		return -1;
	for (i = 0; i < nr; i++)
		if (add(processes, pids[i]))
			return -1;
	return 0;
}

static void free_processes(struct processes *processes)
{
	size_t i;

	for (i = 0; i < processes->nr; i++)
		cleanup_close(&processes->list[i].fd);
	free(processes->list);
}

static void signal_all(const struct processes *processes, int sig)
{
	size_t i;

	for (i = 0; i < processes->nr; i++)
		if (processes->list[i].fd >= 0)
			(void)!pidfd_send_signal(processes->list[i].fd, sig, NULL, 0);
}

/* Until all have ended, or none of them does for @patience milliseconds (-1: any time). */
static bool wait_for(struct processes *processes, int patience)
{
	size_t left = 0, i;

	for (i = 0; i < processes->nr; i++)
		left += processes->list[i].fd >= 0;
	while (left) {
		if (poll(processes->list, processes->nr, patience) <= 0)
			return false;
		for (i = 0; i < processes->nr; i++)
			if (processes->list[i].fd >= 0 && processes->list[i].revents) {
				cleanup_close(&processes->list[i].fd);
				processes->list[i].fd = -1;
				left--;
			}
	}
	return true;
}

static int settle(struct processes *processes, enum group_running running, struct error *err)
{
	if (running == RUNNING_KEEP)
		return 0;
	if (running == RUNNING_END) {
		signal_all(processes, SIGTERM);
		if (wait_for(processes, PATIENCE_MS))
			return 0;
		signal_all(processes, SIGKILL);
	}
	if (wait_for(processes, -1))
		return 0;
	return error_set(err, EINTR, "the grants are in force, but tasks that have those from before were not waited for: %s",
			 strerror(errno));
}

/* What could not be put in force for a task is refused before anything is. */
int group_try_grants(const struct grants *grants, struct error *err)
{
	struct enclosure enclosure;

	if (enclosure_open(grants, NULL, 0, &enclosure, err))
		return -1;
	enclosure_close(&enclosure);
	return 0;
}

static int check(const struct group_info *group, const struct grants *grants, struct error *err)
{
	if (group->adopt)
		return error_set(err, EINVAL, "processes that group %s adopts cannot be confined", group->name);
	if (group->owner != grants->uid)
		return error_set(err, EINVAL, "the tasks of group %s run as user %u, and the grants are those of user %u: make another group",
				 group->name, group->owner, grants->uid);
	return group_try_grants(grants, err);
}

/* Devices first: what is wrong with them is still refused. */
static int put_in_force(const struct group_info *group, const struct grants *grants,
			struct error *err)
{
	char path[PATH_MAX];

	if (cgroup_path(group->cgroup, path, err) || device_grants_set(group->name, path, grants, err))
		return -1;
	return grants_keep(group->name, grants, err);
}

static int change(const struct backend *backend, const struct group_info *group,
		  const struct grants *grants, struct processes *processes, struct error *err)
{
	autoclose int lock = grants_lock_open(err);

	if (lock < 0)
		return -1;
	if (flock(lock, LOCK_EX))
		return error_set(err, errno, "the grants cannot be locked: %s", strerror(errno));
	if (put_in_force(group, grants, err))
		return -1;
	if (!find(backend, group, processes))
		return 0;
	return error_prefix(err, "the grants are in force, but not for all that runs");
}

static int regrant(const struct backend *backend, const char *name, const struct grants *grants,
		   struct processes *processes, struct error *err)
{
	autoclose int lock = cgroup_lock(err);
	struct group_info group;

	if (lock < 0 || backend->group_get(name, &group, err) || check(&group, grants, err))
		return -1;
	return change(backend, &group, grants, processes, err);
}

int group_regrant(const struct backend *backend, const char *name, const struct grants *grants,
		  enum group_running running, size_t *ended, struct error *err)
{
	struct processes processes = { .err = err };
	int ret = regrant(backend, name, grants, &processes, err);

	if (!ret)
		ret = settle(&processes, running, err);
	*ended = running == RUNNING_KEEP ? 0 : processes.nr;
	free_processes(&processes);
	return ret;
}
