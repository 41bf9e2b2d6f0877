/* SPDX-License-Identifier: GPL-2.0 */
/* Adopting the processes of groups' cgroups as they appear, or map further libraries. */
#ifndef COPPICE_NEWCOMERS_H
#define COPPICE_NEWCOMERS_H

#include "backend.h"

/* A process that was looked at, and what it mapped then. */
struct acquaintance {
	uint32_t group;		/* by its number */
	pid_t pid;
	uint64_t mark;		/* adopt_mark() */
	uint64_t seen, learned;	/* that at the last look, and when its group's image was made of what it maps */
	bool there;		/* in this round */
	bool told;		/* that it is refused: once is enough */
};

/* All that were looked at; begins zeroed. */
struct newcomers {
	struct acquaintance *known;
	size_t nr;
};

struct newcomers_result {
	uint64_t processes, pages;	/* that were adopted, that the image's took the place of */
	uint64_t refused;
	struct error first;		/* refusal */
	bool learned;			/* the group has got the image of what its processes map */
};

/*
 * Adopt what is new in the cgroup of @group. A process that can't be adopted is counted
 * once, and tried again when it maps something else or changes its user. A group of an image
 * that mapped.h makes gets, while it has no task, the image of what its processes map once they
 * map nothing more from one call to the next.
 */
int __must_check newcomers_adopt(struct newcomers *newcomers, const struct backend *backend,
				 const struct group_info *group,
				 struct newcomers_result *result, struct error *err);
void newcomers_free(struct newcomers *newcomers);

#endif /* COPPICE_NEWCOMERS_H */
