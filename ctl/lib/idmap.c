// SPDX-License-Identifier: GPL-2.0
/* User namespaces of which nothing is wanted but their maps. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "idmap.h"
#include "spawn.h"

#define LINE	34	/* three numbers, two spaces and the line's end */

/* A namespace's numbers inside are those on disk, those outside what is seen of them. */
static int write_map(pid_t pid, const char *file, const struct grant_maps *maps)
{
	char path[64], text[GRANT_MAPS_MAX * LINE + 1] = "";
	autoclose int fd = -1;
	size_t len = 0, i;

	for (i = 0; i < maps->nr; i++)
		len += sprintf(text + len, "%u %u %u\n", maps->list[i].host, maps->list[i].task,
			       maps->list[i].count);
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, len) == (ssize_t)len ? 0 : -1;
}

static int open_namespace(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* It is there to be looked at, until it is killed. */
static void __attribute__((noreturn)) wait_inside(int ready)
{
	char done = unshare(CLONE_NEWUSER) ? 'n' : 'y';

	(void)!write(ready, &done, 1);
	while (1)
		pause();
}

static int map_and_open(pid_t pid, int ready, const struct grant *grant, struct error *err)
{
	char done = 'n';
	int fd;

	if (read(ready, &done, 1) != 1 || done != 'y')
		return error_set(err, EPERM, "the owners of %.200s cannot be mapped: this kernel lets nobody make user namespaces (user.max_user_namespaces)",
				 grant->source);
	if (write_map(pid, "uid_map", &grant->uids) || write_map(pid, "gid_map", &grant->gids))
		return error_set(err, errno, "the owners of %.200s cannot be mapped: %s",
				 grant->source, strerror(errno));
	fd = open_namespace(pid);
	if (fd < 0)
		return error_set(err, errno, "the map of the owners of %.200s cannot be opened: %s",
				 grant->source, strerror(errno));
	return fd;
}

int idmap_open(const struct grant *grant, struct error *err)
{
	int ends[2], fd;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return error_set(err, errno, "no pipe: %s", strerror(errno));
	pid = spawn_fork(-1, err);
	if (!pid)
		wait_inside(ends[1]);
	close(ends[1]);
	fd = pid < 0 ? -1 : map_and_open(pid, ends[0], grant, err);
	close(ends[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return fd;
}
