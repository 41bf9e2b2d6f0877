// SPDX-License-Identifier: GPL-2.0
/* The processes in cgroups: listing, signalling, and removing what they leave. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cgroup.h"
#include "cleanup.h"

#define DESTROY_MS	10000	/* that killed processes are given to vanish */

struct pid_list {
	pid_t *pids;
	size_t nr;
};

static int add_pid(struct pid_list *list, pid_t pid)
{
	pid_t *more = realloc(list->pids, (list->nr + 1) * sizeof(*more));

	if (!more)
		return -1;
	list->pids = more;
	list->pids[list->nr++] = pid;
	return 0;
}

static bool is_dir(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

static int read_procs(const char *path, struct pid_list *list, struct error *err)
{
	autofclose FILE *procs = NULL;
	char file[PATH_MAX];
	pid_t pid;

	if (snprintf(file, sizeof(file), "%s/cgroup.procs", path) >= (int)sizeof(file))
		return error_set(err, ENAMETOOLONG, "the cgroup %.80s… is nested too deeply", path);
	procs = fopen(file, "re");
	if (!procs)
		return errno == ENOENT || errno == ENODEV ? 0 :
			error_set(err, errno, "%s cannot be read: %s", file, strerror(errno));
	while (fscanf(procs, "%d", &pid) == 1)
		if (add_pid(list, pid))
			return error_set(err, ENOMEM, "out of memory");
	return 0;
}

static int read_tree(const char *path, struct pid_list *list, struct error *err)
{
	autoclosedir DIR *dir = opendir(path);
	const struct dirent *entry;
	char below[PATH_MAX];

	if (read_procs(path, list, err))
		return -1;
	while (dir && (entry = readdir(dir))) {
		if (!is_dir(entry) ||
		    snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >= (int)sizeof(below))
			continue;
		if (read_tree(below, list, err))
			return -1;
	}
	return 0;
}

int cgroup_pids(const char *cgroup, pid_t **pids, size_t *nr, struct error *err)
{
	struct pid_list list = {};
	char path[PATH_MAX];

	*pids = NULL;
	*nr = 0;
	if (cgroup_path(cgroup, path, err))
		return -1;
	if (read_tree(path, &list, err)) {
		free(list.pids);
		return -1;
	}
	*pids = list.pids;
	*nr = list.nr;
	return 0;
}

/* All at once, so that nobody forks away from it; by the kernel from 5.14 on. */
static bool kill_tree(const char *cgroup)
{
	char path[PATH_MAX], file[PATH_MAX];
	struct error ignored;
	autoclose int fd = -1;

	if (cgroup_path(cgroup, path, &ignored) ||
	    snprintf(file, sizeof(file), "%s/cgroup.kill", path) >= (int)sizeof(file))
		return false;
	fd = open(file, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, "1", 1) == 1;
}

int cgroup_signal(const char *cgroup, int sig, struct error *err)
{
	autofree pid_t *pids = NULL;
	size_t nr, i;

	if (sig == SIGKILL && kill_tree(cgroup))
		return 0;
	if (cgroup_pids(cgroup, &pids, &nr, err))
		return -1;
	for (i = 0; i < nr; i++)
		if (kill(pids[i], sig) && errno != ESRCH)
			return error_set(err, errno, "process %d cannot be signalled: %s",
					 pids[i], strerror(errno));
	return 0;
}

/* Deepest first. Returns 0, or -1 with errno. */
static int remove_tree(const char *path)
{
	autoclosedir DIR *dir = opendir(path);
	const struct dirent *entry;
	char below[PATH_MAX];

	while (dir && (entry = readdir(dir))) {
		if (!is_dir(entry) ||
		    snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >= (int)sizeof(below))
			continue;
		if (remove_tree(below))
			return -1;
	}
	return rmdir(path) && errno != ENOENT ? -1 : 0;
}

int cgroup_remove(const char *cgroup, struct error *err)
{
	char path[PATH_MAX];

	if (cgroup_path(cgroup, path, err))
		return -1;
	if (!remove_tree(path))
		return 0;
	return error_set(err, errno, "the cgroup %s cannot be removed: %s: end the processes in it first",
			 path, strerror(errno));
}

int cgroup_destroy(const char *cgroup, struct error *err)
{
	const struct timespec pause = { .tv_nsec = 2 * 1000 * 1000 };
	int waited;

	for (waited = 0; waited < DESTROY_MS; waited += 2) {
		if (cgroup_signal(cgroup, SIGKILL, err))
			return -1;
		if (!cgroup_remove(cgroup, err) || err->code != EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	return cgroup_remove(cgroup, err);
}

int cgroup_each(cgroup_fn fn, void *data, struct error *err)
{
	const struct dirent *entry;
	autoclosedir DIR *dir = NULL;
	char path[PATH_MAX];
	int result;

	if (cgroup_path(CGROUP_PARENT, path, err))
		return -1;
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		result = is_dir(entry) ? fn(entry->d_name, data) : 0;
		if (result)
			return result;
	}
	return 0;
}
