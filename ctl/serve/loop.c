// SPDX-License-Identifier: GPL-2.0
/* What the coordinator waits for. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

uint64_t loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int loop_open(struct loop *loop, struct error *err)
{
	*loop = (struct loop) { .epoll = epoll_create1(EPOLL_CLOEXEC) };
	TAILQ_INIT(&loop->timers);
	if (loop->epoll < 0)
		return error_set(err, errno, "nothing can be waited for: %s", strerror(errno));
	return 0;
}

void loop_close(struct loop *loop)
{
	close(loop->epoll);
}

int loop_watch(struct loop *loop, struct watch *watch, int fd, uint32_t events,
	       struct error *err)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event))
		return error_set(err, errno, "a descriptor cannot be waited for: %s",
				 strerror(errno));
	watch->fd = fd;
	watch->events = events;
	return 0;
}

void loop_change(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	if (watch->fd < 0 || watch->events == events)
		return;
	watch->events = events;
	/* A descriptor without events would still report its end, again and again. */
	if (!events)
		epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	else if (epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event))
		epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event);
}

/* A forked child may have the file still, for an instant: closing alone would not forget it. */
void loop_unwatch(struct loop *loop, struct watch *watch)
{
	if (watch->fd < 0)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	close(watch->fd);
	watch->fd = -1;
	watch->events = 0;
}

/* Most are set for later than those that there are. */
void loop_at(struct loop *loop, struct timer *timer, uint64_t at)
{
	struct timer *before;

	loop_cancel(loop, timer);
	timer->at = at;
	TAILQ_FOREACH_REVERSE(before, &loop->timers, timers, link)
		if (before->at <= at)
			break;
	if (before)
		TAILQ_INSERT_AFTER(&loop->timers, before, timer, link);
	else
		TAILQ_INSERT_HEAD(&loop->timers, timer, link);
}

void loop_cancel(struct loop *loop, struct timer *timer)
{
	if (!timer->at)
		return;
	timer->at = 0;
	TAILQ_REMOVE(&loop->timers, timer, link);
}

static void fire_due(struct loop *loop)
{
	uint64_t now = loop_now();
	struct timer *timer;

	while ((timer = TAILQ_FIRST(&loop->timers)) && timer->at <= now) {
		loop_cancel(loop, timer);
		timer->fire(timer);
	}
}

/* Rounded up: waking too early would be waking twice. */
static int wait_ms(const struct loop *loop, int limit_ms)
{
	const struct timer *first = TAILQ_FIRST(&loop->timers);
	uint64_t now, ms;

	if (!first)
		return limit_ms;
	now = loop_now();
	ms = first->at > now ? (first->at - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	if (limit_ms >= 0 && ms > (uint64_t)limit_ms)
		return limit_ms;
	return ms < 3600000 ? ms : 3600000;
}

/* One at a time: what handling one frees can't be among those to come. */
int loop_step(struct loop *loop, int limit_ms, struct error *err)
{
	struct epoll_event event;
	struct watch *watch;
	int nr = epoll_wait(loop->epoll, &event, 1, wait_ms(loop, limit_ms));

	if (nr < 0 && errno != EINTR)
		return error_set(err, errno, "nothing can be waited for: %s", strerror(errno));
	if (nr > 0) {
		watch = event.data.ptr;
		watch->ready(watch, event.events);
	}
	fire_due(loop);
	return 0;
}
