// SPDX-License-Identifier: GPL-2.0
/* The event that tasks are started with. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "event.h"

#define EVENT_MAX	(64UL << 20)
#define SEALS		(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int write_all(int fd, const char *data, size_t len)
{
	ssize_t done;

	for (; len; len -= done, data += done) {
		done = write(fd, data, len);
		if (done < 0)
			return -1;
	}
	return 0;
}

static int copy(int from, int to, const char *path, struct error *err)
{
	size_t size = 0;
	char data[65536];
	ssize_t len;

	while ((len = read(from, data, sizeof(data))) > 0) {
		size += len;
		if (size > EVENT_MAX)
			return error_set(err, EFBIG, "the event %.200s has more than %lu MiB: hand large data over in a file",
					 path, EVENT_MAX >> 20);
		if (write_all(to, data, len))
			return error_set(err, errno, "the event %.200s cannot be kept in memory: %s",
					 path, strerror(errno));
	}
	if (len < 0)
		return error_set(err, errno, "the event %.200s cannot be read: %s", path,
				 strerror(errno));
	return 0;
}

int event_read(const char *path, struct error *err)
{
	autoclose int file = -1;
	autoclose int event = -1;
	int from = STDIN_FILENO;

	if (strcmp(path, "-")) {
		file = open(path, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			return error_set(err, errno, "the event %.200s cannot be opened: %s", path,
					 strerror(errno));
		from = file;
	}
	event = memfd_create("coppice-event", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (event < 0)
		return error_set(err, errno, "no memory file can be made: %s", strerror(errno));
	if (copy(from, event, path, err))
		return -1;
	if (fcntl(event, F_ADD_SEALS, SEALS))
		return error_set(err, errno, "the event cannot be sealed: %s", strerror(errno));
	return event_reopen(event, err);
}

int event_reopen(int event, struct error *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", event);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, errno, "the event cannot be opened for a task: %s",
				 strerror(errno));
	return fd;
}
