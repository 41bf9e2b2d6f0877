// SPDX-License-Identifier: GPL-2.0
/* Tasks that are started before it is known for which function of their group they will be. */
#include <string.h>

#include "coordinator.h"
#include "memory.h"
#include "spare.h"
#include "standing.h"
#include "task.h"

#define QUIET_NS	(100 * NS_PER_MS)
#define PEAK_NS		(10 * NS_PER_S)	/* for which it is remembered how many were at work at a time */
#define SPARES_MAX	8		/* of a group */

/* Such a task is told at its start how it is to be between two events, and has its limits from then on. */
static bool is_reset(const struct pool *pool)
{
	return !pool_is_fresh(pool) && pool->function.reuse == FUNCTION_RESET;
}

bool spare_serves_both(const struct pool *a, const struct pool *b)
{
	return !strcmp(a->group, b->group) && a->function.memory == b->function.memory &&
	       is_reset(a) == is_reset(b) && !memcmp(&a->grants, &b->grants, sizeof(a->grants));
}

struct task *spare_take(struct pool *pool, bool starting)
{
	enum task_state state = starting ? TASK_STARTING : TASK_IDLE;
	struct pool *other;
	struct task *task;

	if (pool->deleted || pool->nr_tasks >= pool->function.max)
		return NULL;
	TAILQ_FOREACH(other, &pool->coordinator->pools, link) {
		if (!other->nr_spares || !spare_serves_both(pool, other))
			continue;
		TAILQ_FOREACH(task, &other->tasks, link)
			if (task->spare && task->state == state && task_takes_events(task)) {
				task_move(task, pool);
				return task;
			}
	}
	return NULL;
}

/* Tasks of an image are told with the event whose they are, others at their start. */
bool spare_possible(const struct coordinator *coordinator, const struct function *function)
{
	return coordinator->settings.spares && function->mode == FUNCTION_IMAGE &&
	       function->runtime == FUNCTION_PYTHON;
}

/* What is at work now is not to be slowed down, unless it takes long. */
static bool is_quiet(const struct pool *pool)
{
	return pool->nr_tasks == pool->nr_idle + pool->nr_starting ||
	       loop_now() - pool->last_event > QUIET_NS;
}

void spare_note_use(struct pool *pool)
{
	unsigned int busy = pool->nr_tasks - pool->nr_idle - pool->nr_starting;
	uint64_t now = loop_now();

	if (now - pool->peak_since > PEAK_NS) {
		pool->last_peak = now - pool->peak_since > 2 * PEAK_NS ? 0 : pool->peak;
		pool->peak = 0;
		pool->peak_since = now;
	}
	if (busy > pool->peak)
		pool->peak = busy;
}

/* Tasks that stay have the next burst of requests, too; for others it is to find as many as for the last. */
static unsigned int number_wanted(const struct pool *pool)
{
	unsigned int peak = pool->peak > pool->last_peak ? pool->peak : pool->last_peak;

	if (!peak || !pool_is_fresh(pool) || !pool_is_in_use(pool))
		return 1;
	return peak < SPARES_MAX ? peak : SPARES_MAX;
}

static unsigned int number_there(const struct pool *pool)
{
	const struct pool *other;
	unsigned int nr = 0;

	TAILQ_FOREACH(other, &pool->coordinator->pools, link)
		if (other->nr_spares && spare_serves_both(pool, other))
			nr += other->nr_spares;
	return nr;
}

static bool is_to_have_one(const struct pool *pool)
{
	return pool_is_in_use(pool) || (pool->stands && standing_possible(pool));
}

bool spare_wanted(const struct pool *pool)
{
	return spare_possible(pool->coordinator, &pool->function) && is_to_have_one(pool) &&
	       is_quiet(pool) && memory_available() / 2 >= pool->coordinator->settings.reserve &&
	       number_there(pool) < number_wanted(pool);
}

bool spare_is_one_too_many(const struct pool *pool)
{
	return !is_to_have_one(pool) || number_there(pool) > number_wanted(pool);
}
