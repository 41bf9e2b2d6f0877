// SPDX-License-Identifier: GPL-2.0
/* Dead letters, in the file of the coordinator's queue. */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "cleanup.h"
#include "dead.h"
#include "queue_file.h"

#define WHEN(time)	"strftime('%Y-%m-%dT%H:%M:%SZ', " time ", 'unixepoch')"
#define FIELDS	"id, function, " WHEN("received") ", " WHEN("ended") ", tries, length(payload), reason"

static void close_db(sqlite3 **db)
{
	sqlite3_close(*db);
}

static void finalize(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

/* The last one declared goes first: the statement before its file. */
#define autodb __attribute__((cleanup(close_db)))
#define autostatement __attribute__((cleanup(finalize)))

static int failed(sqlite3 *db, struct error *err)
{
	return error_set(err, EIO, QUEUE_FILE " cannot be used: %s", sqlite3_errmsg(db));
}

/* @value: for its question mark, or NULL. */
static sqlite3_stmt *prepare(sqlite3 *db, const char *sql, const char *value, struct error *err)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
		failed(db, err);
		return NULL;
	}
	if (value)
		sqlite3_bind_text(statement, 1, value, -1, SQLITE_STATIC);
	return statement;
}

static const char *text(sqlite3_stmt *row, int column)
{
	return (const char *)sqlite3_column_text(row, column);
}

/* What the columns of FIELDS say. A function's error, of which a reason is made, may be no UTF-8. */
static json_t *describe(sqlite3_stmt *row)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "id", text(row, 0),
				   "function", text(row, 1),
				   "received", text(row, 2), "ended", text(row, 3),
				   "tries", (json_int_t)sqlite3_column_int64(row, 4),
				   "bytes", (json_int_t)sqlite3_column_int64(row, 5));
	json_t *reason = json_string(text(row, 6) ? text(row, 6) : "");

	json_object_set_new(object, "reason", reason ? reason : json_string("it is no text"));
	return object;
}

json_t *dead_list(const char *function, struct error *err)
{
	autojson json_t *rows = json_array();
	autodb sqlite3 *db = NULL;
	autostatement sqlite3_stmt *statement = NULL;
	int ret;

	if (queue_file_open(&db, err))
		return NULL;
	statement = prepare(db, function ?
			    "SELECT " FIELDS " FROM dead WHERE function = ? ORDER BY rowid" :
			    "SELECT " FIELDS " FROM dead ORDER BY rowid", function, err);
	if (!statement)
		return NULL;
	while ((ret = sqlite3_step(statement)) == SQLITE_ROW)
		json_array_append_new(rows, describe(statement));
	if (ret == SQLITE_DONE)
		return json_incref(rows);
	failed(db, err);
	return NULL;
}

static int no_such(const char *id, struct error *err)
{
	return error_set(err, ENOENT, "there is no dead event %.80s: see coppice event list", id);
}

static void add_payload(json_t *object, const void *data, size_t len)
{
	const gnutls_datum_t bytes = { (unsigned char *)data, len };
	json_t *payload = json_stringn(data ? data : "", len);
	gnutls_datum_t base64;

	if (payload) {
		json_object_set_new(object, "payload", payload);
	} else if (!gnutls_base64_encode2(&bytes, &base64)) {
		json_object_set_new(object, "payload_base64",
				    json_stringn((char *)base64.data, base64.size));
		gnutls_free(base64.data);
	}
}

json_t *dead_get(const char *id, struct error *err)
{
	autodb sqlite3 *db = NULL;
	autostatement sqlite3_stmt *statement = NULL;
	json_t *object;

	if (queue_file_open(&db, err))
		return NULL;
	statement = prepare(db, "SELECT " FIELDS ", payload FROM dead WHERE id = ?", id, err);
	if (!statement)
		return NULL;
	if (sqlite3_step(statement) != SQLITE_ROW) {
		no_such(id, err);
		return NULL;
	}
	object = describe(statement);
	add_payload(object, sqlite3_column_blob(statement, 7), sqlite3_column_bytes(statement, 7));
	return object;
}

/*
 * Changes: all of it or nothing.
 */

struct change {
	const char *of_id, *of_function;	/* statements with the id, with the function */
};

static const struct change revive = {
	"INSERT OR IGNORE INTO event SELECT id, function, payload, context, trace, unixepoch(), 0,"
	" unixepoch() FROM dead WHERE id = ?",
	"INSERT OR IGNORE INTO event SELECT id, function, payload, context, trace, unixepoch(), 0,"
	" unixepoch() FROM dead WHERE function = ?",
};

static const struct change forget = {
	"DELETE FROM dead WHERE id = ?", "DELETE FROM dead WHERE function = ?",
};

static int apply(sqlite3 *db, const struct change *change, const struct dead_choice *choice,
		 struct error *err)
{
	autostatement sqlite3_stmt *statement =
		prepare(db, choice->id ? change->of_id : change->of_function,
			choice->id ? choice->id : choice->function, err);

	if (!statement)
		return -1;
	return sqlite3_step(statement) == SQLITE_DONE ? 0 : failed(db, err);
}

static int change(const struct dead_choice *choice, bool again, uint64_t *nr, struct error *err)
{
	autodb sqlite3 *db = NULL;

	if (queue_file_open(&db, err))
		return -1;
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return failed(db, err);
	/* Closing takes back what was not committed. */
	if ((again && apply(db, &revive, choice, err)) || apply(db, &forget, choice, err))
		return -1;
	*nr = sqlite3_changes(db);
	if (!*nr && choice->id)
		return no_such(choice->id, err);
	return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(db, err);
}

int dead_retry(const struct dead_choice *choice, uint64_t *nr, struct error *err)
{
	return change(choice, true, nr, err);
}

int dead_delete(const struct dead_choice *choice, uint64_t *nr, struct error *err)
{
	return change(choice, false, nr, err);
}
