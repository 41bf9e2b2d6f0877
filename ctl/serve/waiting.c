// SPDX-License-Identifier: GPL-2.0
/* Requests that wait for a task. */
#include <stdio.h>

#include "log.h"
#include "spare.h"
#include "task.h"
#include "waiting.h"

#define WAITING_MAX	1000	/* of one function */

static struct coordinator *coordinator_of(const struct request *request)
{
	return request->pool->coordinator;
}

static void end_unbegun(struct request *request, enum outcome_kind kind, const char *reason)
{
	struct outcome outcome = { .kind = kind, .reason = reason };

	if (kind == OUTCOME_THROTTLED)
		request->pool->throttled++;
	request->ended(request, &outcome);
}

static void take_out(struct request *request)
{
	struct coordinator *coordinator = coordinator_of(request);

	TAILQ_REMOVE(&coordinator->waiting, request, link);
	request->pool->nr_waiting--;
	loop_cancel(&coordinator->loop, &request->patience);
}

static uint64_t patience_of(const struct request *request)
{
	uint64_t wait = coordinator_of(request)->settings.wait_s * NS_PER_S;

	return request->wait_ns && request->wait_ns < wait ? request->wait_ns : wait;
}

/* Half of the time has gone: the other hub shall have the rest. */
static bool goes_away(struct request *request)
{
	if (request->away || loop_now() >= request->until || !forward_may(request) ||
	    forward_rests(request->pool))
		return false;
	request->away = true;
	return true;
}

static void out_of_patience(struct timer *timer)
{
	struct request *request = container_of(timer, struct request, patience);
	bool starting = request->pool->nr_starting && !request->pool->mean_ns;

	if (loop_now() < request->until) {
		goes_away(request);
		coordinator_of(request)->changed = true;
		loop_at(&coordinator_of(request)->loop, timer, request->until);
		return;
	}
	take_out(request);
	end_unbegun(request, starting ? OUTCOME_UNAVAILABLE : OUTCOME_THROTTLED,
		    "no task was free in time");
}

/* Behind those of its priority. */
static void put_in(struct request *request)
{
	struct coordinator *coordinator = coordinator_of(request);
	struct request *before;

	TAILQ_FOREACH_REVERSE(before, &coordinator->waiting, waiting, link)
		if (before->priority >= request->priority)
			break;
	if (before)
		TAILQ_INSERT_AFTER(&coordinator->waiting, before, request, link);
	else
		TAILQ_INSERT_HEAD(&coordinator->waiting, request, link);
	request->pool->nr_waiting++;
}

/* What can't be begun in time is for another hub; of what is full for good nothing is taken. */
static bool is_refused(struct request *request)
{
	const struct pool *pool = request->pool;
	uint64_t wait = pool_expected_wait(pool);

	if (pool->nr_waiting >= WAITING_MAX)
		return true;
	/* It went around because there is no task for it: it is not to wait here a second time. */
	if (forward_came_back(request))
		return !pool->nr_idle;
	if (wait <= patience_of(request) || goes_away(request))
		return false;
	/* Without a task it waits for room. */
	return wait != UINT64_MAX && !pool->function.forward_queue;
}

void waiting_add(struct pool *pool, struct request *request, bool patient)
{
	struct coordinator *coordinator = pool->coordinator;
	uint64_t now = loop_now();

	request->pool = pool;
	request->priority = pool->function.priority;
	request->patience.fire = out_of_patience;
	if (!patient) {
		request->until = now + patience_of(request);
		if (is_refused(request)) {
			end_unbegun(request, OUTCOME_THROTTLED, "Rate Exceeded.");
			return;
		}
	}
	put_in(request);
	if (!patient)
		loop_at(&coordinator->loop, &request->patience, now + patience_of(request) / 2);
	coordinator->changed = true;
}

void waiting_return(struct request *request, enum outcome_kind kind, const char *reason)
{
	struct coordinator *coordinator = coordinator_of(request);

	request->away = false;
	request->returned = true;
	if (!request->pool->function.forward_queue || coordinator->draining ||
	    loop_now() >= request->until) {
		end_unbegun(request, kind, reason);
		return;
	}
	put_in(request);
	loop_at(&coordinator->loop, &request->patience, request->until);
	coordinator->changed = true;
}

void waiting_fail(struct pool *pool, const char *reason)
{
	struct request *request;

	TAILQ_FOREACH(request, &pool->coordinator->waiting, link) {
		if (request->pool != pool)
			continue;
		take_out(request);
		end_unbegun(request, OUTCOME_UNAVAILABLE, reason);
		return;
	}
}

void waiting_end_all(struct coordinator *coordinator, const char *reason)
{
	struct request *request;

	while ((request = TAILQ_FIRST(&coordinator->waiting))) {
		take_out(request);
		end_unbegun(request, OUTCOME_UNAVAILABLE, reason);
	}
}

/* One for each request that waits, as far as it may. Who waits first has the failure. */
static void start_for(struct pool *pool)
{
	unsigned int wanted = pool->nr_waiting + pool_wants_next(pool);
	struct error err;

	if (pool->nr_starting >= wanted || (pool->nr_waiting && spare_take(pool, true)))
		return;
	if (pool->nr_waiting)
		pool_make_room(pool->coordinator);
	if (!pool_may_start(pool))
		return;
	if (!task_begin(pool, false, &err))
		return;
	log_event(LOG_ERR, "start-failed", "function", pool->function.name, "reason", err.text,
		  NULL);
	pool_rest(pool);
	waiting_fail(pool, err.text);
}

/* True if there is one more now. */
static bool start_spare(struct pool *pool)
{
	struct error err;

	if (!spare_wanted(pool))
		return false;
	if (!task_begin(pool, true, &err))
		return true;
	log_event(LOG_ERR, "start-failed", "function", pool->function.name, "reason", err.text,
		  NULL);
	pool_rest(pool);
	return false;
}

/* Of groups that are not in use one after the other, while nobody waits: they are in nobody's way. */
static void start_spares(struct coordinator *coordinator)
{
	bool due = coordinator->standing_due && TAILQ_EMPTY(&coordinator->waiting);
	struct pool *pool;

	TAILQ_FOREACH(pool, &coordinator->pools, link)
		due &= pool->nr_spares == pool->nr_idle_spares;
	TAILQ_FOREACH(pool, &coordinator->pools, link)
		if ((due || pool_is_in_use(pool)) && start_spare(pool))
			due = false;
	coordinator->standing_due = false;
}

/* What is ended meanwhile may be what comes next, so the list is begun anew after each. */
static bool give_one(struct coordinator *coordinator)
{
	struct request *request;
	struct task *task;

	TAILQ_FOREACH(request, &coordinator->waiting, link) {
		task = pool_idle(request->pool) ?: spare_take(request->pool, false);
		if (!task)
			continue;
		take_out(request);
		task_give(task, request);
		return true;
	}
	return false;
}

/* By priority, as many at a time as may be. Those to come may be given back at once. */
static bool forward_one(struct coordinator *coordinator)
{
	struct request *request;

	if (!forward_has_room(&coordinator->forwarder))
		return false;
	TAILQ_FOREACH(request, &coordinator->waiting, link) {
		if (!request->away)
			continue;
		take_out(request);
		forward_begin(&coordinator->forwarder, request);
		return true;
	}
	return false;
}

void waiting_dispatch(struct coordinator *coordinator)
{
	struct pool *pool;

	coordinator->changed = false;
	while (give_one(coordinator) || forward_one(coordinator))
		;
	TAILQ_FOREACH(pool, &coordinator->pools, link)
		start_for(pool);
	start_spares(coordinator);
}
