/* SPDX-License-Identifier: MIT */
/* Open addressing: an identity is a hash already. */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "identities.h"

#define SLOTS	(2 * IDENTITIES_MOST)
#define HEADER	"coppice-placement 2\n"
#define DIGITS	14	/* of a line, which is a number in hexadecimal */

bool identities_open(struct identities *set)
{
	void *memory = mmap(NULL, SLOTS * sizeof(*set->slots), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	*set = (struct identities) { .slots = memory == MAP_FAILED ? NULL : memory };
	return set->slots;
}

void identities_close(struct identities *set)
{
	if (set->slots)
		munmap(set->slots, SLOTS * sizeof(*set->slots));
	*set = (struct identities) {};
}

static uint64_t *slot(const struct identities *set, uint64_t id)
{
	size_t i = id % SLOTS;

	while (set->slots[i] && set->slots[i] != id)
		i = (i + 1) % SLOTS;
	return &set->slots[i];
}

void identities_add(struct identities *set, uint64_t id)
{
	uint64_t *entry;

	if (!id)
		return;
	entry = slot(set, id);
	if (*entry)
		return;
	if (set->nr == IDENTITIES_MOST) {
		set->full = true;
		return;
	}
	set->nr++;
	*entry = id;
}

static const char digits[] = "0123456789abcdef";

static bool add_line(struct identities *set, const char *line)
{
	uint64_t id = 0;
	int i;

	for (i = 0; i < DIGITS; i++) {
		const char *digit = memchr(digits, line[i], 16);

		if (!digit)
			return false;
		id = id << 4 | (uint64_t)(digit - digits);
	}
	identities_add(set, id);
	return line[DIGITS] == '\n';
}

static bool add_lines(struct identities *set, const char *text, size_t len)
{
	bool ok = len >= sizeof(HEADER) - 1 && !memcmp(text, HEADER, sizeof(HEADER) - 1);
	size_t at = sizeof(HEADER) - 1;

	for (; ok && at < len; at += DIGITS + 1)
		ok = len - at > DIGITS && add_line(set, text + at);
	return ok;
}

bool identities_read(struct identities *set, int fd)
{
	struct stat stat;
	void *text;
	bool ok;

	if (fstat(fd, &stat) || !stat.st_size)
		return false;
	text = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return false;
	ok = add_lines(set, text, stat.st_size);
	munmap(text, stat.st_size);
	return ok;
}

bool identities_has(const struct identities *set, uint64_t id)
{
	return id && *slot(set, id) == id;
}

size_t identities_list(const struct identities *set, uint64_t *ids, size_t most)
{
	size_t i, nr = 0;

	for (i = 0; i < SLOTS && nr < most; i++)
		if (set->slots[i])
			ids[nr++] = set->slots[i];
	return set->nr;
}
