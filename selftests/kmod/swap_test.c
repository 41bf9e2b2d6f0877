// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks whose own pages lie in swap: they are counted, reset and given back as others
 * are, and pages of the image never go there. The swap is a compressed RAM disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "memory.h"
#include "stage.h"

#define NAME	"swap"
#define DISK	"/dev/zram0"
/* Of what was sent out: a page may be busy just then. */
#define MOST	(2 * STAGE_PAGES - 4)
#define NO_SWAP	"this kernel has no zram to swap to"
#define BYTES	(STAGE_PAGES * STAGE_PAGE)

/* Says how far a task came; survives a reset, as a file does. */
static bool been_here(const char *mark)
{
	return mkdir(mark, 0700);
}

static int send_out(void)
{
	return madvise(stage_data, BYTES, MADV_PAGEOUT) ||
	       madvise(stage_mapping, BYTES, MADV_PAGEOUT);
}

/* Changed and sent out; after the reset, as at the checkpoint. */
static int play_changed(int argc, char **argv)
{
	if (been_here(argv[2]))
		return stage_intact() ? 0 : 1;
	stage_scribble();
	if (send_out())
		return 2;
	pause();
	return 3;
}

/* Written with what was there before: private, and equal to the image. */
static int play_equal(int argc, char **argv)
{
	volatile unsigned char *at;
	size_t i;

	for (i = 0; i < BYTES; i += STAGE_PAGE) {
		at = stage_data + i;
		*at = *at;
		at = stage_mapping + i;
		*at = *at;
	}
	if (send_out())
		return 2;
	raise(SIGSTOP);
	return stage_intact() ? 0 : 1;
}

/* Changes nothing: what is sent out here is the image's. */
static int play_reader(int argc, char **argv)
{
	if (!stage_intact() || send_out())
		return 2;
	raise(SIGSTOP);
	return stage_intact() ? 0 : 1;
}

const struct role roles[] = {
	{ "changed", play_changed },
	{ "equal", play_equal },
	{ "reader", play_reader },
	{}
};

/* Those of DISK, in KiB. */
static unsigned long in_use(void)
{
	return memory_field("SwapTotal") - memory_field("SwapFree");
}

/* Its pages in swap, when there are as many as @pages or that takes too long. */
static uint64_t swapped(uint64_t id, uint64_t pages)
{
	struct task_memory memory = {};
	struct error err;
	int i;

	for (i = 0; i < 500 && memory.swapped < pages; i++) {
		usleep(10000);
		if (backend_kernel.task_memory(id, &memory, &err))
			return 0;
	}
	return memory.swapped;
}

FIXTURE(swap) {
	struct image image;
	struct error err;
	unsigned long before;
	char mark[64];
	bool on;
};

FIXTURE_SETUP(swap)
{
	if (system("modprobe -q zram && test -e " DISK))
		return;
	ASSERT_EQ(0, system("echo 256M > /sys/block/zram0/disksize && mkswap " DISK " > /dev/null"));
	ASSERT_EQ(0, swapon(DISK, 0));
	self->on = true;
	self->before = in_use();
	snprintf(self->mark, sizeof(self->mark), "/tmp/swap-%d", getpid());
	ASSERT_EQ(0, stage_set(NAME, 0, &self->image, &self->err)) { TH_LOG("%s", self->err.text); }
}

FIXTURE_TEARDOWN(swap)
{
	if (!self->on)
		return;
	EXPECT_EQ(0, stage_clear(NAME, &self->err)) { TH_LOG("%s", self->err.text); }
	/* This has no end while something is there that belongs to no process. */
	EXPECT_EQ(0, swapoff(DISK));
	EXPECT_EQ(0, system("echo 1 > /sys/block/zram0/reset"));
	rmdir(self->mark);
	image_free(&self->image);
}

TEST_F(swap, changed_pages_are_counted_and_reset)
{
	uint64_t id;
	pid_t pid;

	if (!self->on)
		SKIP(return, NO_SWAP);
	pid = stage_enter(NAME, "changed", self->mark, &self->err);
	ASSERT_TRUE(stage_settles(NAME, 1));
	id = stage_task_id(NAME);
	EXPECT_LE(MOST, swapped(id, MOST));
	EXPECT_LE(self->before + MOST * STAGE_PAGE / 1024, in_use());
	EXPECT_EQ(0, backend_kernel.task_reset(id, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(0, stage_wait(pid));
}

TEST_F(swap, equal_pages_stay_right)
{
	struct reshare_info info;
	pid_t pid;

	if (!self->on)
		SKIP(return, NO_SWAP);
	pid = stage_enter(NAME, "equal", NULL, &self->err);
	ASSERT_TRUE(stage_stops(pid));
	EXPECT_LE(MOST, swapped(stage_task_id(NAME), MOST));
	EXPECT_EQ(0, backend_kernel.task_reshare(stage_task_id(NAME), &info, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	EXPECT_EQ(0, stage_ends(pid));
}

TEST_F(swap, pages_of_the_image_stay)
{
	struct task_memory memory;
	pid_t pid;

	if (!self->on)
		SKIP(return, NO_SWAP);
	pid = stage_enter(NAME, "reader", NULL, &self->err);
	ASSERT_TRUE(stage_stops(pid));
	ASSERT_EQ(0, backend_kernel.task_memory(stage_task_id(NAME), &memory, &self->err));
	EXPECT_LT(memory.swapped, STAGE_PAGES / 2);
	EXPECT_EQ(0, stage_ends(pid));
	EXPECT_TRUE(stage_image_intact(NAME, &self->image, &self->err));
}

int main(int argc, char **argv)
{
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
