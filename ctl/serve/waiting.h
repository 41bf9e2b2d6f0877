/* SPDX-License-Identifier: GPL-2.0 */
/* Requests that wait for a task. */
#ifndef COPPICE_WAITING_H
#define COPPICE_WAITING_H

#include "coordinator.h"

/*
 * Take a request for @pool: it is ended by ->ended(), maybe before this returns. With @patient
 * it waits as long as it takes.
 */
void waiting_add(struct pool *pool, struct request *request, bool patient);

/* Hand out what can be, and start tasks for the rest. */
void waiting_dispatch(struct coordinator *coordinator);

/* It was forwarded and not begun there: it waits here, or ends so, as its function says. */
void waiting_return(struct request *request, enum outcome_kind kind, const char *reason);

/* No task can be started: the oldest request of the pool ends with this reason. */
void waiting_fail(struct pool *pool, const char *reason);
/* All of them. */
void waiting_end_all(struct coordinator *coordinator, const char *reason);

#endif /* COPPICE_WAITING_H */
