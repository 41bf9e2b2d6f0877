// SPDX-License-Identifier: GPL-2.0
/* The memory of the whole machine. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value)) {
		perror(path);
		exit(93);
	}
	close(fd);
}

/* Each processor adds what it has counted to the sums now and then, or when it is told to. */
unsigned long memory_field(const char *name)
{
	unsigned long kib = 0;
	char line[256];
	FILE *file;

	set("/proc/sys/vm/stat_refresh", "1");
	file = fopen("/proc/meminfo", "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ": %lu", &kib);
	if (file)
		fclose(file);
	return kib;
}

/* What the processors keep is a lot, and counts as in use. */
unsigned long memory_available(void)
{
	unsigned long kib = memory_field("MemAvailable"), count;
	FILE *file = fopen("/proc/zoneinfo", "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " count: %lu", &count) == 1)
			kib += count * 4;
	if (file)
		fclose(file);
	return kib;
}

void memory_drop_caches(void)
{
	set("/proc/sys/vm/drop_caches", "3");
}
