// SPDX-License-Identifier: GPL-2.0
/*
 * Who pays: an image's pages are charged once, to the memory cgroup of whoever loaded
 * them first. A group's cgroup is charged what its tasks change, and its limit counts for that.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "cage.h"
#include "lib/cgroup.h"
#include "stage.h"

#define MIB	(1UL << 20)
#define BIG	(24 * MIB)	/* of the image */
#define SMALL	(8 * MIB)	/* a limit that does not hold it */
#define LITTLE	(4 * MIB)	/* more than all that is not the image's pages */
#define AMPLE	(256 * MIB)

#define LOADER	"/coppice-memcg/loader"
#define FIRST	"/coppice-memcg/first"
#define SECOND	"/coppice-memcg/second"

static unsigned char *big;

/* Each page is like no other. */
static void prepare_big(void)
{
	size_t i;

	big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (big == MAP_FAILED)
		exit(90);
	for (i = 0; i < BIG; i += STAGE_PAGE) {
		memcpy(big + i, "big", 3);
		memcpy(big + i + 8, &i, sizeof(i));
	}
}

static bool big_right(void)
{
	size_t i;

	for (i = 0; i < BIG; i += STAGE_PAGE)
		if (memcmp(big + i, "big", 3) || memcmp(big + i + 8, &i, sizeof(i)))
			return false;
	return true;
}

static int play_read(int argc, char **argv)
{
	if (!big_right())
		return 1;
	raise(SIGSTOP);
	return big_right() ? 0 : 2;
}

static int play_write(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < BIG; i += STAGE_PAGE)
		big[i + 100] = 1;
	return 0;
}

const struct role roles[] = {
	{ "read", play_read },
	{ "write", play_write },
	{}
};

static uint64_t charged(const char *cgroup)
{
	return cage_number(cgroup, "memory.current", "");
}

static uint64_t kills(const char *cgroup)
{
	return cage_number(cgroup, "memory.events", "oom_kill ");
}

FIXTURE(memcg) {
	struct image image;
	struct error err;
};

static int make_cgroup(const char *cgroup, uint64_t max, struct error *err)
{
	struct cgroup_limits limits = { .memory_max = max };
	bool made;

	return cgroup_make(cgroup, &limits, &made, err);
}

/* Of the fixture's image, in @cgroup: 0, or the loader's errno. */
static int load_in(const char *cgroup, const char *name, const struct image *image)
{
	pid_t pid = fork();

	if (!pid) {
		struct error err;

		if (cage_put(cgroup, 0))
			_exit(201);
		if (!backend_kernel.image_load(name, 0, image, &err))
			_exit(0);
		fprintf(stderr, "# %s\n", err.text);
		_exit(err.code);
	}
	return stage_wait(pid);
}

static int add_group(const char *name, const char *image, struct error *err)
{
	struct group_info group = {};

	snprintf(group.name, sizeof(group.name), "%s", name);
	snprintf(group.image, sizeof(group.image), "%s", image);
	return backend_kernel.group_add(&group, err);
}

static pid_t enter_in(const char *cgroup, const char *group, const char *role, struct error *err)
{
	struct launch launch = {};
	pid_t pid;

	if (backend_kernel.launch_open(group, &launch, err))
		return -1;
	pid = fork();
	if (!pid) {
		if (cage_put(cgroup, 0))
			_exit(201);
		stage_launch(&launch, 0, group, role, NULL);
	}
	backend_kernel.launch_close(&launch);
	return pid;
}

