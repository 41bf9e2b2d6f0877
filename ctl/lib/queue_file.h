/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file of asynchronous events, which the coordinator and commands open: those that have not
 * run to their end, and those that were given up, its dead letters.
 */
#ifndef COPPICE_QUEUE_FILE_H
#define COPPICE_QUEUE_FILE_H

#include <sqlite3.h>

#include "error.h"

#define QUEUE_FILE	"/var/lib/coppice/queue.db"

/* sqlite3_close() when done. */
int __must_check queue_file_open(sqlite3 **db, struct error *err);

#endif /* COPPICE_QUEUE_FILE_H */
