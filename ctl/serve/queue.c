// SPDX-License-Identifier: GPL-2.0
/*
 * Asynchronous requests, in SQLite. What is added in one turn of the loop goes to disk in one
 * transaction. That something has ended can wait for it: what is forgotten of that runs again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answers.h"
#include "coordinator.h"
#include "lib/queue_file.h"
#include "log.h"
#include "queue_statement.h"
#include "waiting.h"

#define EVENTS_MAX	100000
#define BYTES_MAX	(256UL << 20)
#define TRIES_MAX	3
#define DEAD_MAX	10000
#define AGE_MAX_S	(6 * 3600)	/* until one that can't be begun is given up */
#define AGAIN_S		5		/* until it is tried to begin it again */
#define FLUSH_NS	(50 * NS_PER_MS)

struct addition {
	struct request *request;
	queue_fn done;
	TAILQ_ENTRY(addition) link;
};

struct loaded {
	struct queue *queue;
	struct request *request;
	int tries;
	int64_t received;
	bool promised;		/* who asked waits for what comes of it */
	TAILQ_ENTRY(loaded) link;
};

static void recount(struct queue *queue)
{
	queue->stored = queue_ask_number(queue, "SELECT count(*) FROM event");
	queue->bytes = queue_ask_number(queue, "SELECT sum(length(payload)) FROM event");
	queue->dead = queue_ask_number(queue, "SELECT count(*) FROM dead");
	answers_recount(queue);
}

/*
 * Transactions.
 */

void queue_begin(struct queue *queue)
{
	if (queue->open_transaction)
		return;
	queue->open_transaction = queue_tell(queue, "BEGIN IMMEDIATE", "");
	loop_cancel(&queue->coordinator->loop, &queue->flush);
	loop_at(&queue->coordinator->loop, &queue->flush, loop_now() + FLUSH_NS);
}

void queue_commit(struct queue *queue)
{
	struct addition *addition;
	bool done;

	done = queue->open_transaction && queue_tell(queue, "COMMIT", "");
	if (queue->open_transaction && !done)
		(void)queue_tell(queue, "ROLLBACK", "");
	queue->open_transaction = false;
	ended_clear(&queue->ended);
	loop_cancel(&queue->coordinator->loop, &queue->flush);
	while ((addition = TAILQ_FIRST(&queue->additions))) {
		TAILQ_REMOVE(&queue->additions, addition, link);
		addition->done(addition->request, done);
		free(addition);
	}
	if (!done)
		recount(queue);
	queue->hungry = true;
}

static void on_flush(struct timer *timer)
{
	queue_commit(container_of(timer, struct queue, flush));
}

/*
 * In.
 */

bool queue_is_full(const struct queue *queue)
{
	return queue->stored >= EVENTS_MAX || queue->bytes >= BYTES_MAX;
}

static bool insert(struct queue *queue, const struct request *request)
{
	int64_t now = time(NULL);

	return queue_tell(queue, "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, 0, ?)", "ssbssii",
			  request->id, request->pool->function.name, request->payload, request->len,
			  request->context, request->trace, now, now) &&
	       (!request->address || answers_promise(queue, request->id, request->address));
}

void queue_add(struct queue *queue, struct request *request, queue_fn done)
{
	struct addition *addition = malloc(sizeof(*addition));

	queue_begin(queue);
	if (!addition || !queue->open_transaction || !insert(queue, request)) {
		free(addition);
		done(request, false);
		return;
	}
	*addition = (struct addition) { .request = request, .done = done };
	TAILQ_INSERT_TAIL(&queue->additions, addition, link);
	queue->stored++;
	queue->bytes += request->len;
}

/*
 * The end of one.
 */

static void forget(struct queue *queue, const char *id, size_t len)
{
	if (!queue_tell(queue, "DELETE FROM event WHERE id = ?", "s", id))
		return;
	queue->stored--;
	queue->bytes -= len < queue->bytes ? len : queue->bytes;
}

static void bury(struct queue *queue, const char *id, size_t len, int tries, const char *reason)
{
	log_event(LOG_ERR, "event-dead", "request", id, "reason", reason, NULL);
	answers_refuse(queue, id, reason);
	if (queue_tell(queue, "INSERT OR REPLACE INTO dead SELECT id, function, payload, context, trace,"
		       " received, ?, ?, ? FROM event WHERE id = ?", "iiss", (int64_t)tries,
		       (int64_t)time(NULL), reason, id))
		queue->dead++;
	if (queue->dead > DEAD_MAX &&
	    queue_tell(queue, "DELETE FROM dead WHERE rowid = (SELECT min(rowid) FROM dead)", ""))
		queue->dead--;
	forget(queue, id, len);
}