FIXTURE_SETUP(memcg)
{
	stage_prepare = prepare_big;
	ASSERT_EQ(0, stage_build(&self->image, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, make_cgroup(LOADER, AMPLE, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, make_cgroup(FIRST, SMALL, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, make_cgroup(SECOND, SMALL, &self->err)) { TH_LOG("%s", self->err.text); }
}

FIXTURE_TEARDOWN(memcg)
{
	EXPECT_EQ(0, cgroup_destroy(FIRST, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(0, cgroup_destroy(SECOND, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(0, cgroup_destroy(LOADER, &self->err)) { TH_LOG("%s", self->err.text); }
	image_free(&self->image);
}

TEST_F(memcg, the_first_loader_pays_once)
{
	ASSERT_EQ(0, load_in(LOADER, "memcg", &self->image));
	EXPECT_LE(BIG, charged(LOADER));
	/* The same content for another loader, whose limit would not hold it. */
	ASSERT_EQ(0, load_in(FIRST, "memcg.2", &self->image));
	EXPECT_GT(LITTLE, charged(FIRST));
	EXPECT_EQ(0, backend_kernel.image_delete("memcg", &self->err));
	EXPECT_LE(BIG, charged(LOADER));
	EXPECT_EQ(0, backend_kernel.image_delete("memcg.2", &self->err));
	EXPECT_GT(LITTLE, charged(LOADER));
}

TEST_F(memcg, tasks_are_not_charged_what_they_share)
{
	pid_t first, second;
	uint64_t before;

	ASSERT_EQ(0, load_in(LOADER, "memcg", &self->image));
	before = charged(LOADER);
	ASSERT_EQ(0, add_group("memcg.first", "memcg", &self->err));
	ASSERT_EQ(0, add_group("memcg.second", "memcg", &self->err));
	first = enter_in(FIRST, "memcg.first", "read", &self->err);
	second = enter_in(SECOND, "memcg.second", "read", &self->err);
	ASSERT_TRUE(stage_stops(first));
	ASSERT_TRUE(stage_stops(second));
	/* Each has mapped and read three times its limit. */
	EXPECT_GT(LITTLE, charged(FIRST));
	EXPECT_GT(LITTLE, charged(SECOND));
	EXPECT_GT(before + LITTLE, charged(LOADER));
	kill(first, SIGCONT);
	kill(second, SIGCONT);
	EXPECT_EQ(0, stage_wait(first));
	EXPECT_EQ(0, stage_wait(second));
	EXPECT_TRUE(stage_settles("memcg.first", 0));
	EXPECT_EQ(0, backend_kernel.group_delete("memcg.first", &self->err));
	EXPECT_EQ(0, stage_settles("memcg.second", 0) ?
		     backend_kernel.group_delete("memcg.second", &self->err) : -1);
	EXPECT_EQ(0, backend_kernel.image_delete("memcg", &self->err));
}

TEST_F(memcg, a_group_over_its_limit_is_killed_alone)
{
	pid_t reader, writer;

	ASSERT_EQ(0, load_in(LOADER, "memcg", &self->image));
	ASSERT_EQ(0, add_group("memcg.first", "memcg", &self->err));
	ASSERT_EQ(0, add_group("memcg.second", "memcg", &self->err));
	reader = enter_in(SECOND, "memcg.second", "read", &self->err);
	ASSERT_TRUE(stage_stops(reader));
	writer = enter_in(FIRST, "memcg.first", "write", &self->err);
	EXPECT_EQ(128 + SIGKILL, stage_wait(writer));
	EXPECT_EQ(1, kills(FIRST));
	EXPECT_EQ(0, kills(SECOND));
	EXPECT_EQ(0, kills(LOADER));
	kill(reader, SIGCONT);
	EXPECT_EQ(0, stage_wait(reader));
	EXPECT_TRUE(stage_image_intact("memcg", &self->image, &self->err));
	EXPECT_TRUE(stage_settles("memcg.first", 0));
	EXPECT_EQ(0, backend_kernel.group_delete("memcg.first", &self->err));
	EXPECT_EQ(0, stage_settles("memcg.second", 0) ?
		     backend_kernel.group_delete("memcg.second", &self->err) : -1);
	EXPECT_EQ(0, backend_kernel.image_delete("memcg", &self->err));
}

TEST_F(memcg, a_load_over_the_limit_is_refused)
{
	struct store_info before, after;

	ASSERT_EQ(0, backend_kernel.status(&before, &self->err));
	EXPECT_EQ(ENOMEM, load_in(FIRST, "memcg", &self->image));
	EXPECT_EQ(0, kills(FIRST));
	ASSERT_EQ(0, backend_kernel.status(&after, &self->err));
	EXPECT_EQ(before.store_pages, after.store_pages);
	EXPECT_GT(LITTLE, charged(FIRST));
}

int main(int argc, char **argv)
{
	stage_prepare = prepare_big;
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
