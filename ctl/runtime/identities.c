/* SPDX-License-Identifier: MIT */
/* Open addressing: an identity is a hash already. */
#include <sys/mman.h>

#include "identities.h"

#define SLOTS	(2 * IDENTITIES_MOST)

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

	if (!id || set->nr == IDENTITIES_MOST)
		return;
	entry = slot(set, id);
	set->nr += !*entry;
	*entry = id;
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
