// SPDX-License-Identifier: GPL-2.0
/* What /proc says about a process; see proc(5). */
#include <inttypes.h>
#include <stdio.h>
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
	autofclose FILE *file = NULL;
	char text[1024];
	size_t len;

	snprintf(text, sizeof(text), "/proc/%d/stat", pid);
	file = fopen(text, "re");
	len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	text[len] = '\0';
	return parse(text, stat);
}

uint64_t proc_age_ms(uint64_t start)
{
	uint64_t started = start * 1000 / sysconf(_SC_CLK_TCK), now;
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	now = time.tv_sec * 1000ULL + time.tv_nsec / 1000000;
	return now > started ? now - started : 0;
}
