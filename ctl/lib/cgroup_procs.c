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
#define SIGNAL_PASSES	64

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

static bool path_below(const char *path, const struct dirent *entry, char below[PATH_MAX])
{
	return snprintf(below, PATH_MAX, "%s/%s", path, entry->d_name) < PATH_MAX;
}

static int read_procs(const char *path, struct pid_list *list, struct error *err)
{
	autofclose FILE *procs = NULL;
	char file[PATH_MAX];
	pid_t pid;

	if (snprintf(file, sizeof(file), "%s/cgroup.procs", path) >= (int)sizeof(file))
		return error_set(err, ENAMETOOLONG, "the cgroup %.80s… is nested too deeply",
				 path);
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

	if (!dir && errno != ENOENT)
		return error_set(err, errno, "%s cannot be read: %s", path, strerror(errno));
	if (read_procs(path, list, err))
		return -1;
	while (dir && (entry = readdir(dir))) {
		if (!is_dir(entry) || !path_below(path, entry, below))
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

/* *others counts those that were not in @before. */
static int signal_all(const struct pid_list *before, const struct pid_list *now, int sig,
		      size_t *others, struct error *err)
{
	size_t i, j;

	*others = 0;
	for (i = 0; i < now->nr; i++) {
		for (j = 0; j < before->nr && before->pids[j] != now->pids[i]; j++)
			;
		if (j < before->nr)
			continue;
		++*others;
		if (kill(now->pids[i], sig) && errno != ESRCH)
			return error_set(err, errno, "process %d cannot be signalled: %s",
					 now->pids[i], strerror(errno));
	}
	return 0;
}

/* Again until there is nobody new: processes may fork while others are signalled. */
int cgroup_signal(const char *cgroup, int sig, struct error *err)
{
	struct pid_list before = {}, now;
	size_t others = 1;
	int pass, ret = 0;

	for (pass = 0; !ret && others && pass < SIGNAL_PASSES; pass++) {
		ret = cgroup_pids(cgroup, &now.pids, &now.nr, err);
		if (ret)
			break;
		ret = signal_all(&before, &now, sig, &others, err);
		free(before.pids);
		before = now;
	}
	free(before.pids);
	return ret;
}

int cgroup_kill(const char *cgroup, struct error *err)
{
	return kill_tree(cgroup) ? 0 : cgroup_signal(cgroup, SIGKILL, err);
}

/* Deepest first. Returns 0, or -1 with errno. */
static int remove_tree(const char *path)
{
	autoclosedir DIR *dir = opendir(path);
	const struct dirent *entry;
	char below[PATH_MAX];

	while (dir && (entry = readdir(dir))) {
		if (!is_dir(entry) || !path_below(path, entry, below))
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
		if (cgroup_kill(cgroup, err))
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
