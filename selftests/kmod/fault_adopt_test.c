// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation of an adoption fails once, of who asks for it and of the worker that does
 * it: the process has all of its pages, the old or the new ones, or it is dead.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "fault.h"
#include "stage.h"

const struct role roles[] = { {} };

#define LIBRARY	"faulty"
#define PAGE	STAGE_PAGE
#define KILLED	(128 + SIGKILL)
/* Seconds: with all checks on, and a process for each allocation. */
#define SLOW	600
#define FILE_PAGES	16
#define LIBRARY_AT	0x100000000UL

FIXTURE(adoption) {
	struct store_info before;
	struct error err;
	char content[FILE_PAGES * PAGE];
	int file;
	char *map;
	pid_t pid;
};

typedef FIXTURE_DATA(adoption) adoption;

static int load_library(adoption *self)
{
	struct group_info group = { .name = LIBRARY, .image = LIBRARY };
	struct image_segment segment = {
		.start = LIBRARY_AT, .len = sizeof(self->content), .prot = PROT_READ,
		.data = self->content,
	};
	struct image image = { .segments = &segment, .nr_segments = 1 };

	return backend_kernel.image_load(LIBRARY, 0, &image, &self->err) ?:
	       backend_kernel.group_add(&group, &self->err);
}

static int make_file(adoption *self)
{
	const char *path = "/tmp/coppice-fault.so";
	int i, fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (i = 0; i < FILE_PAGES; i++)
		memset(self->content + i * PAGE, i + 1, PAGE);
	if (fd < 0 || write(fd, self->content, sizeof(self->content)) != sizeof(self->content))
		return -1;
	close(fd);
	self->file = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	return self->file;
}

FIXTURE_SETUP(adoption)
{
	ASSERT_TRUE(fault_prepare());
	ASSERT_EQ(0, backend_kernel.status(&self->before, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	ASSERT_GE(make_file(self), 0);
	ASSERT_EQ(0, load_library(self)) { TH_LOG("%s", self->err.text); }
	self->map = mmap(NULL, sizeof(self->content), PROT_READ, MAP_PRIVATE, self->file, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(adoption)
{
	EXPECT_EQ(0, stage_clear(LIBRARY, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_TRUE(stage_leaves(&self->before, &self->err)) { TH_LOG("%s", self->err.text); }
}

/* A process that has the file in memory; it ends with 0 if it finds it there still. */
static void start_process(struct __test_metadata *_metadata, adoption *self)
{
	self->pid = fork();
	if (!self->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (memcmp(self->map, self->content, sizeof(self->content)))
			_exit(1);
		raise(SIGSTOP);
		_exit(memcmp(self->map, self->content, sizeof(self->content)) ? 2 : 0);
	}
	ASSERT_TRUE(stage_stops(self->pid));
}

static int adopt(adoption *self, struct adopt_info *info)
{
	struct adopt_range range = {
		.pid = self->pid, .group = LIBRARY, .address = (uintptr_t)self->map,
		.length = sizeof(self->content), .image_address = LIBRARY_AT,
	};

	return backend_kernel.adopt(&range, info, &self->err);
}

/* Has it been told of, or is it another's fault? EFAULT: the process was killed. */
static void expect_adopted(struct __test_metadata *_metadata, adoption *self,
			   const struct walk *walk, int ret)
{
	bool killed = ret && self->err.code == EFAULT;
	struct adopt_info info;

	if (ret) {
		EXPECT_TRUE(walk->hit);
		EXPECT_TRUE(killed || self->err.code == ENOMEM || self->err.code == EIO) {
			TH_LOG("allocation %u: %d: %s", walk->nth, self->err.code, self->err.text);
		}
		fault_hear(self->err.text);
	}
	if (!killed && !stage_tasks(LIBRARY)) {
		EXPECT_EQ(0, adopt(self, &info)) { TH_LOG("%s", self->err.text); }
		EXPECT_EQ(FILE_PAGES, info.adopted);
	}
	EXPECT_EQ(killed ? KILLED : 0, stage_ends(self->pid));
	EXPECT_TRUE(stage_settles(LIBRARY, 0));
}

static void walk_adoptions(struct __test_metadata *_metadata, adoption *self, pid_t pid)
{
	struct walk walk = { .pid = pid };
	struct adopt_info info;
	int ret;

	fault_want("memory for the adoption");
	while (walk_next(&walk)) {
		start_process(_metadata, self);
		walk_arm(&walk);
		ret = adopt(self, &info);
		walk_disarm(&walk);
		expect_adopted(_metadata, self, &walk, ret);
	}
	TH_LOG("%u allocations", walk.nth - 1);
	EXPECT_HEARD();
}

TEST_F_TIMEOUT(adoption, requests, SLOW)
{
	walk_adoptions(_metadata, self, gettid());
}

TEST_F_TIMEOUT(adoption, replacements, SLOW)
{
	fault_want("memory for the mapping");
	fault_want("memory for the task");
	fault_want("mapping could not be replaced");
	walk_adoptions(_metadata, self, WALK_WORKERS);
}

int main(int argc, char **argv)
{
	return test_harness_run(argc, argv);
}
