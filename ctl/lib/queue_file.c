// SPDX-License-Identifier: GPL-2.0
/* Opening the file of asynchronous events, which the first one to do so makes. */
#include <errno.h>
#include <sys/stat.h>

#include "file.h"
#include "queue_file.h"

#define BUSY_MS	5000	/* for the other one's transaction, which is short */

static const char schema[] =
	"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -512;"
	"CREATE TABLE IF NOT EXISTS event (id TEXT PRIMARY KEY, function TEXT NOT NULL,"
	" payload BLOB NOT NULL, context TEXT, trace TEXT NOT NULL, received INTEGER NOT NULL,"
	" tries INTEGER NOT NULL, due INTEGER NOT NULL);"
	"CREATE INDEX IF NOT EXISTS event_due ON event (function, due);"
	"CREATE TABLE IF NOT EXISTS dead (id TEXT PRIMARY KEY, function TEXT NOT NULL,"
	" payload BLOB NOT NULL, context TEXT, trace TEXT NOT NULL, received INTEGER NOT NULL,"
	" tries INTEGER NOT NULL, ended INTEGER NOT NULL, reason TEXT);"
	/* Where what comes of an event is sent, and what has come of it (NULL: it has not run). */
	"CREATE TABLE IF NOT EXISTS answer (id TEXT PRIMARY KEY, topic TEXT NOT NULL,"
	" correlation BLOB, error TEXT, body BLOB);";

/* Events may have secrets. */
static int open_file(sqlite3 **db)
{
	mode_t before = umask(0077);
	int ret = sqlite3_open(QUEUE_FILE, db);

	umask(before);
	return ret;
}

int queue_file_open(sqlite3 **db, struct error *err)
{
	if (file_make_directory(STATE_DIRECTORY, 0755, err))
		return -1;
	if (open_file(db) == SQLITE_OK) {
		sqlite3_busy_timeout(*db, BUSY_MS);
		if (sqlite3_exec(*db, schema, NULL, NULL, NULL) == SQLITE_OK)
			return 0;
	}
	error_set(err, EIO, QUEUE_FILE " cannot be used: %s", sqlite3_errmsg(*db));
	sqlite3_close(*db);
	*db = NULL;
	return -1;
}
