// SPDX-License-Identifier: GPL-2.0
/* A deployed function: its tasks, and what it has measured. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator.h"
#include "lib/name.h"
#include "log.h"
#include "memory.h"
#include "spare.h"
#include "task.h"
#include "task_record.h"

#define LOOK_NS		(60 * NS_PER_S)	/* at manifests of functions that have no pool yet */
#define SETTLED_S	2		/* after which a directory's last change is complete */

static struct manifest_stamp stamp_of(const char *name)
{
	char path[PATH_MAX];
	struct stat stat_;

	snprintf(path, sizeof(path), FUNCTION_DIRECTORY "/%s/" FUNCTION_MANIFEST, name);
	if (stat(path, &stat_))
		return (struct manifest_stamp) {};
	return (struct manifest_stamp) { stat_.st_ino, stat_.st_mtim };
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct manifest_stamp *a, const struct manifest_stamp *b)
{
	return a->inode == b->inode && same_time(&a->time, &b->time);
}

static struct pool *find(struct coordinator *coordinator, const char *name)
{
	struct pool *pool;

	TAILQ_FOREACH(pool, &coordinator->pools, link)
		if (!strcmp(pool->function.name, name))
			return pool;
	return NULL;
}

static int load(struct pool *pool, const char *name, struct error *err)
{
	struct manifest_stamp stamp = stamp_of(name);
	struct function function = {};

	if (function_get(name, &function, err))
		return -1;
	if (function_group_name(&function, pool->group, err)) {
		function_free(&function);
		return -1;
	}
	function_free(&pool->function);
	pool->function = function;
	pool->log.name = pool->function.name;
	pool->stamp = stamp;
	pool->deleted = pool->rests = false;
	grants_stamp(pool->group, &pool->grants);
	return 0;
}

static struct pool *add(struct coordinator *coordinator, const char *name, struct error *err)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	pool->coordinator = coordinator;
	TAILQ_INIT(&pool->tasks);
	if (load(pool, name, err)) {
		free(pool);
		return NULL;
	}
	function_log_open(&pool->log, pool->function.name);
	TAILQ_INSERT_TAIL(&coordinator->pools, pool, link);
	return pool;
}

/* Those that are at work end after it. */
static void end_tasks(struct pool *pool, const char *reason)
{
	struct task *task, *next;

	for (task = TAILQ_FIRST(&pool->tasks); task; task = next) {
		next = TAILQ_NEXT(task, link);
		task->outdated = true;
		if (task->state == TASK_IDLE || task->state == TASK_STARTING)
			task_end(task, reason);
	}
}

/* Running tasks keep the grants that they began with. */
static void refresh_grants(struct pool *pool)
{
	struct grants_stamp now;

	grants_stamp(pool->group, &now);
	if (!memcmp(&now, &pool->grants, sizeof(now)))
		return;
	pool->grants = now;
	end_tasks(pool, "its grants were changed");
}

static int refresh(struct pool *pool, struct error *err)
{
	struct manifest_stamp before = pool->stamp, stamp = stamp_of(pool->function.name);
	char name[IMAGE_NAME_MAX + 1];

	if (same_file(&stamp, &before) && !pool->deleted) {
		refresh_grants(pool);
		return 0;
	}
	snprintf(name, sizeof(name), "%s", pool->function.name);
	end_tasks(pool, "the function was changed");
	if (!load(pool, name, err)) {
		/* Who writes a manifest makes another file. Touched it is to have the group empty, and to be deleted. */
		if (pool->stamp.inode == before.inode)
			pool_rest(pool);
		return 0;
	}
	pool->deleted = true;
	pool->stamp = (struct manifest_stamp) {};
	return -1;
}

struct pool *pool_find(struct coordinator *coordinator, const char *name, struct error *err)
{
	struct pool *pool;

	/* It becomes a path. */
	if (name_check("a function", name, err)) {
		err->code = ENOENT;
		return NULL;
	}
	pool = find(coordinator, name);
	if (!pool)
		return add(coordinator, name, err);
	return refresh(pool, err) ? NULL : pool;
}

