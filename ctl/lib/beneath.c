// SPDX-License-Identifier: GPL-2.0
/* Files below a directory that is open; see beneath.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "beneath.h"
#include "cleanup.h"
#include "file.h"

int beneath_open(int dir, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};

	return syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof(how));
}

/* The directory that @path is in, and its last component. */
static int open_parent(int dir, const char *path, const char **last)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	*last = slash ? slash + 1 : path;
	snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 0, path);
	return beneath_open(dir, parent, O_PATH | O_DIRECTORY, 0);
}

int beneath_make(int dir, const char *path, struct error *err)
{
	const char *last;
	autoclose int parent = open_parent(dir, path, &last);
	int made = -1;

	if (parent >= 0 && !mkdirat(parent, last, 0700))
		made = beneath_open(parent, last, O_RDONLY | O_DIRECTORY, 0);
	if (made < 0)
		error_set(err, errno, "the directory %.200s cannot be made: %s", path, strerror(errno));
	return made;
}

int beneath_write(int dir, const char *path, const void *data, size_t len, struct error *err)
{
	int fd = beneath_open(dir, path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd >= 0 && !file_write_all(fd, data, len))
		return fd;
	error_set(err, errno, "%.200s cannot be written: %s", path, strerror(errno));
	cleanup_close(&fd);
	return -1;
}

/* A file that grows while it is read is one byte too long at last. */
static char *read_all(int fd, size_t max, size_t *len)
{
	struct stat st;
	ssize_t got = 1;
	char *data;

	if (fstat(fd, &st))
		return NULL;
	errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size > max)
		return NULL;
	data = malloc(st.st_size + 1);
	for (*len = 0; data && got > 0 && *len < (size_t)st.st_size; *len += got > 0 ? got : 0)
		got = read(fd, data + *len, st.st_size - *len);
	if (data && got >= 0) {
		data[*len] = '\0';
		return data;
	}
	free(data);
	return NULL;
}

char *beneath_read(int dir, const char *path, size_t max, size_t *len, struct error *err)
{
	/* A FIFO would wait for a writer. */
	autoclose int fd = beneath_open(dir, path, O_RDONLY | O_NONBLOCK, 0);
	char *data = fd < 0 ? NULL : read_all(fd, max, len);

	if (!data)
		error_set(err, errno, "%.200s cannot be read: %s", path, strerror(errno));
	return data;
}

bool beneath_exists(int dir, const char *path)
{
	autoclose int fd = beneath_open(dir, path, O_PATH, 0);

	return fd >= 0;
}

/*
 * Removing.
 */

static bool is_dot(const struct dirent *entry)
{
	return !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
}

static DIR *open_list(int dir, const char *name)
{
	int fd = beneath_open(dir, name, O_RDONLY | O_DIRECTORY, 0);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (!list && fd >= 0)
		close(fd);
	return list;
}

/*
 * Files go; a directory that is not empty is moved up into @top under a name of its own, so
 * that no depth that a task could make takes more descriptors than these.
 */
static int empty(int top, DIR *list, unsigned long *counter)
{
	struct dirent *entry;
	char name[32];

	while ((errno = 0, entry = readdir(list))) {
		if (is_dot(entry) || !unlinkat(dirfd(list), entry->d_name, 0) ||
		    !unlinkat(dirfd(list), entry->d_name, AT_REMOVEDIR))
			continue;
		if (errno != ENOTEMPTY)
			return -1;
		do
			snprintf(name, sizeof(name), ".%lu", (*counter)++);
		while (syscall(SYS_renameat2, dirfd(list), entry->d_name, top, name,
			       1 /* RENAME_NOREPLACE */) && errno == EEXIST);
	}
	return errno ? -1 : 0;
}

/* Until a pass finds none: those that were moved up may have come after the list's end. */
static int empty_top(DIR *top, unsigned long *counter)
{
	struct dirent *entry;
	bool found = true;

	while (found) {
		found = false;
		rewinddir(top);
		while ((entry = readdir(top))) {
			autoclosedir DIR *list = NULL;

			if (is_dot(entry) || !unlinkat(dirfd(top), entry->d_name, 0))
				continue;
			found = true;
			list = open_list(dirfd(top), entry->d_name);
			if (!list || empty(dirfd(top), list, counter) ||
			    unlinkat(dirfd(top), entry->d_name, AT_REMOVEDIR))
				return -1;
		}
	}
	return 0;
}

int beneath_remove(int dir, const char *name, struct error *err)
{
	autoclosedir DIR *top = NULL;
	unsigned long counter = 0;

	if (!unlinkat(dir, name, 0) || errno == ENOENT || !unlinkat(dir, name, AT_REMOVEDIR))
		return 0;
	top = open_list(dir, name);
	if (top && !empty_top(top, &counter) && !unlinkat(dir, name, AT_REMOVEDIR))
		return 0;
	return error_set(err, errno, "%.200s cannot be removed: %s", name, strerror(errno));
}

