// SPDX-License-Identifier: GPL-2.0
/* Statements of SQL to the queue's file. */
#include <stdarg.h>

#include "log.h"
#include "queue_statement.h"

static void bind_values(sqlite3_stmt *statement, const char *format, va_list args)
{
	const char *text;
	int at;

	for (at = 1; *format; format++, at++) {
		if (*format == 'i') {
			sqlite3_bind_int64(statement, at, va_arg(args, int64_t));
			continue;
		}
		text = va_arg(args, const char *);
		if (*format == 's')
			sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
		else
			sqlite3_bind_blob64(statement, at, text, va_arg(args, size_t), SQLITE_STATIC);
	}
}

static sqlite3_stmt *prepare(struct queue *queue, const char *sql, const char *format, va_list args)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(queue->db, sql, -1, &statement, NULL) == SQLITE_OK)
		bind_values(statement, format, args);
	else
		log_event(LOG_ERR, "queue-failed", "reason", sqlite3_errmsg(queue->db), NULL);
	return statement;
}

sqlite3_stmt *queue_ask(struct queue *queue, const char *sql, const char *format, ...)
{
	sqlite3_stmt *statement;
	va_list args;

	va_start(args, format);
	statement = prepare(queue, sql, format, args);
	va_end(args);
	return statement;
}

bool queue_tell(struct queue *queue, const char *sql, const char *format, ...)
{
	sqlite3_stmt *statement;
	va_list args;
	bool done;

	va_start(args, format);
	statement = prepare(queue, sql, format, args);
	va_end(args);
	done = statement && sqlite3_step(statement) == SQLITE_DONE;
	if (statement && !done)
		log_event(LOG_ERR, "queue-failed", "reason", sqlite3_errmsg(queue->db), NULL);
	sqlite3_finalize(statement);
	return done;
}

uint64_t queue_ask_number(struct queue *queue, const char *sql)
{
	sqlite3_stmt *statement = queue_ask(queue, sql, "");
	uint64_t number = 0;

	if (statement && sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return number;
}
