/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Asynchronous requests, on disk from before they are acknowledged until they have run to their
 * end: each runs at least once, under its id, whatever happens to the coordinator.
 */
#ifndef COPPICE_QUEUE_H
#define COPPICE_QUEUE_H

#include <sqlite3.h>

#include "ended.h"
#include "request.h"

struct coordinator;

struct queue {
	struct coordinator *coordinator;
	sqlite3 *db;
	bool open_transaction;
	bool hungry;		/* there may be some to be run */
	uint64_t stored, dead, bytes;
	uint64_t answers, answer_bytes;	/* those of answers.h that are to be sent */
	bool answered;		/* there may be some that are not being sent */
	uint64_t version;	/* of the file, but for our changes */
	struct timer flush;
	struct ended ended;
	TAILQ_HEAD(addition_list, addition) additions;	/* of this transaction */
	TAILQ_HEAD(loaded_list, loaded) loaded;	/* handed out, and not ended */
};

/* Told when it is on disk, or can't be; frees the request. */
typedef void (*queue_fn)(struct request *request, bool stored);

int __must_check queue_open(struct queue *queue, struct coordinator *coordinator,
			    struct error *err);
/* What is handed out stays on disk. */
void queue_close(struct queue *queue);

/* Those that ended before an earlier coordinator was killed do not run again; @fd: its word of them, or -1. */
void queue_forget_ended(struct queue *queue, int fd);

bool queue_is_full(const struct queue *queue);
void queue_add(struct queue *queue, struct request *request, queue_fn done);
/* That which an earlier coordinator has handed out and a task still has; NULL: it is none of these. */
struct request *queue_claim(struct queue *queue, struct pool *pool, const char *id);
/* A transaction for what is changed now; it goes to disk in a moment. */
void queue_begin(struct queue *queue);
/* What was added and changed goes to disk, and who added it is told. */
void queue_commit(struct queue *queue);
/* Now and then: others may have changed it, and times have come. */
void queue_look(struct queue *queue);
/* What is to be done before the loop waits: to disk with what was added, and out with what is due. */
void queue_run(struct queue *queue);

#endif /* COPPICE_QUEUE_H */
