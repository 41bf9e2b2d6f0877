// SPDX-License-Identifier: GPL-2.0
/* What a function's tasks print. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "function_log.h"
#include "lib/file.h"

#define SIZE_MAX_LOG	(4UL << 20)	/* of each of the two files */

static void path_of(const struct function_log *log, const char *suffix, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, FUNCTION_LOG_DIRECTORY "/%s.log%s", log->name, suffix);
}

void function_log_open(struct function_log *log, const char *name)
{
	char path[PATH_MAX];
	struct error ignored;
	struct stat stat;

	*log = (struct function_log) { .name = name, .fd = -1 };
	if (file_make_directory(FUNCTION_LOG_DIRECTORY, 0750, &ignored))
		return;
	path_of(log, "", path);
	log->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (log->fd >= 0 && !fstat(log->fd, &stat))
		log->size = stat.st_size;
}

void function_log_close(struct function_log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

static void rotate(struct function_log *log)
{
	char path[PATH_MAX], old[PATH_MAX];

	path_of(log, "", path);
	path_of(log, ".1", old);
	function_log_close(log);
	(void)!rename(path, old);
	function_log_open(log, log->name);
}

void function_log_write(struct function_log *log, const char *data, size_t len)
{
	ssize_t written;

	if (log->fd >= 0 && log->size + len > SIZE_MAX_LOG)
		rotate(log);
	if (log->fd < 0)
		return;
	written = write(log->fd, data, len);
	if (written > 0)
		log->size += written;
}
