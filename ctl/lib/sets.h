/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sets of roles with equal rights to a resource. Each is to be one group, so equal ones are
 * one set, and there cannot be fewer: a group is a set of members.
 */
#ifndef COPPICE_SETS_H
#define COPPICE_SETS_H

#include "spec.h"

#define SETS_NONE	SIZE_MAX

/* What a set is for: "orders:read" */
struct set_use {
	size_t resource;
	unsigned int rights;
};

struct role_set {
	const uint64_t *members;	/* a bit a role */
	size_t nr_members;
	size_t first;			/* member */
	struct set_use *uses;
	size_t nr_uses;
	uint32_t gid;			/* for who compiles */
};

struct sets {
	struct role_set *list;		/* by their first use */
	size_t nr;
	size_t *of;			/* by resource and rights; SETS_NONE */
	uint64_t *bits;
	struct set_use *uses;
};

int __must_check sets_find(const struct spec *spec, struct sets *sets, struct error *err);
void sets_free(struct sets *sets);

static inline bool set_has(const struct role_set *set, size_t role)
{
	return set->members[role / 64] >> role % 64 & 1;
}

static inline size_t sets_of(const struct sets *sets, size_t resource, unsigned int rights)
{
	return sets->of[resource * (RIGHTS_ALL + 1) + rights];
}

#endif /* COPPICE_SETS_H */
