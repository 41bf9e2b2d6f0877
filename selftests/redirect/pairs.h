/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Connects by several ways in turn, from one process: what else the machine does meets
 * all of them alike, so that differences of less than a microsecond can be told.
 */
#ifndef COPPICE_SELFTEST_PAIRS_H
#define COPPICE_SELFTEST_PAIRS_H

/* The cgroup that a socket is made in decides what is done to it, not that of the task. */
struct pairs_way {
	const char *name;
	const char *cgroup;
	const char *address;
};

/*
 * Prints an object of JSON for each way but the first, with which it is compared. Each end
 * answers with one byte. Returns 0, or -1 with errno.
 */
int pairs_measure(const struct pairs_way *ways, unsigned int nr);

#endif /* COPPICE_SELFTEST_PAIRS_H */
