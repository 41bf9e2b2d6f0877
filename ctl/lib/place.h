/* SPDX-License-Identifier: GPL-2.0 */
/* Which addresses are taken, in this process and in an image, and which are free in both. */
#ifndef COPPICE_PLACE_H
#define COPPICE_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "runtime/abi.h"

/* Sorted by address once place_sort() ran. */
struct place {
	struct coppice_span *spans;
	size_t nr, room;
};

void place_free(struct place *place);
int __must_check place_add(struct place *place, uint64_t start, uint64_t len, struct error *err);
/*
 * Look at this process's mappings: a long list once its libraries are loaded, so whoever starts tasks does it
 * before. Otherwise place_add_self() does.
 */
int __must_check place_look_at_self(struct error *err);
/*
 * Add what is from the lowest mapping of this process on, and the kernel's own mappings ([vvar…],
 * [vdso]) in @vvar and @vdso. Looked up once: the kernel puts what comes later above the lowest,
 * and an address that is taken after all is not taken again (MAP_FIXED_NOREPLACE).
 */
int __must_check place_add_self(struct place *place, struct coppice_span *vvar,
				struct coppice_span *vdso, struct error *err);
/* Had this process nothing there, nor close to it, when it was looked at? */
bool place_is_clear(const struct coppice_span *span);
void place_sort(struct place *place);
/* A page-aligned address with @len free bytes, which are added; 0: there is none. */
uint64_t place_take(struct place *place, uint64_t len);

static inline bool span_overlaps(const struct coppice_span *a, const struct coppice_span *b)
{
	return a->start < b->start + b->len && b->start < a->start + a->len;
}

#endif /* COPPICE_PLACE_H */
