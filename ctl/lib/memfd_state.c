// SPDX-License-Identifier: GPL-2.0
/* What the memfd backend knows, as JSON files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "file.h"
#include "memfd_state.h"
#include "name.h"

#define DIRECTORY	"/run/coppice/memfd"

/* mkdir -p; all of it for root only. */
static int make_directories(const char *sub, struct error *err)
{
	char path[PATH_MAX], *slash;

	snprintf(path, sizeof(path), "%s/%s/", DIRECTORY, sub);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			return error_set(err, errno, "%s cannot be made: %s: run as root", path,
					 strerror(errno));
		*slash = '/';
	}
	return 0;
}

/* The directories were made before the lock's file. */
int state_lock(struct error *err)
{
	int fd = open(DIRECTORY "/lock", O_RDWR | O_CLOEXEC);

	if (fd < 0 && (make_directories(STATE_IMAGES, err) || make_directories(STATE_GROUPS, err)))
		return -1;
	if (fd < 0)
		fd = open(DIRECTORY "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && !flock(fd, LOCK_EX))
		return fd;
	error_set(err, errno, DIRECTORY "/lock cannot be locked: %s: run as root", strerror(errno));
	cleanup_close(&fd);
	return -1;
}

/* The lock's file holds the last number. */
int state_next_id(int lock, uint32_t *id, struct error *err)
{
	*id = 0;
	if (pread(lock, id, sizeof(*id), 0) >= 0) {
		++*id;
		if (pwrite(lock, id, sizeof(*id), 0) == sizeof(*id))
			return 0;
	}
	return error_set(err, errno, "%s/lock cannot be written: %s", DIRECTORY, strerror(errno));
}

/* Names become paths, so they are checked here whoever checked them before. */
static int record_path(const char *kind, const char *name, char path[PATH_MAX],
		       struct error *err)
{
	if (name_check(strcmp(kind, STATE_IMAGES) ? "a group" : "an image", name, err))
		return -1;
	snprintf(path, PATH_MAX, "%s/%s/%s.json", DIRECTORY, kind, name);
	return 0;
}

json_t *state_read(const char *kind, const char *name, struct error *err)
{
	char path[PATH_MAX];

	if (record_path(kind, name, path, err))
		return NULL;
	if (access(path, F_OK)) {
		error_set(err, errno, strcmp(kind, STATE_IMAGES) ?
			  "there is no group %s: add it first" :
			  "there is no image %s: build or load it first", name);
		return NULL;
	}
	return file_read_object(path, "delete it", err);
}

int state_write(const char *kind, const char *name, const json_t *record, struct error *err)
{
	char path[PATH_MAX];

	return record_path(kind, name, path, err) ? -1 : file_write_json(path, 0600, record, err);
}

int state_remove(const char *kind, const char *name, struct error *err)
{
	char path[PATH_MAX];

	if (record_path(kind, name, path, err))
		return -1;
	if (unlink(path) && errno != ENOENT)
		return error_set(err, errno, "%s cannot be removed: %s", path, strerror(errno));
	return 0;
}

static int is_record(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".json");
}

static int each(const char *kind, struct dirent **entries, int nr, state_fn fn, void *data,
		struct error *err)
{
	int i, result = 0;

	for (i = 0; i < nr && !result; i++) {
		autojson json_t *record = NULL;
		char *name = entries[i]->d_name;

		name[strlen(name) - 5] = '\0';
		record = state_read(kind, name, err);
		if (record)
			result = fn(name, record, data);
		else if (err->code != ENOENT)
			result = -1;
	}
	return result;
}

int state_each(const char *kind, state_fn fn, void *data, struct error *err)
{
	struct dirent **entries;
	char path[PATH_MAX];
	int nr, i, result;

	snprintf(path, sizeof(path), "%s/%s", DIRECTORY, kind);
	nr = scandir(path, &entries, is_record, alphasort);
	if (nr < 0)
		return errno == ENOENT ? 0 :
			error_set(err, errno, "%s cannot be read: %s", path, strerror(errno));
	result = each(kind, entries, nr, fn, data, err);
	for (i = 0; i < nr; i++)
		free(entries[i]);
	free(entries);
	return result;
}
