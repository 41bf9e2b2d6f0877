// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation of a load, of a group's making and of either's end fails once: the caller is
 * told, nothing is left behind, and what it has can be used as if it had not been tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/coppice_dev.h>

#include "../lib/harness.h"

#include "fault.h"
#include "stage.h"

const struct role roles[] = { {} };

#define NAME	"faulty"
#define OWNER	4711	/* who has no image else, so no pages in the store */
#define PAGE	STAGE_PAGE
#define BASE	0x100000000UL
#define PAGES	5
#define HUGE	(2UL << 20)
#define RW	(PROT_READ | PROT_WRITE)
#define RX	(PROT_READ | PROT_EXEC)
/* Seconds: with all checks on, and each allocation failing once. */
#define SLOW	600

static char sentence[256];
static char content[HUGE] __attribute__((aligned(4096)));

FIXTURE(fault) {
	struct store_info before;
	struct error err;
	int device;
	int image;
};

FIXTURE_SETUP(fault)
{
	unsigned int i;

	ASSERT_TRUE(fault_prepare());
	for (i = 0; i < sizeof(content); i += PAGE)
		memcpy(content + i, &i, sizeof(i));
	self->device = open("/dev/coppice", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->device, 0);
	ASSERT_EQ(0, backend_kernel.status(&self->before, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
}

FIXTURE_TEARDOWN(fault)
{
	close(self->device);
	EXPECT_TRUE(stage_leaves(&self->before, &self->err)) { TH_LOG("%s", self->err.text); }
}

static struct coppice_reason reason(void)
{
	sentence[0] = '\0';
	return (struct coppice_reason) { (uintptr_t)sentence, sizeof(sentence), 0 };
}

/*
 * What a load consists of. Each takes the image's descriptor or sets it; the first segment
 * makes room for more.
 */

typedef FIXTURE_DATA(fault) fixture;

static int create(fixture *self)
{
	struct coppice_image_create args = { .reason = reason(), .name = NAME, .owner = OWNER };

	self->image = ioctl(self->device, COPPICE_IOC_IMAGE_CREATE, &args);
	return self->image < 0 ? -errno : 0;
}

static int add(fixture *self, uint64_t start, uint64_t len, uint32_t prot, uint32_t flags)
{
	struct coppice_image_segment args = {
		.reason = reason(),
		.segment = { start, len, prot, flags,
			     flags & COPPICE_SEGMENT_ANON ? 0 : (uintptr_t)content },
	};

	return ioctl(self->image, COPPICE_IOC_IMAGE_SEGMENT, &args) ? -errno : 0;
}

static int add_data(fixture *self)
{
	return add(self, BASE, PAGES * PAGE, RX, 0);
}

static int add_fresh(fixture *self)
{
	return add(self, 2 * BASE, PAGE, RW, COPPICE_SEGMENT_ANON);
}

static int add_huge(fixture *self)
{
	return add(self, 3 * BASE, HUGE, PROT_READ, COPPICE_SEGMENT_HUGE);
}

static int seal(fixture *self)
{
	struct coppice_image_seal args = {
		.reason = reason(), .entry = BASE, .stack = 2 * BASE + PAGE,
		.notes = (uintptr_t)content, .notes_len = 100,
	};

	return ioctl(self->image, COPPICE_IOC_IMAGE_SEAL, &args) ? -errno : 0;
}

static int (*const steps[])(fixture *self) = { create, add_data, add_fresh, seal };
#define STEPS ((int)(sizeof(steps) / sizeof(steps[0])))

static int take_steps(fixture *self, int from, int end)
{
	int err = 0;

	for (; from < end && !err; from++)
		err = steps[from](self);
	return err;
}

static bool loaded(const fixture *self)
{
	static char page[PAGE];
	int i;

	for (i = 0; i < PAGES; i++)
		if (pread(self->image, page, PAGE, i * PAGE) != PAGE ||
		    memcmp(page, content + i * PAGE, PAGE))
			return false;
	return true;
}

/* A step may fail for lack of memory only, says so, and can be taken again. */
static void expect_again(struct __test_metadata *_metadata, fixture *self,
			 const struct walk *walk, int err, int (*step)(fixture *self))
{
	if (!err)
		return;
	EXPECT_TRUE(walk->hit);
	EXPECT_EQ(-ENOMEM, err) { TH_LOG("allocation %u: %s", walk->nth, sentence); }
	EXPECT_NE('\0', sentence[0]);
	fault_hear(sentence);
	ASSERT_EQ(0, step(self)) { TH_LOG("allocation %u: %s", walk->nth, sentence); }
}

static void walk_step(struct __test_metadata *_metadata, fixture *self, int nr)
{
	struct walk walk = { .pid = gettid() };
	int err;

	while (walk_next(&walk)) {
		ASSERT_EQ(0, take_steps(self, 0, nr));
		walk_arm(&walk);
		err = steps[nr](self);
		walk_disarm(&walk);
		expect_again(_metadata, self, &walk, err, steps[nr]);
		ASSERT_EQ(0, take_steps(self, nr + 1, STEPS)) { TH_LOG("%s", sentence); }
		EXPECT_TRUE(loaded(self));
		close(self->image);
		ASSERT_EQ(0, backend_kernel.image_delete(NAME, &self->err));
	}
	TH_LOG("%u allocations", walk.nth - 1);
	EXPECT_LT(1, walk.nth);
}

TEST_F_TIMEOUT(fault, beginning_a_load, SLOW)
{
	fault_want("memory for the image:");
	fault_want("memory for the descriptor");
	walk_step(_metadata, self, 0);
	EXPECT_HEARD();
}

TEST_F_TIMEOUT(fault, segments, SLOW)
{
	fault_want("memory for the page store");
	fault_want("memory for the image:");
	walk_step(_metadata, self, 1);
	EXPECT_HEARD();
}

TEST_F_TIMEOUT(fault, seals, SLOW)
{
	fault_want("memory for the image's notes");
	fault_want("memory for the image's table");
	walk_step(_metadata, self, 3);
	EXPECT_HEARD();
}

/*
 * Small pages do as well, so that it is not refused. There is an allocation for each page,
 * and a few before.
 */
TEST_F_TIMEOUT(fault, huge_pages, SLOW)
{
	struct walk walk = { .pid = gettid() };
	int err;

	while (walk_next(&walk)) {
		walk.step = walk.nth < 6 ? 1 : 7;
		ASSERT_EQ(0, create(self));
		walk_arm(&walk);
		err = add_huge(self);
		walk_disarm(&walk);
		expect_again(_metadata, self, &walk, err, add_huge);
		close(self->image);
		EXPECT_TRUE(stage_leaves(&self->before, &self->err)) {
			TH_LOG("allocation %u: %s", walk.nth, self->err.text);
		}
	}
	EXPECT_LT(HUGE / PAGE, walk.nth);
}

/*
 * Requests by netlink. Where the answer is lost, for which no memory is left, what was
 * asked for may have been done.
 */

static void expect_excuse(struct __test_metadata *_metadata, const struct walk *walk,
			  const struct error *err)
{
	EXPECT_TRUE(walk->hit);
	EXPECT_TRUE(err->code == ENOMEM || err->code == EIO) {
		TH_LOG("allocation %u: %s", walk->nth, err->text);
	}
	fault_hear(err->text);
}

static void load(struct __test_metadata *_metadata, fixture *self)
{
	ASSERT_EQ(0, take_steps(self, 0, STEPS)) { TH_LOG("%s", sentence); }
	close(self->image);
}

static int add_group(struct error *err)
{
	struct group_info group = {
		.name = NAME, .image = NAME, .owner = OWNER, .cgroup = "/coppice/" NAME,
	};

	return backend_kernel.group_add(&group, err);
}

static bool there_is_group(struct error *err)
{
	struct group_info info;

	return !backend_kernel.group_get(NAME, &info, err);
}

static bool there_is_image(struct error *err)
{
	struct image_info info;

	return !backend_kernel.image_get(NAME, &info, err);
}

static int delete_group(struct error *err)
{
	return backend_kernel.group_delete(NAME, err);
}

static int delete_image(struct error *err)
{
	return backend_kernel.image_delete(NAME, err);
}

TEST_F_TIMEOUT(fault, adding_a_group, SLOW)
{
	struct walk walk = { .pid = gettid() };
	int ret;

	fault_want("memory for the group");
	load(_metadata, self);
	while (walk_next(&walk)) {
		walk_arm(&walk);
		ret = add_group(&self->err);
		walk_disarm(&walk);
		if (ret)
			expect_excuse(_metadata, &walk, &self->err);
		if (!there_is_group(&self->err)) {
			EXPECT_EQ(-1, ret);
			EXPECT_EQ(0, add_group(&self->err)) { TH_LOG("%s", self->err.text); }
		}
		EXPECT_EQ(0, delete_group(&self->err)) { TH_LOG("%s", self->err.text); }
	}
	EXPECT_HEARD();
	EXPECT_EQ(0, delete_image(&self->err));
}

/* It is deleted, or it is there and can be. */
static void walk_delete(struct __test_metadata *_metadata, fixture *self,
			void (*make)(struct __test_metadata *_metadata, fixture *self),
			bool (*there_is)(struct error *err), int (*delete)(struct error *err))
{
	struct walk walk = { .pid = gettid() };
	int ret;

	while (walk_next(&walk)) {
		make(_metadata, self);
		walk_arm(&walk);
		ret = delete(&self->err);
		walk_disarm(&walk);
		if (ret)
			expect_excuse(_metadata, &walk, &self->err);
		if (there_is(&self->err)) {
			EXPECT_EQ(-1, ret);
			EXPECT_EQ(0, delete(&self->err)) { TH_LOG("%s", self->err.text); }
		}
	}
	EXPECT_LT(1, walk.nth);
}

static void make_group(struct __test_metadata *_metadata, fixture *self)
{
	ASSERT_EQ(0, add_group(&self->err)) { TH_LOG("%s", self->err.text); }
}

TEST_F_TIMEOUT(fault, deleting, SLOW)
{
	load(_metadata, self);
	walk_delete(_metadata, self, make_group, there_is_group, delete_group);
	EXPECT_EQ(0, delete_image(&self->err));
	walk_delete(_metadata, self, load, there_is_image, delete_image);
}

/* Questions: 0 with the right answer, 1 with a wrong one. */

static int ask_status(struct error *err)
{
	struct store_info info;

	return backend_kernel.status(&info, err) ?: info.image_pages < PAGES || !info.groups;
}

static int ask_image(struct error *err)
{
	struct image_info info;

	return backend_kernel.image_get(NAME, &info, err) ?: info.pages != PAGES;
}

static int ask_group(struct error *err)
{
	struct group_info info;

	return backend_kernel.group_get(NAME, &info, err) ?: info.owner != OWNER;
}

static int find_image(const struct image_info *info, void *data)
{
	*(bool *)data |= !strcmp(info->name, NAME);
	return 0;
}

static int list_images(struct error *err)
{
	bool found = false;

	return backend_kernel.image_each(find_image, &found, err) ?: !found;
}

static int find_group(const struct group_info *info, void *data)
{
	*(bool *)data |= !strcmp(info->name, NAME);
	return 0;
}

static int list_groups(struct error *err)
{
	bool found = false;

	return backend_kernel.group_each(find_group, &found, err) ?: !found;
}

TEST_F_TIMEOUT(fault, questions, SLOW)
{
	int (*const questions[])(struct error *err) = {
		ask_status, ask_image, ask_group, list_images, list_groups,
	};
	size_t i;
	int ret;

	fault_want("memory for the reply");
	load(_metadata, self);
	ASSERT_EQ(0, add_group(&self->err));
	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		struct walk walk = { .pid = gettid() };

		while (walk_next(&walk)) {
			walk_arm(&walk);
			ret = questions[i](&self->err);
			walk_disarm(&walk);
			if (ret)
				expect_excuse(_metadata, &walk, &self->err);
			EXPECT_EQ(0, questions[i](&self->err)) { TH_LOG("%s", self->err.text); }
		}
		EXPECT_LT(1, walk.nth);
	}
	EXPECT_HEARD();
	EXPECT_EQ(0, delete_group(&self->err));
	EXPECT_EQ(0, delete_image(&self->err));
}

static int open_by_name(fixture *self, unsigned long call)
{
	struct coppice_open args = { .reason = reason(), .name = NAME };
	int fd = ioctl(self->device, call, &args);

	return fd < 0 ? -errno : close(fd);
}

static int open_image(fixture *self)
{
	return open_by_name(self, COPPICE_IOC_IMAGE_OPEN);
}

static int open_group(fixture *self)
{
	return open_by_name(self, COPPICE_IOC_GROUP_OPEN);
}

TEST_F_TIMEOUT(fault, descriptors, SLOW)
{
	int (*const opens[])(fixture *self) = { open_image, open_group };
	int i, err;

	fault_want("memory for the descriptor");
	load(_metadata, self);
	ASSERT_EQ(0, add_group(&self->err));
	for (i = 0; i < 2; i++) {
		struct walk walk = { .pid = gettid() };

		while (walk_next(&walk)) {
			walk_arm(&walk);
			err = opens[i](self);
			walk_disarm(&walk);
			expect_again(_metadata, self, &walk, err, opens[i]);
		}
		EXPECT_LT(1, walk.nth);
	}
	EXPECT_HEARD();
	EXPECT_EQ(0, delete_group(&self->err));
	EXPECT_EQ(0, delete_image(&self->err));
}

int main(int argc, char **argv)
{
	return test_harness_run(argc, argv);
}
