// SPDX-License-Identifier: GPL-2.0
/* Connects by several ways in turn: see pairs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pairs.h"
#include "world.h"

#define ROUNDS		120
#define CONNECTS	500	/* of each way, a round */
#define WAYS_MAX	8

static double took[WAYS_MAX][ROUNDS * CONNECTS];	/* us */

static double now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static int open_sockets(const char *cgroup, int fds[CONNECTS])
{
	int i;

	if (join_cgroup(cgroup))
		return -1;
	for (i = 0; i < CONNECTS; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (fds[i] < 0)
			return -1;
	}
	return 0;
}

static int connect_once(int fd, const struct pairs_way *way, double *us)
{
	struct linger reset = { .l_onoff = 1 };
	struct sockaddr_storage address;
	socklen_t len = parse_address(way->address, &address);
	double start = now_us();
	char byte;

	if (connect(fd, (struct sockaddr *)&address, len))
		return -1;
	*us = now_us() - start;
	/* The other end has done its part, too, when the next connect begins. */
	if (recv(fd, &byte, 1, 0) != 1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	return close(fd);
}

/* In an order of chance: what a connect leaves behind meets each of the others alike. */
static void shuffle(unsigned int *order, unsigned int nr)
{
	unsigned int i, other, swapped;

	for (i = 0; i < nr; i++)
		order[i] = i;
	for (i = nr - 1; i; i--) {
		other = random() % (i + 1);
		swapped = order[i];
		order[i] = order[other];
		order[other] = swapped;
	}
}

static int measure_round(const struct pairs_way *ways, unsigned int nr, unsigned int round)
{
	static int fds[WAYS_MAX][CONNECTS];
	unsigned int order[WAYS_MAX], i, j, way;

	for (way = 0; way < nr; way++)
		if (open_sockets(ways[way].cgroup, fds[way]))
			return -1;
	for (i = 0; i < CONNECTS; i++) {
		shuffle(order, nr);
		for (j = 0; j < nr; j++) {
			way = order[j];
			if (connect_once(fds[way][i], &ways[way], &took[way][round * CONNECTS + i]))
				return -1;
		}
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double percentile(double *values, size_t nr, double share)
{
	qsort(values, nr, sizeof(*values), compare);
	return values[(size_t)(share * (nr - 1))];
}

/* The median of what each pair differs by. */
static double difference(const double *base, const double *other)
{
	static double each[ROUNDS * CONNECTS];
	size_t i;

	for (i = 0; i < ROUNDS * CONNECTS; i++)
		each[i] = other[i] - base[i];
	return percentile(each, ROUNDS * CONNECTS, 0.5);
}

/* Sorts them: to be called last. */
static double p99_ratio(double *base, double *other)
{
	return percentile(other, ROUNDS * CONNECTS, 0.99) / percentile(base, ROUNDS * CONNECTS, 0.99);
}

int pairs_measure(const struct pairs_way *ways, unsigned int nr)
{
	struct rlimit limit = { 2 * WAYS_MAX * CONNECTS, 2 * WAYS_MAX * CONNECTS };
	double more[WAYS_MAX];
	unsigned int i;

	if (nr > WAYS_MAX || setrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	for (i = 0; i < ROUNDS; i++)
		if (measure_round(ways, nr, i))
			return -1;
	for (i = 1; i < nr; i++)
		more[i] = difference(took[0], took[i]);
	for (i = 1; i < nr; i++)
		printf("{\"pair\": \"%s\", \"pairs\": %d, \"p50_more_us\": %.2f, \"p99_ratio\": %.3f}\n",
		       ways[i].name, ROUNDS * CONNECTS, more[i], p99_ratio(took[0], took[i]));
	return 0;
}
