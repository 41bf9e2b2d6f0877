// SPDX-License-Identifier: GPL-2.0
/* Grants of groups: /run/coppice/grants/GROUP.json. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "grants.h"
#include "name.h"

#define DIRECTORY	RUN_DIRECTORY "/grants"
#define LOCK		DIRECTORY "/.lock"	/* no group's name begins with a dot */
#define SUFFIX		".json"

static int make_path(const char *group, char path[PATH_MAX], struct error *err)
{
	if (name_check("a group", group, err))
		return -1;
	snprintf(path, PATH_MAX, DIRECTORY "/%s" SUFFIX, group);
	return 0;
}

bool grants_kept(const char *group)
{
	struct grants_stamp stamp;

	grants_stamp(group, &stamp);
	return stamp.inode;
}

void grants_stamp(const char *group, struct grants_stamp *stamp)
{
	struct error ignored;
	char path[PATH_MAX];
	struct stat st;

	*stamp = (struct grants_stamp) {};
	if (make_path(group, path, &ignored) || stat(path, &st))
		return;
	*stamp = (struct grants_stamp) { st.st_ino, st.st_mtim.tv_sec, st.st_mtim.tv_nsec };
}

int grants_of(const char *group, struct grants *grants, struct error *err)
{
	autojson json_t *object = NULL;
	char path[PATH_MAX];

	*grants = (struct grants) {};
	if (make_path(group, path, err))
		return -1;
	object = file_read_json(path, err);
	if (!object)
		return -1;
	return grants_parse(object, grants, err) ? error_prefix(err, "%.200s is damaged", path) : 0;
}

int grants_keep(const char *group, const struct grants *grants, struct error *err)
{
	autojson json_t *object = grants_json(grants);
	char path[PATH_MAX];

	if (!object)
		return error_set(err, ENOMEM, "out of memory");
	if (make_path(group, path, err) || file_make_directory(DIRECTORY, 0700, err))
		return -1;
	return file_write_json(path, 0600, object, err);
}

int grants_forget(const char *group, struct error *err)
{
	char path[PATH_MAX];

	return make_path(group, path, err) || file_remove(path, err) ? -1 : 0;
}

int grants_lock_open(struct error *err)
{
	int fd;

	if (file_make_directory(DIRECTORY, 0700, err))
		return -1;
	fd = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		error_set(err, errno, "%s cannot be opened: %s: run as root", LOCK, strerror(errno));
	return fd;
}

static bool group_of(char *name)
{
	char *suffix = strrchr(name, '.');

	if (name[0] == '.' || !suffix || strcmp(suffix, SUFFIX))
		return false;
	*suffix = '\0';
	return true;
}

int grants_each(grants_fn fn, void *data, struct error *err)
{
	autoclosedir DIR *directory = opendir(DIRECTORY);
	struct dirent *entry;

	if (!directory && errno != ENOENT)
		return error_set(err, errno, "%s cannot be read: %s", DIRECTORY, strerror(errno));
	while (directory && (entry = readdir(directory)))
		if (group_of(entry->d_name) && fn(entry->d_name, data))
			return -1;
	return 0;
}
