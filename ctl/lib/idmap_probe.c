// SPDX-License-Identifier: GPL-2.0
/* Idmapped mounts: which file systems can is known to the kernel alone. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "idmap_probe.h"

static bool write_map(pid_t pid, const char *file)
{
	static const char map[] = "0 1 1\n";
	char path[64];
	autoclose int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, map, strlen(map)) == (ssize_t)strlen(map);
}

static int open_of(pid_t pid, int child)
{
	char path[64], byte;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	if (read(child, &byte, 1) != 1 || !write_map(pid, "uid_map") || !write_map(pid, "gid_map"))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Lives until the parent has what it wants, or is no more. */
static void __attribute__((noreturn)) be_namespace(int parent)
{
	char byte;

	if (!unshare(CLONE_NEWUSER) && write(parent, "", 1) == 1)
		(void)!read(parent, &byte, 1);
	_exit(0);
}

static int open_namespace(void)
{
	int ends[2], fd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -1;
	pid = fork();
	if (!pid) {
		close(ends[0]);
		be_namespace(ends[1]);
	}
	close(ends[1]);
	fd = pid > 0 ? open_of(pid, ends[0]) : -1;
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return fd;
}

bool idmap_probe(int fd)
{
	autoclose int namespace = open_namespace();
	autoclose int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = namespace,
	};

	return namespace >= 0 && tree >= 0 &&
	       !mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes));
}
