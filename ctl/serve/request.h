/* SPDX-License-Identifier: GPL-2.0 */
/* A request to run a function once, and what came of it. */
#ifndef COPPICE_REQUEST_H
#define COPPICE_REQUEST_H

#include "loop.h"

#define REQUEST_ID_SIZE		37	/* a UUID, and a zero */
#define REQUEST_TRACE_SIZE	128
#define REQUEST_HOPS_SIZE	160
#define PAYLOAD_MAX		(6UL << 20)

enum outcome_kind {
	OUTCOME_RESULT,
	OUTCOME_ERROR,		/* the function's, in the cloud's form */
	OUTCOME_CRASH,		/* the task ended or was ended; the same form */
	OUTCOME_INVALID,	/* the event is no JSON */
	OUTCOME_THROTTLED,	/* it was not begun: too many before it */
	OUTCOME_UNAVAILABLE,	/* it was not begun: no task could be started */
};

struct outcome {
	enum outcome_kind kind;
	char *body;		/* from malloc(): who is told takes it, and leaves NULL; or NULL */
	size_t len;
	const char *reason;	/* a sentence, where there is no body */
	const char *log;	/* the end of what the task has printed */
	size_t log_len;
};

struct pool;

/* Where the answer to a message goes: an MQTT topic, with what its sender knows it by. */
struct address {
	char *topic;
	void *correlation;	/* or NULL */
	uint16_t len;
};

struct request {
	struct pool *pool;
	char id[REQUEST_ID_SIZE];
	char trace[REQUEST_TRACE_SIZE];
	char *context;		/* the client's, base64, or NULL */
	const struct address *address;	/* until it is stored; NULL: nobody waits for what comes of it */
	char *payload;
	size_t len;
	size_t *held;		/* counts the payload as long as the request lives; or NULL */
	unsigned int priority;
	uint64_t received;	/* loop_now() */
	uint64_t begun;		/* 0: it waits */
	uint64_t wait_ns;	/* that who asked leaves it to wait; 0: as the hub says */
	uint64_t until;		/* when it has to be begun; 0: at any time */
	char hops[REQUEST_HOPS_SIZE];	/* hubs that have forwarded it, see forward.h */
	bool away;		/* it waits to be forwarded, if no task takes it before */
	bool returned;		/* and was not begun there */
	struct timer patience;	/* not set: for ever */
	/* Told once; the request is the callee's to free. */
	void (*ended)(struct request *request, struct outcome *outcome);
	void *data;		/* whoever asked */
	TAILQ_ENTRY(request) link;	/* of those that wait, in order */
};

/* NULL if out of memory. Takes over @payload. A new id, trace unless there is one. */
struct request *request_new(char *payload, size_t len);
void request_set_trace(struct request *request, const char *trace);
void request_free(struct request *request);

/* The cloud's form of an error that the function could not report itself. */
void outcome_error(struct outcome *outcome, const char *type, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* COPPICE_REQUEST_H */
