/* SPDX-License-Identifier: MIT */
/*
 * Reshare without the module: a task finds its private pages in /proc/self/pagemap,
 * compares them with the image's file and has the kernel drop those that are equal.
 *
 * Without a lock against other writers this is right for a task with one thread
 * only. It allocates nothing: the heap is what is being compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

#define PAGE		4096UL
#define PAGEMAP_FILE	(1ULL << 61)	/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT	(1ULL << 63)
#define ENTRIES		512

struct scan {
	int image;
	int pagemap;
	uint64_t inode;		/* of the image */
	uint64_t compared;
	uint64_t given_back;
};

struct mapping {
	uint64_t start, end, offset;
};

static bool equal(const struct scan *scan, const void *page, uint64_t offset)
{
	char data[PAGE];

	return pread(scan->image, data, PAGE, offset) == (ssize_t)PAGE && !memcmp(data, page, PAGE);
}

/* Neighbours go in one call. */
static void drop(struct scan *scan, uint64_t start, uint64_t end)
{
	if (start < end && !madvise((void *)start, end - start, MADV_DONTNEED))
		scan->given_back += (end - start) / PAGE;
}

static void scan_part(struct scan *scan, const struct mapping *map, uint64_t at, size_t nr)
{
	uint64_t entries[ENTRIES], run = at;
	size_t i;

	if (pread(scan->pagemap, entries, nr * 8, at / PAGE * 8) != (ssize_t)(nr * 8))
		return;
	for (i = 0; i < nr; i++, at += PAGE) {
		bool own = (entries[i] & PAGEMAP_PRESENT) && !(entries[i] & PAGEMAP_FILE);

		scan->compared += own;
		if (own && equal(scan, (void *)at, map->offset + (at - map->start)))
			continue;
		drop(scan, run, at);
		run = at + PAGE;
	}
	drop(scan, run, at);
}

static void scan_mapping(struct scan *scan, const struct mapping *map)
{
	uint64_t at, left;

	for (at = map->start; at < map->end; at += ENTRIES * PAGE) {
		left = (map->end - at) / PAGE;
		scan_part(scan, map, at, left < ENTRIES ? left : ENTRIES);
	}
}

/* A line of /proc/self/maps: START-END PERMS OFFSET DEVICE INODE NAME */
static void scan_line(struct scan *scan, const char *line)
{
	struct mapping map;
	bool readable;
	char *at;

	map.start = strtoull(line, &at, 16);
	map.end = strtoull(at + 1, &at, 16);
	readable = at[1] == 'r';
	map.offset = strtoull(at + 6, &at, 16);
	at = strchr(at + 1, ' ');
	if (readable && at && strtoull(at, &at, 10) == scan->inode && strstr(at, "/memfd:coppice:"))
		scan_mapping(scan, &map);
}

/* A read of the file ends with a whole line. */
static void scan_maps(struct scan *scan, int maps)
{
	char text[8192], *line, *end;
	ssize_t len;

	while ((len = read(maps, text, sizeof(text) - 1)) > 0) {
		text[len] = '\0';
		for (line = text; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			scan_line(scan, line);
		}
	}
}

static bool has_threads(void)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at;

	if (fd >= 0)
		close(fd);
	text[len > 0 ? len : 0] = '\0';
	at = strstr(text, "\nThreads:");
	return !at || atoi(at + strlen("\nThreads:")) != 1;
}

int coppice_memfd_reshare(int image, uint64_t *compared, uint64_t *given_back)
{
	struct scan scan = { .image = image };
	struct stat stat;
	int maps;

	if (has_threads()) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (fstat(image, &stat))
		return -1;
	scan.inode = stat.st_ino;
	maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	scan.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (maps >= 0 && scan.pagemap >= 0)
		scan_maps(&scan, maps);
	if (maps >= 0)
		close(maps);
	if (scan.pagemap >= 0)
		close(scan.pagemap);
	*compared = scan.compared;
	*given_back = scan.given_back;
	return maps >= 0 && scan.pagemap >= 0 ? 0 : -1;
}
