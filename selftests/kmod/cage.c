// SPDX-License-Identifier: GPL-2.0
/* Cgroups for tests. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cage.h"
#include "lib/cgroup.h"
#include "lib/cleanup.h"

static int cage_file(const char *cgroup, const char *file, char path[PATH_MAX + 32])
{
	char directory[PATH_MAX];
	struct error err;

	if (cgroup_path(cgroup, directory, &err))
		return -1;
	snprintf(path, PATH_MAX + 32, "%s/%s", directory, file);
	return 0;
}

int cage_write(const char *cgroup, const char *file, const char *text)
{
	char path[PATH_MAX + 32];
	autoclose int fd = -1;

	if (cage_file(cgroup, file, path))
		return -1;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

int cage_put(const char *cgroup, pid_t pid)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", pid);
	return cage_write(cgroup, "cgroup.procs", number);
}

uint64_t cage_number(const char *cgroup, const char *file, const char *word)
{
	char path[PATH_MAX + 32], format[32], line[256];
	autofclose FILE *f = NULL;
	uint64_t value;

	if (cage_file(cgroup, file, path))
		return ~0ULL;
	snprintf(format, sizeof(format), "%s%%lu", word);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, format, &value) == 1)
			return value;
	return ~0ULL;
}
