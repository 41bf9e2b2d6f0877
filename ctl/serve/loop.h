/* SPDX-License-Identifier: GPL-2.0 */
/* What the coordinator waits for: descriptors and times, in one thread. */
#ifndef COPPICE_LOOP_H
#define COPPICE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "lib/error.h"

#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))

#define NS_PER_MS	1000000ULL
#define NS_PER_S	1000000000ULL

/* CLOCK_MONOTONIC. */
uint64_t loop_now(void);

/* A descriptor. All zero but fd, which is -1, until it is added. */
struct watch {
	int fd;
	uint32_t events;
	void (*ready)(struct watch *watch, uint32_t events);
};

struct timer {
	uint64_t at;		/* 0: not set */
	void (*fire)(struct timer *timer);
	TAILQ_ENTRY(timer) link;
};

struct loop {
	int epoll;
	bool ended;
	TAILQ_HEAD(timers, timer) timers;	/* the next one first */
};

int __must_check loop_open(struct loop *loop, struct error *err);
void loop_close(struct loop *loop);

int __must_check loop_watch(struct loop *loop, struct watch *watch, int fd, uint32_t events,
			    struct error *err);
/* To other events; 0: none for now. */
void loop_change(struct loop *loop, struct watch *watch, uint32_t events);
/* Forget and close it; nothing if it is not open. */
void loop_unwatch(struct loop *loop, struct watch *watch);

/* Set it, or set it anew. */
void loop_at(struct loop *loop, struct timer *timer, uint64_t at);
void loop_cancel(struct loop *loop, struct timer *timer);

/* Wait for one event and the times that have come, for no longer than @limit_ms (-1: no limit). */
int __must_check loop_step(struct loop *loop, int limit_ms, struct error *err);

#endif /* COPPICE_LOOP_H */
