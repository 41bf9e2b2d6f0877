// SPDX-License-Identifier: GPL-2.0
/*
 * tsc: this machine's time stamp counter, in kHz, which an emulated processor's is too.
 *
 * Measured against CLOCK_MONOTONIC for a tenth of a second. A reading of both is the
 * tightest of several, so that being scheduled away between the two is no matter.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <x86intrin.h>

#define TRIES 50

struct reading {
	uint64_t ticks, ns;
};

static uint64_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static struct reading read_both(void)
{
	struct reading best = {};
	uint64_t before, after, ns, width = UINT64_MAX;
	int i;

	for (i = 0; i < TRIES; i++) {
		before = __rdtsc();
		ns = monotonic();
		after = __rdtsc();
		if (after - before >= width)
			continue;
		width = after - before;
		best = (struct reading){ before + width / 2, ns };
	}
	return best;
}

int main(void)
{
	struct timespec while_passing = { .tv_nsec = 100 * 1000 * 1000 };
	struct reading from = read_both(), to;

	nanosleep(&while_passing, NULL);
	to = read_both();
	printf("%llu\n", (unsigned long long)((to.ticks - from.ticks) * 1000000 / (to.ns - from.ns)));
	return 0;
}
