/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Asynchronous events that have ended well, but are on disk until the transaction is that deletes
 * them. Were the coordinator killed in between, they would run again for nothing: so their ids are
 * in memory that is on the shelf.
 */
#ifndef COPPICE_ENDED_H
#define COPPICE_ENDED_H

#include "request.h"
#include "shelf.h"

#define ENDED_NAME	SHELF_PREFIX "ended"
#define ENDED_MAX	255	/* beyond that, in one transaction, they may run again */

struct ended_page {
	uint32_t size, nr;
	char ids[ENDED_MAX][REQUEST_ID_SIZE];
};

struct ended {
	int fd;
	struct ended_page *page;	/* or NULL: they are not noted */
};

/* @fd: that of an earlier coordinator, or -1. */
void ended_open(struct ended *ended, int fd);
void ended_put(const struct ended *ended, struct shelf *shelf);
void ended_close(struct ended *ended, struct shelf *shelf);

void ended_add(struct ended *ended, const char *id);
/* They are on disk. */
void ended_clear(struct ended *ended);

#endif /* COPPICE_ENDED_H */
