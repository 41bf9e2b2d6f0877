/* SPDX-License-Identifier: GPL-2.0 */
/* A deployed function: its tasks, and what it has measured of them. */
#ifndef COPPICE_POOL_H
#define COPPICE_POOL_H

#include <sys/types.h>
#include <time.h>

#include "function_log.h"
#include "lib/function.h"
#include "lib/grants.h"
#include "loop.h"
#include "request.h"

struct coordinator;
struct task;

/* A manifest as it was read: which file, and when it was written or touched. All zero: there was none. */
struct manifest_stamp {
	ino_t inode;
	struct timespec time;
};

struct pool {
	struct coordinator *coordinator;
	struct function function;
	struct manifest_stamp stamp;
	char group[IMAGE_NAME_MAX + 1];
	struct grants_stamp grants;	/* of the group's, when its tasks were looked at last */
	TAILQ_HEAD(tasks, task) tasks;	/* idle ones in order of their last event, the latest first */
	unsigned int nr_tasks;	/* those that are not being ended */
	unsigned int nr_starting, nr_idle, nr_waiting;
	unsigned int nr_spares;	/* none of the above: see spare.h */
	unsigned int nr_idle_spares;
	unsigned int nr_stored;	/* requests of the queue that are handed out */
	unsigned int nr_forwarding;	/* requests that another hub or the cloud has */
	uint64_t forward_rest;	/* until when that is not asked */
	uint64_t last_event;	/* when it was handed out; 0: or pool_rest() since */
	bool rests;		/* no task was to be had or wanted since the last event */
	bool stands;		/* its group has a spare though it is not in use: see standing.h */
	unsigned int peak, last_peak;	/* tasks at work at a time, in this period and the last: see spare.c */
	uint64_t peak_since;
	uint64_t mean_ns;	/* of an event; 0: not known yet */
	struct function_log log;
	bool deleted;
	/* counted since the coordinator's start */
	uint64_t invocations, errors, crashes, timeouts, throttled, cold_starts, resets;
	uint64_t forwarded, forward_failures;
	uint64_t duration_ns;
	TAILQ_ENTRY(pool) link;
};

/* The function of this name as it is deployed now; NULL with ENOENT in err if there is none. */
struct pool *pool_find(struct coordinator *coordinator, const char *name, struct error *err);
/* Have tasks of functions that were changed or deleted ended. */
void pool_refresh_all(struct coordinator *coordinator);
/* Start what there is to be at least. */
void pool_fill_all(struct coordinator *coordinator);
/* End an idle task if the hub has less memory than it is to keep. */
void pool_make_room(struct coordinator *coordinator);
/* Put all tasks on the shelf, which is a new one. */
void pool_put_all(struct coordinator *coordinator);
/* End all tasks. */
void pool_end_all(struct coordinator *coordinator);
/* Free them, once they have no tasks. */
void pool_free_all(struct coordinator *coordinator);

/* A task that can take an event, or NULL. */
struct task *pool_idle(struct pool *pool);
bool pool_may_start(const struct pool *pool);
/* Are the tasks new ones each time? */
bool pool_is_fresh(const struct pool *pool);
/* If so, the next event shall find one that has started. */
bool pool_wants_next(const struct pool *pool);
/* Had it an event not long ago? */
bool pool_is_in_use(const struct pool *pool);
/* No task is to be had, or wanted: none is started before there is an event for it. */
void pool_rest(struct pool *pool);

/* How long a request that comes now waits, by what was measured. */
uint64_t pool_expected_wait(const struct pool *pool);
void pool_measure(struct pool *pool, uint64_t duration_ns);

#endif /* COPPICE_POOL_H */
