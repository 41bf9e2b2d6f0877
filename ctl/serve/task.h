/* SPDX-License-Identifier: GPL-2.0 */
/* One process that handles events of a function, one after the other, in a cgroup of its own. */
#ifndef COPPICE_TASK_H
#define COPPICE_TASK_H

#include "asked.h"
#include "channel.h"
#include "http.h"
#include "lib/spawn.h"
#include "pool.h"

#define TASK_CGROUP_SIZE	512
#define TASK_TAIL	4096	/* of what it printed, as the cloud has it */

enum task_state {
	TASK_STARTING,		/* it has not asked for an event yet */
	TASK_IDLE,
	TASK_BUSY,
	TASK_TIDYING,		/* it has answered, and resets itself */
	TASK_ENDING,		/* killed, or being removed */
};

struct task_record;

struct task {
	struct pool *pool;
	enum task_state state;
	pid_t pid;
	uint64_t since;		/* that it is in this state */
	uint64_t number;	/* in the name of its cgroup */
	char cgroup[TASK_CGROUP_SIZE];
	bool outdated;		/* to be ended after this event */
	bool spare;		/* for whichever function of the group asks first */
	bool exited;
	unsigned int events;	/* that it was given */
	int status;		/* of wait */
	const char *killed_for;	/* reason, or NULL */
	struct request *request;
	struct report report;
	struct task_record *record;	/* for the next coordinator, or NULL */
	int record_fd;
	struct watch exit;	/* of the process: a pidfd */
	struct watch output;	/* what it prints: a pipe */
	struct channel channel;	/* or */
	struct listener endpoint;	/* of the Runtime API, where it waits for its */
	struct exchange *next;	/* event, if it does; or since an earlier coordinator: */
	struct asked asked;
	uint64_t connection;	/* the inode of that which is on the shelf for it */
	struct timer timer;	/* a limit of the state */
	struct timer throttle;	/* of reading its output */
	uint64_t printed;	/* bytes in this event */
	char tail[TASK_TAIL];
	size_t tail_len;
	TAILQ_ENTRY(task) link;
	const char *spent;	/* why it is among those that are to be ended, or NULL */
	TAILQ_ENTRY(task) spent_link;
};

/* All that there is before its process. */
void task_init(struct task *task, struct pool *pool);
/* Start one, or a spare; the pool then has it. */
int __must_check task_begin(struct pool *pool, bool spare, struct error *err);
/* A spare becomes another pool's, and a task as all of its. */
void task_move(struct task *task, struct pool *pool);
/* Go on with one of an earlier coordinator, of which the pool has it. */
void task_resume(struct task *task, enum task_state state);
/* Is it there still? One whose process no longer waits has time to ask again. */
bool task_takes_events(struct task *task);
/* Hand an idle task an event. */
void task_give(struct task *task, struct request *request);
/* End it with all its processes; a request that it has ends with that reason. */
void task_end(struct task *task, const char *reason);

/* Those that have answered for the last time. Ending one takes as long as an answer. */
void task_end_spent(struct coordinator *coordinator);

/* The same for no fault of its own: what it has was not begun, as far as anybody shall know. */
void task_interrupt(struct task *task);

/* Told by its channel or endpoint. */
void task_is_ready(struct task *task);
/* Takes over @body. */
void task_answered(struct task *task, enum outcome_kind kind, char *body, size_t len);
/* What it does is against the protocol. */
void task_misbehaved(struct task *task, const char *what);

/* Kill what is left in functions' groups of an earlier coordinator; NULL: of any. */
void task_remove_strays(struct coordinator *coordinator);

#endif /* COPPICE_TASK_H */
