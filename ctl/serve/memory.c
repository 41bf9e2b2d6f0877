// SPDX-License-Identifier: GPL-2.0
/* The hub's memory and processors. */
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "loop.h"
#include "memory.h"

#define FRESH_NS	(50 * NS_PER_MS)

static uint64_t read_available(void)
{
	autoclose int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at;
	uint64_t kib;

	text[len > 0 ? len : 0] = '\0';
	at = strstr(text, "MemAvailable:");
	/* Who can't know does not refuse. */
	if (!at || sscanf(at, "MemAvailable: %" SCNu64, &kib) != 1)
		return UINT64_MAX;
	return kib << 10;
}

static uint64_t read_at;	/* 0: it is to be read */

uint64_t memory_available(void)
{
	static uint64_t available;
	uint64_t now = loop_now();

	if (!read_at || now - read_at > FRESH_NS) {
		available = read_available();
		read_at = now;
	}
	return available;
}

void memory_forget(void)
{
	read_at = 0;
}

/* So much is kept for the next request. */
#define SPARE_HEAP	(2UL << 20)

void memory_give_back(void)
{
	static size_t left;	/* free, but given back as far as it is pages */
	size_t unused = mallinfo2().fordblks;

	if (unused < left)
		left = unused;
	if (unused - left < SPARE_HEAP)
		return;
	malloc_trim(0);
	left = mallinfo2().fordblks;
}

unsigned int processor_load(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	double load;

	return processors > 0 && getloadavg(&load, 1) == 1 ? load * 100 / processors : 0;
}
