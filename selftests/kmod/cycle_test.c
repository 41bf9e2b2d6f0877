// SPDX-License-Identifier: GPL-2.0
/*
 * Enter and exit, over and over: no page stays behind. COPPICE_CYCLES says how often; the
 * machine may have fewer pages less than a quarter of that, which is for noise.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "memory.h"
#include "stage.h"

#define NAME "cycle"
#define CYCLES 1000
#define WARM 50
/* Seconds for what the kernel frees later. */
#define PATIENCE 60

extern char **environ;

/* As a start of a function does: reads, writes, forks, and ends in two ways. */
static int play_cycle(int argc, char **argv)
{
	pid_t child;

	stage_data[0] = stage_text[STAGE_PAGE];
	memset(stage_mapping, 1, 3 * STAGE_PAGE);
	if (argc < 3 || atoi(argv[2]) % 4)
		return 0;
	child = fork();
	if (!child) {
		stage_mapping[0] = 2;
		raise(SIGKILL);
	}
	return stage_wait(child) == 128 + SIGKILL ? 0 : 1;
}

const struct role roles[] = { { "cycle", play_cycle }, {} };

struct memory {
	unsigned long available, slab;	/* pages */
	uint64_t store;
};

/* With nothing in caches that could be had back. */
static int measure(struct memory *memory)
{
	struct store_info store;
	struct error err;

	memory_drop_caches();
	memory->available = memory_available() * 1024 / STAGE_PAGE;
	memory->slab = memory_field("SUnreclaim") * 1024 / STAGE_PAGE;
	if (backend_kernel.status(&store, &err))
		return -1;
	memory->store = store.store_pages;
	return 0;
}

/* As fast as can be: all that children have in common is done once. */
static int enter_and_exit(const struct launch *launch)
{
	struct error err;
	pid_t pid = fork();

	if (!pid) {
		(void)!launch_enter(launch, &err);
		_exit(125);
	}
	return stage_wait(pid);
}

static int cycles(unsigned int nr)
{
	char number[] = "0000000000", *argv[] = { NAME, "cycle", number, NULL };
	struct launch launch = {};
	struct error err;
	unsigned int i;
	int ret;

	if (backend_kernel.launch_open(NAME, &launch, &err))
		return -1;
	launch.argv = argv;
	launch.envp = environ;
	ret = launch_plan(&launch, &err);
	for (i = 0; i < nr && !ret; i++) {
		snprintf(number, sizeof(number), "%u", i);
		ret = enter_and_exit(&launch);
	}
	backend_kernel.launch_close(&launch);
	return ret;
}

static long lost(unsigned long before, unsigned long after)
{
	return (long)(before - after);
}

FIXTURE(cycle) {
	struct image image;
	struct error err;
	unsigned int nr;
};

FIXTURE_SETUP(cycle)
{
	const char *text = getenv("COPPICE_CYCLES");

	self->nr = text ? strtoul(text, NULL, 10) : CYCLES;
	ASSERT_EQ(0, stage_set(NAME, 0, &self->image, &self->err)) { TH_LOG("%s", self->err.text); }
}

FIXTURE_TEARDOWN(cycle)
{
	EXPECT_EQ(0, stage_clear(NAME, &self->err)) { TH_LOG("%s", self->err.text); }
	image_free(&self->image);
}

TEST_F_TIMEOUT(cycle, no_page_is_lost, 7200)
{
	long limit = self->nr / 4, pages, slab;
	struct memory before, after;
	struct group_info group;
	const char *kernel = getenv("COPPICE_KERNEL");
	int i;

	if (kernel && !strcmp(kernel, "debug"))
		SKIP(return, "this kernel keeps freed memory back (KASAN)");
	/* What is learned and cached, once. */
	ASSERT_EQ(0, cycles(WARM));
	ASSERT_EQ(0, measure(&before));
	ASSERT_EQ(0, cycles(self->nr));
	for (i = 0; i < PATIENCE; i++) {
		ASSERT_EQ(0, measure(&after));
		pages = lost(before.available, after.available);
		slab = lost(after.slab, before.slab);
		if (pages < limit && slab < limit)
			break;
		sleep(1);
	}
	TH_LOG("%u cycles: %ld pages less available, %ld pages of slab more", self->nr, pages, slab);
	EXPECT_GT(limit, pages);
	EXPECT_GT(limit, slab);
	EXPECT_EQ(before.store, after.store);
	ASSERT_EQ(0, backend_kernel.group_get(NAME, &group, &self->err));
	EXPECT_EQ(self->nr + WARM, group.entered);
	EXPECT_TRUE(stage_settles(NAME, 0));
}

int main(int argc, char **argv)
{
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
