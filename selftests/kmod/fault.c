// SPDX-License-Identifier: GPL-2.0
/* Allocations that fail; see fault.h. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

#define DEBUG "/sys/kernel/debug/"
/* Far more than there are of. */
#define WORKERS_MAX 64
#define WANTED_MAX 8
#define LAPS 5

static bool set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	return fd >= 0 && !close(fd) && done;
}

bool fault_prepare(void)
{
	return set(DEBUG "failslab/verbose", "0") &&
	       set(DEBUG "failslab/ignore-gfp-wait", "N") &&
	       set(DEBUG "fail_page_alloc/verbose", "0") &&
	       set(DEBUG "fail_page_alloc/min-order", "0") &&
	       set(DEBUG "fail_page_alloc/ignore-gfp-wait", "N") &&
	       set(DEBUG "fail_page_alloc/ignore-gfp-highmem", "N");
}

int fault_open(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

void fault_arm(int fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fd, text, len, 0) != len)
		abort();
}

unsigned int fault_disarm(int fd)
{
	char text[16] = "";

	/* A worker may have ended. */
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return ~0U;
	fault_arm(fd, 0);
	return strtoul(text, NULL, 10);
}

/* One behind the other: they are few. */
static char heard[4096];
static const char *wanted[WANTED_MAX];

void fault_want(const char *words)
{
	int i = 0;

	while (wanted[i])
		i++;
	wanted[i] = words;
}

void fault_hear(const char *sentence)
{
	size_t len = strlen(heard);

	if (!strstr(heard, sentence))
		snprintf(heard + len, sizeof(heard) - len, "%s\n", sentence);
}

const char *fault_missed(void)
{
	int i;

	for (i = 0; i < WANTED_MAX && wanted[i]; i++)
		if (!strstr(heard, wanted[i]))
			return wanted[i];
	return NULL;
}

static int fds[WORKERS_MAX], nr_fds;

static bool is_worker(const char *pid)
{
	char path[300], name[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)!read(fd, name, sizeof(name) - 1);
	close(fd);
	return !strncmp(name, "kworker/u", 9);
}

static void open_workers(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while ((entry = readdir(proc)) && nr_fds < WORKERS_MAX)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_worker(entry->d_name))
			fds[nr_fds++] = fault_open(atoi(entry->d_name));
	closedir(proc);
}

bool walk_next(struct walk *walk)
{
	if (walk->nth && !walk->hit) {
		if (!fault_missed() || ++walk->laps == LAPS)
			return false;
		walk->nth = 0;
	}
	walk->nth += walk->nth && walk->step ? walk->step : 1;
	walk->hit = false;
	return true;
}

void walk_follow(struct walk *walk)
{
	nr_fds = 0;
	if (walk->pid == WALK_WORKERS)
		open_workers();
	else
		fds[nr_fds++] = fault_open(walk->pid);
}

void walk_arm(struct walk *walk)
{
	int i;

	walk_follow(walk);
	for (i = nr_fds; i--;)
		fault_arm(fds[i], walk->nth);
}

void walk_disarm(struct walk *walk)
{
	int i;

	for (i = 0; i < nr_fds; i++) {
		walk->hit |= !fault_disarm(fds[i]);
		close(fds[i]);
	}
}
