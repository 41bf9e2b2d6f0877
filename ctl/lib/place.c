// SPDX-License-Identifier: GPL-2.0
/* Taken and free addresses. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "place.h"
#include "runtime/special.h"

/* Above what a program without PIE or vm.mmap_min_addr could collide with. */
#define PLACE_LOWEST	0x10000000UL
#define PLACE_HIGHEST	0x7fff00000000UL
/* What the kernel keeps free below a stack, twice. */
#define PLACE_CLOSE	(2UL << 20)

void place_free(struct place *place)
{
	free(place->spans);
	*place = (struct place){};
}

int place_add(struct place *place, uint64_t start, uint64_t len, struct error *err)
{
	size_t room = place->room ? place->room * 2 : 256;
	struct coppice_span *spans;

	if (place->nr == place->room) {
		spans = realloc(place->spans, room * sizeof(*spans));
		if (!spans)
			return error_set(err, ENOMEM, "out of memory: free memory and try again");
		place->spans = spans;
		place->room = room;
	}
	place->spans[place->nr++] = (struct coppice_span){ start, len };
	return 0;
}

/* What this process has, once it was looked up. */
static struct {
	uint64_t lowest;	/* of what counts, or 0: not yet */
	struct coppice_span vvar, vdso;
	struct place others;
} self;

int place_look_at_self(struct error *err)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t lowest = PLACE_HIGHEST;
	unsigned long start, end;
	char line[4352], *rest;
	int ret = 0;

	self.vvar = self.vdso = (struct coppice_span){};
	place_free(&self.others);
	if (!maps)
		return error_set(err, errno, "/proc/self/maps can't be read: mount /proc");
	while (!ret && fgets(line, sizeof(line), maps)) {
		start = strtoul(line, &rest, 16);
		end = strtoul(rest + 1, NULL, 16);
		if (special_scan(line, start, end, &self.vvar, &self.vdso))
			continue;
		ret = place_add(&self.others, start, end - start, err);
		if (end > PLACE_LOWEST && start < lowest)
			lowest = start;
	}
	fclose(maps);
	self.lowest = ret ? 0 : lowest;
	return ret;
}

bool place_is_clear(const struct coppice_span *span)
{
	struct coppice_span around = { span->start - PLACE_CLOSE, span->len + 2 * PLACE_CLOSE };
	size_t i;

	for (i = 0; i < self.others.nr; i++)
		if (span_overlaps(&self.others.spans[i], &around))
			return false;
	return self.lowest;
}

int place_add_self(struct place *place, struct coppice_span *vvar, struct coppice_span *vdso,
		   struct error *err)
{
	if (!self.lowest && place_look_at_self(err))
		return -1;
	*vvar = self.vvar;
	*vdso = self.vdso;
	return place_add(place, self.lowest, PLACE_HIGHEST - self.lowest, err);
}

static int compare(const void *left, const void *right)
{
	const struct coppice_span *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

void place_sort(struct place *place)
{
	qsort(place->spans, place->nr, sizeof(*place->spans), compare);
}

uint64_t place_take(struct place *place, uint64_t len)
{
	uint64_t at = PLACE_LOWEST;
	struct error err;
	size_t i;

	for (i = 0; i < place->nr; i++) {
		const struct coppice_span *span = &place->spans[i];

		if (span->start >= at && span->start - at >= len)
			break;
		if (span->start + span->len > at)
			at = span->start + span->len;
	}
	if (at > PLACE_HIGHEST - len || place_add(place, at, len, &err))
		return 0;
	place_sort(place);
	return at;
}
