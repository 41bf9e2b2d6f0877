// SPDX-License-Identifier: GPL-2.0
/* Tasks that are started before it is known for which function of their group they will be. */
#include <string.h>

#include "coordinator.h"
#include "memory.h"
#include "spare.h"
#include "task.h"

#define QUIET_NS	(100 * NS_PER_MS)

/* Such a task is told at its start how it is to be between two events, and has its limits from then on. */
static bool is_reset(const struct pool *pool)
{
	return !pool_is_fresh(pool) && pool->function.reuse == FUNCTION_RESET;
}

/* Would a task that was started for one do for the other? All else comes with the event. */
static bool are_kin(const struct pool *a, const struct pool *b)
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
		if (!other->nr_spares || !are_kin(pool, other))
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
bool spare_possible(const struct pool *pool)
{
	return pool->coordinator->settings.spares && pool->function.mode == FUNCTION_IMAGE &&
	       pool->function.runtime == FUNCTION_PYTHON;
}

/* What is at work now is not to be slowed down, unless it takes long. */
static bool is_quiet(const struct pool *pool)
{
	return pool->nr_tasks == pool->nr_idle + pool->nr_starting ||
	       loop_now() - pool->last_event > QUIET_NS;
}

bool spare_wanted(const struct pool *pool)
{
	const struct pool *other;

	if (!spare_possible(pool) || !pool_is_in_use(pool) || !is_quiet(pool) ||
	    memory_available() / 2 < pool->coordinator->settings.reserve)
		return false;
	TAILQ_FOREACH(other, &pool->coordinator->pools, link)
		if (other->nr_spares && are_kin(pool, other))
			return false;
	return true;
}