static void put_off(struct queue *queue, const char *id, int tries, int64_t seconds)
{
	(void)queue_tell(queue, "UPDATE event SET tries = ?, due = ? WHERE id = ?", "iis",
			 (int64_t)tries, (int64_t)time(NULL) + seconds, id);
}

static bool was_begun(const struct outcome *outcome)
{
	return outcome->kind != OUTCOME_THROTTLED && outcome->kind != OUTCOME_UNAVAILABLE;
}

static void settle(struct loaded *loaded, const struct outcome *outcome)
{
	const struct request *request = loaded->request;
	struct queue *queue = loaded->queue;
	const char *reason = outcome->body ? outcome->body : outcome->reason;
	unsigned int wait = queue->coordinator->settings.retry_s;

	loaded->tries += was_begun(outcome);
	if (outcome->kind == OUTCOME_RESULT) {
		ended_add(&queue->ended, request->id);
		forget(queue, request->id, request->len);
	} else if (loaded->tries >= TRIES_MAX ||
		 (!was_begun(outcome) && time(NULL) - loaded->received > AGE_MAX_S)) {
		bury(queue, request->id, request->len, loaded->tries, reason);
	} else if (was_begun(outcome)) {
		put_off(queue, request->id, loaded->tries, (int64_t)wait * loaded->tries);
	} else {
		put_off(queue, request->id, loaded->tries, AGAIN_S);
	}
}

static void ended(struct request *request, struct outcome *outcome)
{
	static const char *const words[] = {
		[OUTCOME_RESULT] = "result", [OUTCOME_ERROR] = "error", [OUTCOME_CRASH] = "crash",
		[OUTCOME_INVALID] = "invalid", [OUTCOME_THROTTLED] = "throttled",
		[OUTCOME_UNAVAILABLE] = "unavailable",
	};
	struct loaded *loaded = request->data;
	struct queue *queue = loaded->queue;
	char *text = NULL;

	queue_begin(queue);
	if (loaded->promised && was_begun(outcome)) {
		/* As when it is waited for: who asked decides whether to try again. */
		answers_give(queue, request->id, outcome);
		forget(queue, request->id, request->len);
	} else {
		/* The reason is a text, with an end. */
		if (outcome->body)
			text = strndup(outcome->body, outcome->len);
		settle(loaded, &(struct outcome) { .kind = outcome->kind, .body = text,
						   .reason = outcome->reason });
		free(text);
	}
	log_event(LOG_INFO, "event-ended", "function", request->pool->function.name, "request",
		  request->id, "outcome", words[outcome->kind], NULL);
	request->pool->nr_stored--;
	TAILQ_REMOVE(&queue->loaded, loaded, link);
	free(loaded);
	request_free(request);
	queue->hungry = true;
}

/*
 * Out.
 */

static bool is_loaded(const struct queue *queue, const char *id)
{
	const struct loaded *loaded;

	TAILQ_FOREACH(loaded, &queue->loaded, link)
		if (!strcmp(loaded->request->id, id))
			return true;
	return false;
}

static char *copy_payload(sqlite3_stmt *row, int column, size_t *len)
{
	const void *data = sqlite3_column_blob(row, column);
	char *copy;

	*len = sqlite3_column_bytes(row, column);
	copy = malloc(*len + 1);
	if (copy && *len)
		memcpy(copy, data, *len);
	return copy;
}

#define COLUMNS	"id, payload, context, trace, tries, received," \
		" id IN (SELECT id FROM answer) AS promised"

/* NULL if out of memory. */
static struct request *load(struct queue *queue, struct pool *pool, sqlite3_stmt *row)
{
	struct loaded *loaded = calloc(1, sizeof(*loaded));
	const char *context = (const char *)sqlite3_column_text(row, 2);
	struct request *request;
	size_t len;
	char *payload = copy_payload(row, 1, &len);

	request = payload ? request_new(payload, len) : NULL;
	if (!loaded || !request) {
		free(loaded);
		return NULL;
	}
	snprintf(request->id, sizeof(request->id), "%s", sqlite3_column_text(row, 0));
	request_set_trace(request, (const char *)sqlite3_column_text(row, 3));
	request->context = context ? strdup(context) : NULL;
	request->held = &queue->coordinator->http.held;
	*request->held += len;
	*loaded = (struct loaded) {
		.queue = queue, .request = request, .tries = sqlite3_column_int(row, 4),
		.received = sqlite3_column_int64(row, 5), .promised = sqlite3_column_int(row, 6),
	};
	request->data = loaded;
	request->ended = ended;
	TAILQ_INSERT_TAIL(&queue->loaded, loaded, link);
	pool->nr_stored++;
	return request;
}

