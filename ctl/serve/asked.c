// SPDX-License-Identifier: GPL-2.0
/* A connection on which an earlier coordinator was asked for an event. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "asked.h"

bool connection_waits(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void on_ready(struct watch *watch, uint32_t events)
{
	struct asked *asked = container_of(watch, struct asked, watch);
	ssize_t len = 1;

	(void)events;
	while (len > 0 && asked->sent < asked->len) {
		len = send(watch->fd, asked->data + asked->sent, asked->len - asked->sent,
			   MSG_NOSIGNAL | MSG_DONTWAIT);
		asked->sent += len > 0 ? len : 0;
	}
	if (len < 0 && errno == EAGAIN)
		return;
	/* There may be copies of it. */
	shutdown(watch->fd, SHUT_WR);
	asked_close(asked);
	asked->ended(asked);
}

/* Nobody looks before there is an answer: that of its end is time enough. */
int asked_open(struct asked *asked, struct loop *loop, int fd, void (*ended)(struct asked *asked),
	       struct error *err)
{
	*asked = (struct asked) {
		.loop = loop, .watch = { .fd = -1, .ready = on_ready }, .ended = ended,
	};
	if (loop_watch(loop, &asked->watch, fd, EPOLLIN, err))
		return -1;
	loop_change(loop, &asked->watch, 0);
	return 0;
}

bool asked_waits(const struct asked *asked)
{
	return asked->watch.fd >= 0 && connection_waits(asked->watch.fd);
}

void asked_answer(struct asked *asked, char *data, size_t len)
{
	asked->data = data;
	asked->len = data ? len : 0;
	loop_change(asked->loop, &asked->watch, EPOLLOUT);
}

void asked_close(struct asked *asked)
{
	if (asked->watch.fd >= 0)
		loop_unwatch(asked->loop, &asked->watch);
	free(asked->data);
	asked->data = NULL;
}
