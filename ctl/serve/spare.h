/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A group's spare tasks: one, or as many as were at work lately where each event has a new task. It is in the list of the pool that started it, counts as none of its tasks, and becomes
 * that of the next function of the group that needs one. Which groups have one is known from their use, and from standing.h.
 */
#ifndef COPPICE_SPARE_H
#define COPPICE_SPARE_H

#include "pool.h"

/* Can tasks of this function be told later whose they are? */
bool spare_possible(const struct coordinator *coordinator, const struct function *function);
/* Would a task that was started for one do for the other? All else comes with the event. */
bool spare_serves_both(const struct pool *a, const struct pool *b);
/* One more of @pool's tasks is at work now. */
void spare_note_use(struct pool *pool);
/* Is one to be started? */
bool spare_wanted(const struct pool *pool);
/* Does the group have more of them than it is to have? */
bool spare_is_one_too_many(const struct pool *pool);
/* One that waits, or is still starting, becomes @pool's. NULL: there is none, or @pool has as many tasks as it may. */
struct task *spare_take(struct pool *pool, bool starting);

#endif /* COPPICE_SPARE_H */
