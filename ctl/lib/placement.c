// SPDX-License-Identifier: GPL-2.0
/* The template's user sees a copy, so it can write no file but by what it has learned. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "placement.h"

#define LEARNED_MAX	(16L << 20)	/* some times as many as there can be */

static int fill(int fd, const char *path, struct error *err)
{
	autofree char *text = NULL;
	size_t len;

	text = file_read(path, &len, err);
	if (!text)
		return err->code == ENOENT ? 0 : -1;
	if (!len)
		return error_set(err, EINVAL, "%.200s is empty, so no placement: remove it, and it is learned", path);
	if (write(fd, text, len) != (ssize_t)len)
		return error_set(err, errno, "%.200s cannot be handed to the template: %s", path,
				 strerror(errno));
	return 0;
}

int placement_open(const char *path, struct error *err)
{
	int fd = memfd_create("coppice-placement", MFD_CLOEXEC);

	if (fd < 0)
		return error_set(err, errno, "no memory for the placement: %s", strerror(errno));
	if (!fill(fd, path, err))
		return fd;
	close(fd);
	return -1;
}

bool placement_is_new(int fd)
{
	struct stat stat;

	return !fstat(fd, &stat) && !stat.st_size;
}

int placement_keep(const char *path, int fd, struct error *err)
{
	autofree char *text = NULL;
	struct stat stat;

	if (fstat(fd, &stat) || !stat.st_size || stat.st_size > LEARNED_MAX)
		return error_set(err, ENODATA, "the template has learned no placement: it has to be one of --python");
	text = malloc(stat.st_size);
	if (!text || pread(fd, text, stat.st_size, 0) != stat.st_size)
		return error_set(err, ENOMEM, "out of memory");
	return file_write(path, 0644, text, stat.st_size, err);
}
