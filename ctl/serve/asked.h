/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection on which an earlier coordinator was asked for an event. The request has been read,
 * so the HTTP library can't be given it, but its answer is known: it is the event.
 */
#ifndef COPPICE_ASKED_H
#define COPPICE_ASKED_H

#include "loop.h"

struct asked {
	struct loop *loop;
	struct watch watch;	/* of fd -1: there is none */
	char *data;		/* the answer, once there is one */
	size_t len, sent;
	void (*ended)(struct asked *asked);	/* all of it, or the connection */
};

/* Takes over @fd. */
int __must_check asked_open(struct asked *asked, struct loop *loop, int fd,
			    void (*ended)(struct asked *asked), struct error *err);
/* Does the other end still wait? */
bool asked_waits(const struct asked *asked);
/* Takes over @data, from malloc(). The connection is closed once it is sent. */
void asked_answer(struct asked *asked, char *data, size_t len);
/* Nothing if there is none. */
void asked_close(struct asked *asked);

/* Does the other end of this connection wait, with nothing more to say? */
bool connection_waits(int fd);

#endif /* COPPICE_ASKED_H */
