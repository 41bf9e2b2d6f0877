// SPDX-License-Identifier: GPL-2.0
/* Answers that wait to be sent, in the queue's file. */
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "queue_statement.h"

#define BYTES_MAX	(256UL << 20)

void answers_recount(struct queue *queue)
{
	queue->answers = queue_ask_number(queue, "SELECT count(body) FROM answer");
	queue->answer_bytes = queue_ask_number(queue, "SELECT sum(length(body)) FROM answer");
	queue->answered = queue->answers;
}

bool answers_promise(struct queue *queue, const char *id, const struct address *address)
{
	return queue_tell(queue, "INSERT INTO answer VALUES (?, ?, ?, NULL, NULL)", "ssb", id,
			  address->topic, address->correlation, (size_t)address->len);
}

static void give(struct queue *queue, const char *id, const char *error, const char *body, size_t len)
{
	/* No bytes at all would be no answer. */
	if (!queue_tell(queue, "UPDATE answer SET error = ?, body = ? WHERE id = ?", "sbs", error,
			body ?: "", body ? len : 0, id) || !sqlite3_changes(queue->db))
		return;
	queue->answers++;
	queue->answer_bytes += len;
	queue->answered = true;
}

static void give_error(struct queue *queue, const char *id, const char *type, const char *text, int len)
{
	struct outcome outcome = {};

	outcome_error(&outcome, type, "%.*s", len, text);
	give(queue, id, "Unhandled", outcome.body, outcome.len);
	free(outcome.body);
}

void answers_give(struct queue *queue, const char *id, const struct outcome *outcome)
{
	static const char *const errors[] = {
		[OUTCOME_ERROR] = "Handled", [OUTCOME_CRASH] = "Unhandled", [OUTCOME_INVALID] = NULL,
	};

	if (outcome->kind == OUTCOME_INVALID)
		give_error(queue, id, "InvalidRequestContentException", outcome->body ?: "",
			   outcome->len);
	else
		give(queue, id, errors[outcome->kind], outcome->body, outcome->len);
}

void answers_refuse(struct queue *queue, const char *id, const char *reason)
{
	give_error(queue, id, "ServiceUnavailableException", reason ?: "", reason ? strlen(reason) : 0);
}

void answers_forget(struct queue *queue, const char *id, size_t len)
{
	queue_begin(queue);
	if (!queue_tell(queue, "DELETE FROM answer WHERE id = ?", "s", id) ||
	    !sqlite3_changes(queue->db))
		return;
	queue->answers--;
	queue->answer_bytes -= len < queue->answer_bytes ? len : queue->answer_bytes;
}

void answers_each(struct queue *queue, unsigned int max,
		  bool (*fn)(const struct answer *answer, void *data), void *data)
{
	sqlite3_stmt *rows = queue_ask(queue, "SELECT id, topic, error, correlation, body FROM answer"
				       " WHERE body IS NOT NULL ORDER BY rowid LIMIT ?", "i",
				       (int64_t)max);
	struct answer answer;

	while (rows && sqlite3_step(rows) == SQLITE_ROW) {
		answer = (struct answer) {
			.id = (const char *)sqlite3_column_text(rows, 0),
			.topic = (const char *)sqlite3_column_text(rows, 1),
			.error = (const char *)sqlite3_column_text(rows, 2),
			.correlation = sqlite3_column_blob(rows, 3),
			.correlation_len = sqlite3_column_bytes(rows, 3),
			.body = sqlite3_column_blob(rows, 4), .len = sqlite3_column_bytes(rows, 4),
		};
		if (!fn(&answer, data))
			break;
	}
	sqlite3_finalize(rows);
}

bool answers_are_many(const struct queue *queue)
{
	return queue->answer_bytes >= BYTES_MAX;
}
