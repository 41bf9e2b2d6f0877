// SPDX-License-Identifier: GPL-2.0
/* Sets of roles with equal rights to a resource. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sets.h"

#define CLASSES		(RIGHTS_ALL + 1)

/* One resource's set, before equal ones are found. */
struct part {
	struct set_use use;
	uint64_t *members;
	size_t words;
};

void sets_free(struct sets *sets)
{
	free(sets->list);
	free(sets->of);
	free(sets->bits);
	free(sets->uses);
	*sets = (struct sets){};
}

static int compare_uses(const struct set_use *a, const struct set_use *b)
{
	if (a->resource != b->resource)
		return a->resource < b->resource ? -1 : 1;
	return (a->rights > b->rights) - (a->rights < b->rights);
}

static int compare_parts(const void *a, const void *b)
{
	const struct part *first = a, *second = b;
	int order = memcmp(first->members, second->members,
			   first->words * sizeof(*first->members));

	return order ? order : compare_uses(&first->use, &second->use);
}

static int compare_sets(const void *a, const void *b)
{
	const struct role_set *first = a, *second = b;

	return compare_uses(first->uses, second->uses);
}

/* How many different rights there are to resources, in all. */
static size_t count_parts(const struct spec *spec)
{
	size_t nr = 0, i, j;

	for (i = 0; i < spec->nr_resources; i++) {
		unsigned int seen = 1;	/* not: no right */

		for (j = 0; j < spec->nr_roles; j++)
			seen |= 1U << spec_role_rights(spec, j, i);
		nr += __builtin_popcount(seen) - 1;
	}
	return nr;
}

static size_t fill_resource(const struct spec *spec, size_t resource, struct part *parts,
			    uint64_t *bits, size_t words)
{
	struct part *of[CLASSES] = {};
	size_t nr = 0, i;

	for (i = 0; i < spec->nr_roles; i++) {
		unsigned int rights = spec_role_rights(spec, i, resource);

		if (!rights)
			continue;
		if (!of[rights]) {
			of[rights] = &parts[nr];
			parts[nr] = (struct part){
				.use = { resource, rights }, .members = bits + nr * words,
				.words = words,
			};
			nr++;
		}
		of[rights]->members[i / 64] |= 1ULL << i % 64;
	}
	return nr;
}

static void fill_parts(const struct spec *spec, struct part *parts, uint64_t *bits, size_t words)
{
	size_t nr = 0, i;

	for (i = 0; i < spec->nr_resources; i++)
		nr += fill_resource(spec, i, parts + nr, bits + nr * words, words);
}

static void begin_set(struct role_set *set, const struct part *part, struct set_use *uses)
{
	size_t i;

	*set = (struct role_set){ .members = part->members, .uses = uses, .first = SETS_NONE };
	for (i = 0; i < part->words; i++) {
		if (set->first == SETS_NONE && part->members[i])
			set->first = i * 64 + __builtin_ctzll(part->members[i]);
		set->nr_members += __builtin_popcountll(part->members[i]);
	}
}

/* Equal ones are neighbours. */
static void unite(struct sets *sets, const struct part *parts, size_t nr)
{
	struct role_set *set = NULL;
	size_t i, j;

	for (i = 0; i < nr; i++) {
		if (!set || memcmp(set->members, parts[i].members,
				   parts[i].words * sizeof(*set->members))) {
			set = &sets->list[sets->nr++];
			begin_set(set, &parts[i], &sets->uses[i]);
		}
		sets->uses[i] = parts[i].use;
		set->nr_uses++;
	}
	qsort(sets->list, sets->nr, sizeof(*sets->list), compare_sets);
	for (i = 0; i < sets->nr; i++)
		for (j = 0; j < sets->list[i].nr_uses; j++)
			sets->of[sets->list[i].uses[j].resource * CLASSES +
				 sets->list[i].uses[j].rights] = i;
}

int sets_find(const struct spec *spec, struct sets *sets, struct error *err)
{
	size_t nr = count_parts(spec), words = (spec->nr_roles + 63) / 64, i;
	struct part *parts = calloc(nr + 1, sizeof(*parts));

	*sets = (struct sets){
		.list = calloc(nr + 1, sizeof(*sets->list)),
		.of = calloc(spec->nr_resources * CLASSES + 1, sizeof(*sets->of)),
		.bits = calloc(nr * words + 1, sizeof(*sets->bits)),
		.uses = calloc(nr + 1, sizeof(*sets->uses)),
	};
	if (!parts || !sets->list || !sets->of || !sets->bits || !sets->uses) {
		free(parts);
		sets_free(sets);
		return error_set(err, ENOMEM, "out of memory");
	}
	for (i = 0; i < spec->nr_resources * CLASSES; i++)
		sets->of[i] = SETS_NONE;
	fill_parts(spec, parts, sets->bits, words);
	qsort(parts, nr, sizeof(*parts), compare_parts);
	unite(sets, parts, nr);
	free(parts);
	return 0;
}
