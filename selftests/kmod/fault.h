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
 * goes through all of them, until the last round in which none fails any more.
 */
#ifndef COPPICE_SELFTEST_FAULT_H
#define COPPICE_SELFTEST_FAULT_H

#include <stdbool.h>
#include <sys/types.h>

struct walk {
	pid_t pid;		/* whose allocations; WALK_WORKERS: of unbound kernel workers */
	unsigned int nth;	/* allocation that fails in this round */
	unsigned int step;	/* between two of them; 0: 1 */
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

/* Refusals that came of it, to be asked for when the walk is over. */
void fault_hear(const char *sentence);
bool fault_heard(const char *words);
#define EXPECT_HEARD(words) EXPECT_TRUE(fault_heard(words)) { TH_LOG("never said: " words); }

/* Descriptor of a task's fail-nth. */
int fault_open(pid_t pid);
void fault_arm(int fd, unsigned int nth);
/* How many allocations there were left; none fails from here on. 0: it has failed. */
unsigned int fault_disarm(int fd);

#endif /* COPPICE_SELFTEST_FAULT_H */
