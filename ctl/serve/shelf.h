/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Descriptors that outlive the coordinator. Who holds them is the service manager, where it has a
 * store for that (sd_pid_notify_with_fds(3)), or else a process of our own that understands the
 * same messages. What is on the shelf when a coordinator starts is what the last one had.
 */
#ifndef COPPICE_SHELF_H
#define COPPICE_SHELF_H

#include <stdbool.h>

#include "systemd.h"

#define SHELF_PREFIX	"coppice."	/* of all names on it: others are of the manager's sockets */
#define SHELF_NAME_SIZE	32
#define SHELF_FDS_MAX	SYSTEMD_FDS_MAX	/* of one name */

struct shelf {
	int fd;			/* to who holds it; -1: nobody does */
	int lease;		/* our own process' word that this one lives; -1: it is the manager */
};

#define SHELF_NONE	((struct shelf) { .fd = -1, .lease = -1 })

/* Owns the descriptor. */
typedef void (*shelf_fn)(const char *name, int fd, void *data);

/*
 * Find it, or start a process for it; hands out all that is on it, of which all stays there.
 * That process waits for @patience_s after the coordinator's end for the next, then calls
 * @expire, and ends once that is true.
 */
void shelf_open(struct shelf *shelf, unsigned int patience_s, bool (*expire)(void), shelf_fn fn,
		void *data);
void shelf_close(struct shelf *shelf);

/* False: they are not kept. */
bool shelf_put(struct shelf *shelf, const char *name, const int *fds, unsigned int nr);
void shelf_drop(struct shelf *shelf, const char *name);

/* Memory that is a descriptor's, for what the next coordinator is to know; NULL: it is not of that size. */
void *shelf_map(int fd, size_t size);

/* Is it the name of what was on it? */
bool shelf_has_name(const char *name);

#endif /* COPPICE_SHELF_H */
