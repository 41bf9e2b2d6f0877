/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests that this hub can't take in time, sent to another hub or to the cloud as a
 * function's manifest says ("forward"). Both have the same Invoke API.
 */
#ifndef COPPICE_FORWARD_H
#define COPPICE_FORWARD_H

#include "loop.h"
#include "request.h"

#define HEADER_HOPS	"X-Coppice-Hops"	/* ids of the hubs that had it, with commas */
#define HEADER_WAIT	"X-Coppice-Wait-Ms"	/* how long it may wait still */

struct coordinator;
struct pool;

struct forwarder {
	struct coordinator *coordinator;
	void *multi;		/* libcurl's; NULL: nothing was forwarded yet */
	struct timer timer;
	unsigned int nr;	/* under way */
	TAILQ_HEAD(transfers, transfer) transfers;
};

void forwarder_open(struct forwarder *forwarder, struct coordinator *coordinator);
/* Ends what is under way. */
void forwarder_close(struct forwarder *forwarder);

/* This hub has forwarded it already. */
bool forward_came_back(const struct request *request);
/* Is there a place for it, where it has not been? False for what is too long on its way. */
bool forward_may(const struct request *request);
/* The place did not answer a moment ago: it is not asked again yet. */
bool forward_rests(const struct pool *pool);
bool forward_has_room(const struct forwarder *forwarder);
/*
 * Send it; it is not waiting any more. It ends with the answer, or comes back by
 * waiting_return() if it was not begun there.
 */
void forward_begin(struct forwarder *forwarder, struct request *request);

#endif /* COPPICE_FORWARD_H */
