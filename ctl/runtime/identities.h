/* SPDX-License-Identifier: MIT */
/* A set of allocations' identities. */
#ifndef COPPICE_RUNTIME_IDENTITIES_H
#define COPPICE_RUNTIME_IDENTITIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDENTITIES_MOST	(1UL << 18)

struct identities {
	uint64_t *slots;	/* 0: free */
	size_t nr;
	bool full;	/* one was left out */
};

/* False: there is no memory for it. */
bool identities_open(struct identities *set);
void identities_close(struct identities *set);
/* One more is left out where there are IDENTITIES_MOST, which is noted, as is 0. Safe in a signal's handler. */
void identities_add(struct identities *set, uint64_t id);
/* Those that a file lists, as placement.py writes it. False: it does not, and which it has are in @set. */
bool identities_read(struct identities *set, int fd);
bool identities_has(const struct identities *set, uint64_t id);
/* At most @most of them; returns how many there are. */
size_t identities_list(const struct identities *set, uint64_t *ids, size_t most);

#endif /* COPPICE_RUNTIME_IDENTITIES_H */
