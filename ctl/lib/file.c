// SPDX-License-Identifier: GPL-2.0
/* Files of the controller's state. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "json_read.h"
#include "json_text.h"

int file_make_directory(const char *path, mode_t mode, struct error *err)
{
	char part[PATH_MAX], *slash = part;

	snprintf(part, sizeof(part), "%s", path);
	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return error_set(err, errno, "%.200s cannot be made: %s: run as root",
					 part, strerror(errno));
		*slash = '/';
	}
	if (mkdir(path, mode) && errno != EEXIST)
		return error_set(err, errno, "%.200s cannot be made: %s: run as root", path,
				 strerror(errno));
	return 0;
}

int file_write_all(int fd, const void *from, size_t len)
{
	const char *data = from;
	ssize_t written;

	for (; len; data += written, len -= written) {
		written = write(fd, data, len);
		if (written < 0)
			return -1;
	}
	return fsync(fd);
}

/* The new name is on the disk once the directory is. */
static void sync_directory(const char *path)
{
	char copy[PATH_MAX];
	autoclose int fd = -1;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)!fsync(fd);
}

/* The mode is set on the open file: the umask is not to widen or narrow it. */
int file_write(const char *path, mode_t mode, const void *data, size_t len, struct error *err)
{
	char part[PATH_MAX];
	autoclose int fd = -1;

	snprintf(part, sizeof(part), "%.4000s.new.%d", path, getpid());
	unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && !fchmod(fd, mode) && !file_write_all(fd, data, len) && !rename(part, path)) {
		sync_directory(path);
		return 0;
	}
	error_set(err, errno, "%.200s cannot be written: %s", path, strerror(errno));
	unlink(part);
	return -1;
}

int file_write_json(const char *path, mode_t mode, const json_t *value, struct error *err)
{
	autofree char *text = json_text(value, JSON_INDENT(1) | JSON_SORT_KEYS);

	if (!text)
		return error_set(err, ENOMEM, "out of memory");
	return file_write(path, mode, text, strlen(text), err);
}

/* Of what fits a buffer that is one byte larger than what was there. */
static ssize_t read_all(int fd, char *data, size_t size)
{
	size_t len = 0;
	ssize_t got;

	do {
		got = read(fd, data + len, size - len);
		if (got > 0)
			len += got;
	} while (got > 0 && len < size);
	data[len] = '\0';
	return got < 0 ? -1 : (ssize_t)len;
}

char *file_read(const char *path, size_t *len, struct error *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st = {};
	char *data = NULL;
	ssize_t got = -1;

	if (fd >= 0 && !fstat(fd, &st))
		data = malloc(st.st_size + 1);
	if (data)
		got = read_all(fd, data, st.st_size);
	if (got >= 0) {
		*len = got;
		return data;
	}
	error_set(err, errno, "%.200s cannot be read: %s", path, strerror(errno));
	free(data);
	return NULL;
}

json_t *file_parse(const char *text, size_t len, const char *what, const char *remedy,
		   struct error *err)
{
	json_error_t why;
	json_t *value;

	value = json_read_text(text, len, 0, &why);
	if (json_is_object(value))
		return value;
	json_decref(value);
	if (errno == ENOMEM)
		error_set(err, ENOMEM, "out of memory");
	else
		error_set(err, EIO, "%.200s is damaged (%.100s): %s", what, why.text, remedy);
	return NULL;
}

json_t *file_read_object(const char *path, const char *remedy, struct error *err)
{
	size_t len = 0;
	autofree char *text = file_read(path, &len, err);

	return text ? file_parse(text, len, path, remedy, err) : NULL;
}

json_t *file_read_json(const char *path, struct error *err)
{
	return file_read_object(path, "restore or delete it", err);
}

int file_lock(const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0 && !flock(fd, LOCK_EX))
		return fd;
	error_set(err, errno, "%.200s cannot be locked: %s: run as root", path, strerror(errno));
	cleanup_close(&fd);
	return -1;
}

int file_remove(const char *path, struct error *err)
{
	if (unlink(path) && errno != ENOENT)
		return error_set(err, errno, "%.200s cannot be removed: %s", path, strerror(errno));
	return 0;
}