struct request *queue_claim(struct queue *queue, struct pool *pool, const char *id)
{
	sqlite3_stmt *row = queue_ask(queue, "SELECT " COLUMNS " FROM event"
				      " WHERE id = ? AND function = ?",
				      "ss", id, pool->function.name);
	struct request *request = NULL;

	if (row && sqlite3_step(row) == SQLITE_ROW)
		request = load(queue, pool, row);
	sqlite3_finalize(row);
	return request;
}

/* No more than the function may run at a time. */
static void load_of(struct queue *queue, struct pool *pool)
{
	const struct http *http = &queue->coordinator->http;
	struct request *request;
	sqlite3_stmt *rows;

	/* Memory is for those who wait for an answer first. */
	if (pool->nr_stored >= pool->function.max || http->held > http->held_max / 2)
		return;
	rows = queue_ask(queue, "SELECT " COLUMNS " FROM event"
			 " WHERE function = ? AND due <= ? AND (? OR NOT promised)"
			 " ORDER BY due, rowid LIMIT ?", "siii", pool->function.name,
			 (int64_t)time(NULL), (int64_t)!answers_are_many(queue),
			 (int64_t)pool->function.max + pool->nr_stored);
	while (rows && pool->nr_stored < pool->function.max && sqlite3_step(rows) == SQLITE_ROW) {
		if (is_loaded(queue, (const char *)sqlite3_column_text(rows, 0)))
			continue;
		request = load(queue, pool, rows);
		if (request)
			waiting_add(pool, request, true);
	}
	sqlite3_finalize(rows);
}

static void bury_all_of(struct queue *queue, const char *function)
{
	sqlite3_stmt *rows = queue_ask(queue, "SELECT id, length(payload), tries FROM event"
				 " WHERE function = ? LIMIT 100", "s", function);

	queue_begin(queue);
	while (rows && sqlite3_step(rows) == SQLITE_ROW)
		if (!is_loaded(queue, (const char *)sqlite3_column_text(rows, 0)))
			bury(queue, (const char *)sqlite3_column_text(rows, 0),
			     sqlite3_column_int64(rows, 1), sqlite3_column_int(rows, 2),
			     "the function was deleted");
	sqlite3_finalize(rows);
}

static void load_due(struct queue *queue)
{
	sqlite3_stmt *rows = queue_ask(queue, "SELECT DISTINCT function FROM event WHERE due <= ?", "i",
				 (int64_t)time(NULL));
	const char *name;
	struct pool *pool;
	struct error err;

	while (rows && sqlite3_step(rows) == SQLITE_ROW) {
		name = (const char *)sqlite3_column_text(rows, 0);
		pool = pool_find(queue->coordinator, name, &err);
		if (pool)
			load_of(queue, pool);
		else if (err.code == ENOENT)
			bury_all_of(queue, name);
	}
	sqlite3_finalize(rows);
}

/* By the commands for dead letters. The version is that of others' changes. */
static void take_changes(struct queue *queue)
{
	uint64_t version = queue_ask_number(queue, "PRAGMA data_version");

	if (version == queue->version)
		return;
	queue->version = version;
	recount(queue);
}

void queue_look(struct queue *queue)
{
	take_changes(queue);
	queue->hungry = true;
}

void queue_run(struct queue *queue)
{
	if (!TAILQ_EMPTY(&queue->additions))
		queue_commit(queue);
	if (!queue->hungry || queue->coordinator->draining)
		return;
	queue->hungry = false;
	if (queue->stored)
		load_due(queue);
}

int queue_open(struct queue *queue, struct coordinator *coordinator, struct error *err)
{
	*queue = (struct queue) { .coordinator = coordinator, .hungry = true, .flush.fire = on_flush,
				 .ended.fd = -1 };
	TAILQ_INIT(&queue->additions);
	TAILQ_INIT(&queue->loaded);
	if (queue_file_open(&queue->db, err))
		return -1;
	queue->version = queue_ask_number(queue, "PRAGMA data_version");
	recount(queue);
	return 0;
}

void queue_forget_ended(struct queue *queue, int fd)
{
	uint32_t i;

	ended_open(&queue->ended, fd);
	if (queue->ended.fd != fd)
		ended_put(&queue->ended, &queue->coordinator->shelf);
	if (!queue->ended.page || !queue->ended.page->nr)
		return;
	queue_begin(queue);
	for (i = 0; i < queue->ended.page->nr; i++)
		(void)queue_tell(queue, "DELETE FROM event WHERE id = ?", "s", queue->ended.page->ids[i]);
	queue_commit(queue);
	recount(queue);
}

void queue_close(struct queue *queue)
{
	queue_commit(queue);
	ended_close(&queue->ended, &queue->coordinator->shelf);
	sqlite3_close(queue->db);
}