/*
 * Walking. One directory is open, and the way up is by "..", which must lead to the one that the
 * way down came from.
 */

struct level {
	struct level *up;
	dev_t dev;
	ino_t ino;
	size_t path_len;
	char **names;		/* of entries that are still to be visited, from the end */
	size_t nr;
};

struct walk {
	beneath_fn fn;
	void *data;
	struct level *level;
	int dir;		/* that of the level */
	char path[PATH_MAX];
};

static void drop_level(struct walk *walk)
{
	struct level *level = walk->level;

	walk->level = level->up;
	while (level->nr)
		free(level->names[--level->nr]);
	free(level->names);
	free(level);
}

static int add_name(struct level *level, const char *name)
{
	char **names = level->names;

	/* The room doubles at powers of two. */
	if (!(level->nr & (level->nr - 1)))
		names = realloc(names, (level->nr ? level->nr * 2 : 1) * sizeof(*names));
	if (!names)
		return -1;
	level->names = names;
	names[level->nr] = strdup(name);
	return names[level->nr++] ? 0 : -1;
}

static int list_names(struct level *level, int dir)
{
	autoclosedir DIR *list = open_list(dir, "");
	struct dirent *entry;

	if (!list)
		return -1;
	while ((errno = 0, entry = readdir(list)))
		if (!is_dot(entry) && add_name(level, entry->d_name))
			return -1;
	return errno ? -1 : 0;
}

/* Takes @fd over. */
static int go_down(struct walk *walk, int fd, const struct stat *st, struct error *err)
{
	struct level *level = calloc(1, sizeof(*level));

	if (walk->dir >= 0)
		close(walk->dir);
	walk->dir = fd;
	if (level) {
		*level = (struct level) {
			.up = walk->level, .dev = st->st_dev, .ino = st->st_ino,
			.path_len = strlen(walk->path),
		};
		walk->level = level;
		if (!list_names(level, fd))
			return 0;
	}
	return error_set(err, errno, "%.200s cannot be read: %s", walk->path, strerror(errno));
}

static int go_up(struct walk *walk, struct error *err)
{
	int up = openat(walk->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), code = errno;
	struct stat st;

	drop_level(walk);
	close(walk->dir);
	errno = code;
	walk->dir = up;
	walk->path[walk->level->path_len] = '\0';
	if (up < 0 && error_hides(errno))
		return error_set(err, errno, "a directory cannot be opened: %s", strerror(errno));
	if (up >= 0 && !fstat(up, &st) && st.st_dev == walk->level->dev &&
	    st.st_ino == walk->level->ino)
		return 0;
	return error_set(err, EAGAIN, "%.200s was moved while it was looked at: stop what writes there, and try again",
			 *walk->path ? walk->path : "a directory");
}

static int visit(struct walk *walk, const char *name, struct error *err)
{
	struct beneath_entry entry = { .path = walk->path };
	size_t len = walk->level->path_len;
	int ret;

	snprintf(walk->path + len, sizeof(walk->path) - len, "%s%s", len ? "/" : "", name);
	entry.fd = beneath_open(walk->dir, name, O_RDONLY | O_DIRECTORY, 0);
	if (entry.fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		entry.fd = beneath_open(walk->dir, name, O_PATH, 0);
	/* Gone meanwhile, or another file system is mounted there. */
	if (entry.fd < 0 && (errno == ENOENT || errno == EXDEV))
		return 0;
	if (entry.fd < 0 || fstat(entry.fd, &entry.st)) {
		cleanup_close(&entry.fd);
		return error_set(err, errno, "%.200s cannot be opened: %s", walk->path,
				 strerror(errno));
	}
	ret = walk->fn(&entry, walk->data, err);
	if (!ret && S_ISDIR(entry.st.st_mode))
		return go_down(walk, entry.fd, &entry.st, err);
	close(entry.fd);
	return ret;
}

static int step(struct walk *walk, struct error *err)
{
	struct level *level = walk->level;
	autofree char *name = NULL;

	if (!level->nr)
		return go_up(walk, err);
	name = level->names[--level->nr];
	walk->path[level->path_len] = '\0';
	return visit(walk, name, err);
}

int beneath_walk(int root, beneath_fn fn, void *data, struct error *err)
{
	struct walk walk = { .fn = fn, .data = data, .dir = -1 };
	struct beneath_entry entry = { .path = "" };
	int fd = beneath_open(root, "", O_RDONLY | O_DIRECTORY, 0), ret = -1;

	entry.fd = fd;
	if (fd < 0 || fstat(fd, &entry.st))
		error_set(err, errno, "a directory cannot be opened: %s", strerror(errno));
	else
		ret = fn(&entry, data, err);
	if (ret)
		cleanup_close(&fd);
	else
		ret = go_down(&walk, fd, &entry.st, err);
	while (!ret && (walk.level->up || walk.level->nr))
		ret = step(&walk, err);
	while (walk.level)
		drop_level(&walk);
	cleanup_close(&walk.dir);
	return ret;
}