/* What is to do something before it is asked for. */
static int add_new(const struct function *function, void *data)
{
	struct coordinator *coordinator = data;
	bool listens = coordinator->settings.mqtt.broker && function->nr_triggers;
	bool spared = coordinator->settings.standing && spare_possible(coordinator, function);
	struct error ignored;

	if ((function->min_warm || listens || spared) && !find(coordinator, function->name))
		(void)add(coordinator, function->name, &ignored);
	return 0;
}

static void end_idle_too_long(struct pool *pool)
{
	uint64_t limit = pool->coordinator->settings.idle_s * NS_PER_S, now = loop_now();
	struct task *task, *next;

	for (task = TAILQ_FIRST(&pool->tasks); task; task = next) {
		next = TAILQ_NEXT(task, link);
		if (task->state == TASK_IDLE && now - task->since > limit &&
		    (task->spare ? spare_is_one_too_many(pool) : pool->nr_tasks > pool->function.min_warm))
			task_end(task, "it was idle");
	}
}

static void free_pool(struct pool *pool)
{
	TAILQ_REMOVE(&pool->coordinator->pools, pool, link);
	function_log_close(&pool->log);
	function_free(&pool->function);
	free(pool);
}

void pool_refresh_all(struct coordinator *coordinator)
{
	struct pool *pool, *next;
	struct error ignored;

	for (pool = TAILQ_FIRST(&coordinator->pools); pool; pool = next) {
		next = TAILQ_NEXT(pool, link);
		(void)!refresh(pool, &ignored);
		end_idle_too_long(pool);
		if (pool->deleted && TAILQ_EMPTY(&pool->tasks) && !pool->nr_waiting && !pool->nr_stored &&
		    !pool->nr_forwarding)
			free_pool(pool);
	}
}

/* A function's directory is there a moment before its manifest. */
static bool is_settled(const struct timespec *stamp)
{
	struct timespec now;

	return !clock_gettime(CLOCK_REALTIME, &now) && now.tv_sec - stamp->tv_sec > SETTLED_S;
}

/* All of them are read only if one was added or deleted, and now and then. */
static void add_all_new(struct coordinator *coordinator)
{
	struct stat stat_ = {};
	struct error ignored;

	(void)!stat(FUNCTION_DIRECTORY, &stat_);
	if (same_time(&stat_.st_mtim, &coordinator->functions_stamp) && is_settled(&stat_.st_mtim) &&
	    loop_now() - coordinator->functions_read < LOOK_NS)
		return;
	coordinator->functions_stamp = stat_.st_mtim;
	coordinator->functions_read = loop_now();
	(void)!function_each(add_new, coordinator, &ignored);
}

void pool_fill_all(struct coordinator *coordinator)
{
	struct pool *pool;
	struct error err;

	add_all_new(coordinator);
	TAILQ_FOREACH(pool, &coordinator->pools, link) {
		if (pool->nr_tasks >= pool->function.min_warm || !pool_may_start(pool))
			continue;
		if (task_begin(pool, false, &err))
			log_event(LOG_ERR, "start-failed", "function", pool->function.name,
				  "reason", err.text, NULL);
	}
}

void pool_put_all(struct coordinator *coordinator)
{
	struct pool *pool;
	struct task *task;

	TAILQ_FOREACH(pool, &coordinator->pools, link)
		TAILQ_FOREACH(task, &pool->tasks, link)
			task_record_put(task);
}

void pool_end_all(struct coordinator *coordinator)
{
	struct pool *pool;

	TAILQ_FOREACH(pool, &coordinator->pools, link)
		end_tasks(pool, "the coordinator ends");
}

void pool_free_all(struct coordinator *coordinator)
{
	struct pool *pool;

	while ((pool = TAILQ_FIRST(&coordinator->pools)))
		free_pool(pool);
}

/* The one that was busy last: its memory is the warmest, and others may come to their end. */
struct task *pool_idle(struct pool *pool)
{
	struct task *task;

