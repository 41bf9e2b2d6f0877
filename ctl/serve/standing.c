// SPDX-License-Identifier: GPL-2.0
/* Which groups have a spare though nobody has asked for their functions lately. */
#include <stdlib.h>
#include <unistd.h>

#include "coordinator.h"
#include "spare.h"
#include "standing.h"

#define SHARE	(32UL << 20)	/* of the hub's memory, for each of them: it takes about 1 MiB */

unsigned int standing_default(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (uint64_t)pages * size / SHARE : 0;
}

static int later_first(int64_t a, int64_t b)
{
	return (a < b) - (a > b);
}

/* Those used last come first, those never used behind them: the one deployed last first. */
static int compare(const void *left, const void *right)
{
	const struct pool *a = *(struct pool *const *)left, *b = *(struct pool *const *)right;

	return later_first(a->last_event, b->last_event) ?:
	       later_first(a->stamp.time.tv_sec, b->stamp.time.tv_sec) ?:
	       later_first(a->stamp.time.tv_nsec, b->stamp.time.tv_nsec);
}

bool standing_possible(const struct pool *pool)
{
	return spare_possible(pool->coordinator, &pool->function) && !pool->deleted && !pool->rests &&
	       !pool->coordinator->draining;
}

/* All that may have one, in order; NULL if there is no memory. */
static struct pool **rank(struct coordinator *coordinator, size_t *nr)
{
	struct pool *pool, **ranking;
	size_t room = 0;

	TAILQ_FOREACH(pool, &coordinator->pools, link)
		room++;
	ranking = malloc((room + 1) * sizeof(struct pool *));
	*nr = 0;
	if (!ranking)
		return NULL;
	TAILQ_FOREACH(pool, &coordinator->pools, link) {
		pool->stands = false;
		if (standing_possible(pool))
			ranking[(*nr)++] = pool;
	}
	qsort(ranking, *nr, sizeof(struct pool *), compare);
	return ranking;
}

static bool is_served(struct pool *const *chosen, size_t nr, const struct pool *pool)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (spare_serves_both(chosen[i], pool))
			return true;
	return false;
}

void standing_choose(struct coordinator *coordinator)
{
	size_t nr, chosen = 0, i;
	struct pool **ranking = rank(coordinator, &nr), *pool;

	/* The chosen ones gather at the beginning; of one kind there is one. */
	for (i = 0; ranking && i < nr; i++) {
		pool = ranking[i];
		pool->stands = is_served(ranking, chosen, pool);
		if (pool->stands || chosen == coordinator->settings.standing)
			continue;
		pool->stands = true;
		ranking[chosen++] = pool;
	}
	free(ranking);
	coordinator->standing_due = true;
}
