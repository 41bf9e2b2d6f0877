/* SPDX-License-Identifier: GPL-2.0 */
/* The socket over which a task of an image gets events and answers: see channel.py. */
#ifndef COPPICE_CHANNEL_H
#define COPPICE_CHANNEL_H

#include "loop.h"
#include "request.h"

struct channel {
	struct watch watch;
	char head[1024];	/* what is being sent: a line, and the event behind it */
	size_t head_len, sent, total;
	const char *payload;
	char line[512];		/* what is being received */
	size_t line_len;
	char *body;
	size_t body_len, body_total;
	bool in_body;
	enum outcome_kind kind;
	/* No messages: the event until its end, and what comes is the answer until the task's. */
	bool plain;
};

struct task;

int __must_check channel_open(struct channel *channel, struct loop *loop, int fd,
			      struct error *err);
void channel_close(struct channel *channel, struct loop *loop);
/* The task's request. */
void channel_send(struct task *task);
/* Of a plain one whose task has ended well: that was the answer. */
void channel_finish(struct task *task);
/* Take what there is; false if the task is at its end. */
bool channel_receive(struct task *task);

#endif /* COPPICE_CHANNEL_H */
