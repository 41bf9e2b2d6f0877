// SPDX-License-Identifier: GPL-2.0
/*
 * A template with many pages. A task of it reads commands, a line each, from descriptor 0:
 *
 *   reset N   write to N pages, then be reset; without the module by pagemap and
 *             MADV_DONTNEED, the best that user space can do
 *   end
 *
 * and prints when it got to its first line, and what each reset took, in nanoseconds.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "runtime/coppice.h"

#define PAGE		4096UL
#define PAGES		12000
#define MAPPINGS	64
#define ENTRIES		512
#define PAGEMAP_FILE	(1ULL << 61)
#define PAGEMAP_PRESENT	(1ULL << 63)

struct range {
	uint64_t start, end;
};

/* Content, so that the image has the pages. */
static char pages[PAGES][PAGE] __attribute__((aligned(4096))) = { { 1 } };

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void say(const char *what, uint64_t number)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s %llu\n", what, (unsigned long long)number);

	if (write(STDOUT_FILENO, line, len) != len)
		_exit(1);
}

static void fill(void)
{
	size_t i;

	for (i = 0; i < PAGES; i++)
		memset(pages[i], 1 + i % 251, PAGE);
}

static void dirty(unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr && i < PAGES; i++)
		pages[i][i % PAGE] ^= 0xff;
}

/* A line at a time; the position is the kernel's. */
static int command(char *line, size_t room)
{
	size_t len = 0;

	while (len < room - 1 && read(STDIN_FILENO, line + len, 1) == 1 && line[len] != '\n')
		len++;
	line[len] = '\0';
	return len > 0;
}

/*
 * Without the module: where the image is mapped is known from the start, and only pages that were
 * copied are dropped. The stack stays: this function runs on it.
 */
static struct range ranges[MAPPINGS];
static int nr_ranges;

static void find_ranges(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t here = (uint64_t)__builtin_frame_address(0);
	struct range range;
	char line[512];

	while (maps && nr_ranges < MAPPINGS && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "/memfd:coppice:") ||
		    sscanf(line, "%lx-%lx", &range.start, &range.end) != 2)
			continue;
		if (here < range.start || here >= range.end)
			ranges[nr_ranges++] = range;
	}
	if (maps)
		fclose(maps);
}

static void drop_part(const uint64_t *entries, uint64_t start, size_t nr)
{
	size_t i, run = 0;

	for (i = 0; i <= nr; i++) {
		if (i < nr && (entries[i] & PAGEMAP_PRESENT) && !(entries[i] & PAGEMAP_FILE))
			continue;
		if (run < i)
			madvise((void *)(start + run * PAGE), (i - run) * PAGE, MADV_DONTNEED);
		run = i + 1;
	}
}

/* The ranges are on the stack: what is in the data is being dropped. */
static void drop_private(void)
{
	struct range kept[MAPPINGS];
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), i, nr = nr_ranges;
	uint64_t entries[ENTRIES], at;
	size_t part;

	memcpy(kept, ranges, sizeof(kept));
	for (i = 0; i < nr; i++)
		for (at = kept[i].start; at < kept[i].end; at += part * PAGE) {
			part = (kept[i].end - at) / PAGE;
			part = part < ENTRIES ? part : ENTRIES;
			if (pread(pagemap, entries, part * 8, at / PAGE * 8) == (ssize_t)(part * 8))
				drop_part(entries, at, part);
		}
	close(pagemap);
}

/* "before" and "after" are two notes, since nothing of the first is left. */
static void reset(unsigned long nr)
{
	dirty(nr);
	say("before", now());
	coppice_reset();
	/* EOPNOTSUPP: there is no module. */
	find_ranges();
	say("before", now());
	drop_private();
	say("after", now());
}

int main(void)
{
	const char *request;
	char line[64];

	fill();
	if (coppice_checkpoint() != COPPICE_TASK)
		return 1;
	say("after", now());
	request = getenv("COPPICE_REQUEST_NS");
	say("start", now() - strtoull(request ? request : "0", NULL, 10));
	while (command(line, sizeof(line)) && strcmp(line, "end"))
		reset(strtoul(line + strlen("reset "), NULL, 10));
	return 0;
}
