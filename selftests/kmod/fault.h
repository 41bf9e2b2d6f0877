/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations that fail: the Nth of a task, by /proc/PID/fail-nth.
 *
 *	struct walk walk = { .pid = gettid() };
 *
 *	while (walk_next(&walk)) {
 *		walk_arm(&walk);
 *		… what is to fail …
 *		walk_disarm(&walk);
 *		… what must hold now: walk.hit says if an allocation failed …
 *	}
 *
 * goes through all of them, until the last round in which none fails any more. An object may
 * take a new page for its like or find room in another's, so that the rounds do not count the same
 * allocations, and one can be stepped over: what is wanted and has not been said is gone
 * through again, a few times.
 */
#ifndef COPPICE_SELFTEST_FAULT_H
#define COPPICE_SELFTEST_FAULT_H

#include <stdbool.h>
#include <sys/types.h>

struct walk {
	pid_t pid;		/* whose allocations; WALK_WORKERS: of unbound kernel workers */
	unsigned int nth;	/* allocation that fails in this round */
	unsigned int step;	/* between two of them; 0: 1 */
	unsigned int laps;	/* that are over */
	bool hit;		/* it has failed */
};

#define WALK_WORKERS	0

/* Have them fail without a word, and whoever allocates. False: this kernel has none that fail. */
bool fault_prepare(void);

bool walk_next(struct walk *walk);
void walk_arm(struct walk *walk);
/* Instead, where the task has armed itself. */
void walk_follow(struct walk *walk);
void walk_disarm(struct walk *walk);

/* A refusal that must come of the walks of this test. */
void fault_want(const char *words);
/* One that came of them. */
void fault_hear(const char *sentence);
/* What was wanted and never said, or NULL. */
const char *fault_missed(void);
#define EXPECT_HEARD() EXPECT_EQ(NULL, fault_missed()) { TH_LOG("never said: %s", fault_missed()); }

/* Descriptor of a task's fail-nth. */
int fault_open(pid_t pid);
void fault_arm(int fd, unsigned int nth);
/* How many allocations there were left; none fails from here on. 0: it has failed. */
unsigned int fault_disarm(int fd);

#endif /* COPPICE_SELFTEST_FAULT_H */
