/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Statements of SQL to the queue's file, for all that keeps something there. Values follow a
 * format: s text (or NULL), i number (int64_t), b bytes and their length (size_t).
 */
#ifndef COPPICE_QUEUE_STATEMENT_H
#define COPPICE_QUEUE_STATEMENT_H

#include "queue.h"

/* False, and said, if it fails. */
bool queue_tell(struct queue *queue, const char *sql, const char *format, ...);
/* sqlite3_finalize() when done; NULL, and said, if it fails. */
sqlite3_stmt *queue_ask(struct queue *queue, const char *sql, const char *format, ...);
/* Of the first row, or 0. */
uint64_t queue_ask_number(struct queue *queue, const char *sql);

#endif /* COPPICE_QUEUE_STATEMENT_H */
