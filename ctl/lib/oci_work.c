// SPDX-License-Identifier: GPL-2.0
/* Layouts in the making; see oci_work.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "oci.h"
#include "oci_work.h"

static int open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Not another's, whose links lead where that one likes. */
static bool is_own(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_uid == geteuid();
}

static void remove_left(const char *path)
{
	autoclose int fd = open_directory(path);

	if (fd >= 0 && is_own(fd) && !flock(fd, LOCK_EX | LOCK_NB))
		oci_remove(path);
}

static bool is_numbered(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return !strncmp(name, prefix, len) && name[len] == '.' && name[len + 1] &&
	       !name[len + 1 + strspn(name + len + 1, "0123456789")];
}

static void remove_all_left(const char *prefix)
{
	char parent[PATH_MAX], base[PATH_MAX], path[PATH_MAX];
	const char *directory, *name;
	autoclosedir DIR *entries = NULL;
	struct dirent *entry;

	snprintf(parent, sizeof(parent), "%s", prefix);
	snprintf(base, sizeof(base), "%s", prefix);
	directory = dirname(parent);
	name = basename(base);
	entries = opendir(directory);
	while (entries && (entry = readdir(entries))) {
		if (!is_numbered(entry->d_name, name))
			continue;
		snprintf(path, sizeof(path), "%.3800s/%s", directory, entry->d_name);
		remove_left(path);
	}
}

/* A file system without such locks has none that could be taken from who is at work, either. */
static int lock_made(const char *path)
{
	int fd = open_directory(path);
	struct stat st;

	if (fd < 0)
		return -1;
	(void)!flock(fd, LOCK_EX);
	/* Before it was locked, it may have been taken for one that was left. */
	if (!fstat(fd, &st) && st.st_nlink)
		return fd;
	close(fd);
	errno = ENOENT;
	return -1;
}

int oci_work_begin(const char *prefix, char path[PATH_MAX], struct error *err)
{
	int fd;

	remove_all_left(prefix);
	snprintf(path, PATH_MAX, "%.4000s.%d", prefix, getpid());
	if (mkdir(path, 0777))
		return error_set(err, errno, "%.200s cannot be made: %s", path, strerror(errno));
	fd = lock_made(path);
	if (fd >= 0)
		return fd;
	error_set(err, errno, "%.200s cannot be opened: %s: try again", path, strerror(errno));
	rmdir(path);
	return -1;
}
