/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Answers to events that came as messages, in the queue's file: the address is there from when
 * the event is, what has come of it takes the event's place in one transaction, and it goes
 * when the broker has it. So an answer is sent at least once, whatever happens to the
 * coordinator, the connection or the broker.
 */
#ifndef COPPICE_ANSWERS_H
#define COPPICE_ANSWERS_H

#include "queue.h"

/* One that is to be sent; all of it is valid in the callback only. */
struct answer {
	const char *id;			/* the event's */
	const char *topic;
	const char *error;		/* Handled, Unhandled or NULL, as X-Amz-Function-Error */
	const void *correlation, *body;
	size_t correlation_len, len;
};

/* All of these are part of the queue's transaction. */
bool __must_check answers_promise(struct queue *queue, const char *id,
				  const struct address *address);
void answers_give(struct queue *queue, const char *id, const struct outcome *outcome);
/* It will not be run. Nothing if none was promised. */
void answers_refuse(struct queue *queue, const char *id, const char *reason);
/* It, of @len bytes, is where it was to go, or can't go there. */
void answers_forget(struct queue *queue, const char *id, size_t len);

/* The oldest ones, @max at most, until @fn says false. */
void answers_each(struct queue *queue, unsigned int max,
		  bool (*fn)(const struct answer *answer, void *data), void *data);
/* So many wait that no event is to be run which would add to them. */
bool answers_are_many(const struct queue *queue);
void answers_recount(struct queue *queue);

#endif /* COPPICE_ANSWERS_H */
