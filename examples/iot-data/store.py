# SPDX-License-Identifier: GPL-2.0
"""Shadows, and the queue of what the cloud has yet to be told, in one SQLite file.

A request changes both in one transaction, and is answered after that is on the disk: what a caller was
told to be done is done, and will be forwarded, whenever the process or the hub dies.
"""

import fcntl
import json
import sqlite3
import uuid

from shadow import Problem, Shadow

SCHEMA = """
CREATE TABLE IF NOT EXISTS shadows (
    thing TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, metadata TEXT NOT NULL,
    version INTEGER NOT NULL, timestamp INTEGER NOT NULL, present INTEGER NOT NULL,
    PRIMARY KEY (thing, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queue (
    number INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, method TEXT NOT NULL,
    target TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL, queued INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS refused (
    number INTEGER PRIMARY KEY, token TEXT NOT NULL, method TEXT NOT NULL, target TEXT NOT NULL,
    headers TEXT NOT NULL, body BLOB NOT NULL, queued INTEGER NOT NULL,
    status INTEGER NOT NULL, answer BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS seen (
    number INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, answer TEXT NOT NULL);
"""
SEEN_MAX = 100_000


class Locked(Exception):
    """Another process has the file: two would forward in no order."""


class Store:
    """The file, which one process has at a time."""

    def __init__(self, path, queue_max=1_000_000):
        self._lock = open(path + ".lock", "w", encoding="ascii")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise Locked(f"{path} is in use by another process: give each its own") from None
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        # An answer may not be known of before it is on the disk.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(SCHEMA)
        self._queue_max = queue_max

    def close(self):
        self._db.close()
        self._lock.close()

    def __enter__(self):
        self._db.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, kind, value, traceback):
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")

    # Shadows

    def shadow(self, thing, name):
        row = self._db.execute("SELECT state, metadata, version, timestamp, present FROM shadows "
                               "WHERE thing = ? AND name = ?", (thing, name)).fetchone()
        if row is None:
            return Shadow()
        return Shadow(json.loads(row[0]), json.loads(row[1]), row[2], row[3], bool(row[4]))

    def put(self, thing, name, shadow):
        self._db.execute("INSERT OR REPLACE INTO shadows VALUES (?, ?, ?, ?, ?, ?, ?)",
                         (thing, name, json.dumps(shadow.state), json.dumps(shadow.metadata),
                          shadow.version, shadow.timestamp, int(shadow.exists)))

    def names(self, thing, after, limit):
        """Named shadows of a thing, in order, behind one."""
        rows = self._db.execute("SELECT name FROM shadows WHERE thing = ? AND present AND name > ? "
                                "ORDER BY name LIMIT ?", (thing, after, limit))
        return [row[0] for row in rows]

    # Requests that were seen before

    def seen(self, token):
        row = self._db.execute("SELECT answer FROM seen WHERE token = ?", (token,)).fetchone()
        return row and json.loads(row[0])

    def see(self, token, answer):
        number = self._db.execute("INSERT INTO seen (token, answer) VALUES (?, ?)",
                                  (token, json.dumps(answer))).lastrowid
        self._db.execute("DELETE FROM seen WHERE number <= ?", (number - SEEN_MAX,))

    # The queue

    def enqueue(self, method, target, headers, body, now):
        if self.waiting() >= self._queue_max:
            raise Problem(503, "ServiceUnavailableException",
                          "The hub can't reach the cloud and holds as many requests for it as it may")
        self._db.execute("INSERT INTO queue (token, method, target, headers, body, queued) "
                         "VALUES (?, ?, ?, ?, ?, ?)",
                         (str(uuid.uuid4()), method, target, json.dumps(headers), body, now))

    def waiting(self):
        # Numbers have no holes but at the front: what is done is taken from there.
        row = self._db.execute("SELECT MAX(number) - MIN(number) + 1 FROM queue").fetchone()
        return row[0] or 0

    def head(self):
        """The oldest: (number, token, method, target, headers, body), or None."""
        row = self._db.execute("SELECT number, token, method, target, headers, body FROM queue "
                               "ORDER BY number LIMIT 1").fetchone()
        return row and (*row[:4], json.loads(row[4]), row[5])

    def done(self, number):
        self._db.execute("DELETE FROM queue WHERE number = ?", (number,))

    def refuse(self, number, status, answer):
        """The cloud will never take it: keep it for a person to look at."""
        with self:
            self._db.execute("INSERT INTO refused SELECT number, token, method, target, headers, body, "
                             "queued, ?, ? FROM queue WHERE number = ?", (status, answer, number))
            self.done(number)

    def refused(self):
        return self._db.execute("SELECT COUNT(*) FROM refused").fetchone()[0]

    def oldest(self):
        row = self._db.execute("SELECT queued FROM queue ORDER BY number LIMIT 1").fetchone()
        return row and row[0]
