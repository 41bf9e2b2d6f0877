// SPDX-License-Identifier: GPL-2.0
/* What /proc says about a process; see proc(5). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "proc.h"

/* A command's name may hold anything, also " )": the last parenthesis ends it. */
static bool parse(char *text, struct proc_stat *stat)
{
	char *open = strchr(text, '('), *close = strrchr(text, ')');

	if (!open || !close || close < open)
		return false;
	*close = '\0';
	snprintf(stat->comm, sizeof(stat->comm), "%s", open + 1);
	return sscanf(close + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d"
		      " %*d %*d %*d %" SCNu64, &stat->state, &stat->parent, &stat->start) == 3;
}

bool proc_stat(pid_t pid, struct proc_stat *stat)
{
	autoclose int fd = -1;
	char text[1024];
	ssize_t len;

	snprintf(text, sizeof(text), "/proc/%d/stat", pid);
	fd = open(text, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len < 0)
		return false;
	text[len] = '\0';
	errno = ESRCH;
	return parse(text, stat);
}

/* Lines like "Rss:  123 kB"; the first of a name counts. */
static void read_kilobytes(const char *path, const char *name, uint64_t *bytes)
{
	autofclose FILE *file = fopen(path, "re");
	size_t len = strlen(name);
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, len) || line[len] != ':')
			continue;
		*bytes = strtoull(line + len + 1, NULL, 10) * 1024;
		return;
	}
}

void proc_memory(pid_t pid, struct proc_memory *memory)
{
	char path[64];

	*memory = (struct proc_memory) {};
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	read_kilobytes(path, "Rss", &memory->rss);
	read_kilobytes(path, "Anonymous", &memory->anonymous);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	read_kilobytes(path, "VmPTE", &memory->tables);
}

uint64_t proc_age_ms(uint64_t start)
{
	uint64_t started = start * 1000 / sysconf(_SC_CLK_TCK), now;
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	now = time.tv_sec * 1000ULL + time.tv_nsec / 1000000;
	return now > started ? now - started : 0;
}