	TAILQ_FOREACH(task, &pool->tasks, link)
		if (task->state == TASK_IDLE && !task->spare && task_takes_events(task))
			return task;
	return NULL;
}

bool pool_may_start(const struct pool *pool)
{
	const struct settings *settings = &pool->coordinator->settings;

	return !pool->deleted && pool->nr_tasks < pool->function.max &&
	       memory_available() >= settings->reserve &&
	       (!settings->load || processor_load() <= settings->load);
}

/* A command ends with its event. Only the module can put a task back; what is no image's has nothing to be put back to. */
bool pool_is_fresh(const struct pool *pool)
{
	const struct function *function = &pool->function;

	if (function->runtime == FUNCTION_COMMAND)
		return true;
	if (function->reuse != FUNCTION_RESET)
		return function->reuse == FUNCTION_FRESH;
	return !pool->coordinator->backend->task_reset || function->mode != FUNCTION_IMAGE;
}

struct room {
	struct task *oldest;	/* of those that wait for an event, or NULL */
	unsigned int wanted;	/* tasks that requests wait for */
	unsigned int coming;	/* tasks that are ending */
};

/* Nobody has asked for a spare yet. */
static bool goes_before(const struct task *a, const struct task *b)
{
	return a->spare != b->spare ? a->spare : a->since < b->since;
}

static void survey_room(struct coordinator *coordinator, struct room *room)
{
	struct pool *pool;
	struct task *task;

	*room = (struct room) {};
	TAILQ_FOREACH(pool, &coordinator->pools, link) {
		if (pool->nr_waiting > pool->nr_starting && pool->nr_tasks < pool->function.max)
			room->wanted += pool->nr_waiting - pool->nr_starting;
		TAILQ_FOREACH(task, &pool->tasks, link) {
			room->coming += task->state == TASK_ENDING;
			if (task->state == TASK_IDLE && (!room->oldest || goes_before(task, room->oldest)))
				room->oldest = task;
		}
	}
}

/*
 * Idle tasks have been put back to their image, or have given back what equals it, when their event
 * ended. What is left is to end the one that has waited longest: one for each request that waits
 * for memory, as what an ending one has takes a moment to come back.
 */
void pool_make_room(struct coordinator *coordinator)
{
	struct room room;

	if (memory_available() >= coordinator->settings.reserve)
		return;
	survey_room(coordinator, &room);
	if (!room.oldest || (room.coming && room.coming >= room.wanted))
		return;
	log_event(LOG_NOTICE, "task-retired", "function", room.oldest->pool->function.name, "reason",
		  "the hub has little memory left", NULL);
	task_end(room.oldest, "the hub has little memory left");
}

bool pool_is_in_use(const struct pool *pool)
{
	uint64_t idle_ns = pool->coordinator->settings.idle_s * NS_PER_S;

	return pool->last_event && !pool->deleted && !pool->coordinator->draining &&
	       loop_now() - pool->last_event < idle_ns;
}

void pool_rest(struct pool *pool)
{
	pool->last_event = 0;
	pool->rests = true;
}

bool pool_wants_next(const struct pool *pool)
{
	return pool->coordinator->settings.spares && pool_is_fresh(pool) &&
	       !spare_possible(pool->coordinator, &pool->function) && !pool->nr_idle &&
	       pool_is_in_use(pool);
}

uint64_t pool_expected_wait(const struct pool *pool)
{
	if (pool->nr_idle > pool->nr_waiting || pool_may_start(pool))
		return 0;
	/* Without a task there is nothing to wait for but room. */
	return pool->nr_tasks ? pool->mean_ns * (pool->nr_waiting + 1) / pool->nr_tasks : UINT64_MAX;
}

/* The last ones count most. */
void pool_measure(struct pool *pool, uint64_t duration_ns)
{
	pool->duration_ns += duration_ns;
	if (!pool->mean_ns)
		pool->mean_ns = duration_ns;
	else
		pool->mean_ns += ((int64_t)duration_ns - (int64_t)pool->mean_ns) / 8;
}
