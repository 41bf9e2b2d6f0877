// SPDX-License-Identifier: GPL-2.0
/* What the module refuses: with which error and sentence, and that nothing has changed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netlink/genl/ctrl.h>
#include <netlink/socket.h>

#include <linux/coppice.h>
#include <linux/coppice_dev.h>

#include "../lib/harness.h"

#include "lib/arch.h"
#include "lib/device.h"
#include "lib/netlink.h"
#include "stage.h"

const struct role roles[] = { {} };

#define PAGE STAGE_PAGE
#define BASE 0x100000000UL

static char sentence[256];
static char content[16 * STAGE_PAGE] __attribute__((aligned(4096)));

static struct coppice_reason reason(void)
{
	sentence[0] = '\0';
	return (struct coppice_reason){ (unsigned long)sentence, sizeof(sentence), 0 };
}

FIXTURE(refusal) {
	struct store_info before;
	struct error err;
	int device;
	int image;
};

static int create(int device, const char *name, uint32_t owner)
{
	struct coppice_image_create create = { .reason = reason(), .owner = owner };

	memcpy(create.name, name, strnlen(name, sizeof(create.name)));
	return ioctl(device, COPPICE_IOC_IMAGE_CREATE, &create);
}

FIXTURE_SETUP(refusal)
{
	ASSERT_EQ(0, backend_kernel.status(&self->before, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	self->device = open("/dev/coppice", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->device, 0);
	self->image = create(self->device, "refusal", 0);
	ASSERT_GE(self->image, 0) {
		TH_LOG("%s", sentence);
	}
}

FIXTURE_TEARDOWN(refusal)
{
	struct store_info after;

	/* A load that was given up leaves nothing. */
	close(self->image);
	close(self->device);
	ASSERT_EQ(0, backend_kernel.status(&after, &self->err));
	EXPECT_EQ(self->before.store_pages, after.store_pages);
	EXPECT_EQ(self->before.images, after.images);
	EXPECT_EQ(self->before.unsealed, after.unsealed);
	EXPECT_EQ(self->before.groups, after.groups);
}

static int add(int image, uint64_t start, uint64_t len, uint32_t prot, uint32_t flags, uint64_t data)
{
	struct coppice_image_segment segment = {
		.reason = reason(), .segment = { start, len, prot, flags, data },
	};

	return ioctl(image, COPPICE_IOC_IMAGE_SEGMENT, &segment) ? -errno : 0;
}

static int seal(int image, uint64_t entry, uint64_t stack)
{
	struct coppice_image_seal args = { .reason = reason(), .entry = entry, .stack = stack };

	return ioctl(image, COPPICE_IOC_IMAGE_SEAL, &args) ? -errno : 0;
}

/* One that would be good but for these. */
static int seal_notes(int image, const void *notes, uint32_t len, uint32_t pad)
{
	struct coppice_image_seal args = {
		.reason = reason(), .entry = 2 * BASE, .stack = BASE + STAGE_PAGE,
		.notes = (uint64_t)notes, .notes_len = len, .pad = pad,
	};

	return ioctl(image, COPPICE_IOC_IMAGE_SEAL, &args) ? -errno : 0;
}

#define EXPECT_REFUSED(error, words, call)					\
	EXPECT_EQ(-(error), call) { TH_LOG(#call ": %s", sentence); }		\
	EXPECT_NE(NULL, strstr(sentence, words)) { TH_LOG("%s", sentence); }

#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)
#define DATA ((uint64_t)content)

/* As many as there may be, and the refusal of one more. */
static int fill(int image)
{
	uint64_t at = 16 * BASE;
	int err;

	do {
		err = add(image, at, PAGE, RW, COPPICE_SEGMENT_ANON, 0);
		at += 2 * PAGE;
	} while (!err);
	return err;
}

TEST_F(refusal, segments)
{
	int fd = self->image;

	EXPECT_EQ(0, add(fd, BASE, 4 * PAGE, RW, 0, DATA));
	EXPECT_REFUSED(EINVAL, "overlaps another one", add(fd, BASE, 4 * PAGE, RW, 0, DATA));
	EXPECT_REFUSED(EINVAL, "overlaps another one", add(fd, BASE + 3 * PAGE, 4 * PAGE, RW, 0, DATA));
	EXPECT_REFUSED(EINVAL, "overlaps another one", add(fd, BASE - PAGE, 8 * PAGE, RW, 0, DATA));
	EXPECT_REFUSED(EINVAL, "overlaps another one", add(fd, BASE - PAGE, 2 * PAGE, RW, COPPICE_SEGMENT_ANON, 0));
	EXPECT_REFUSED(EINVAL, "segment is empty", add(fd, 2 * BASE, 0, RW, 0, DATA));
	EXPECT_REFUSED(EINVAL, "segment is not page-aligned", add(fd, 2 * BASE + 1, PAGE, RW, 0, DATA));
	EXPECT_REFUSED(EINVAL, "segment is not page-aligned", add(fd, 2 * BASE, PAGE + 1, RW, 0, DATA));
	EXPECT_REFUSED(EINVAL, "lowest mappable", add(fd, 0, PAGE, RW, 0, DATA));
	EXPECT_REFUSED(EINVAL, "segment reaches into the kernel", add(fd, 0xffff888000000000UL, PAGE, RW, 0, DATA));
	EXPECT_REFUSED(EINVAL, "segment reaches into the kernel", add(fd, ARCH_USER_END - PAGE, 2 * PAGE, RW, 0, DATA));
	EXPECT_REFUSED(EINVAL, "segment reaches into the kernel", add(fd, 2 * BASE, ~0UL << 12, RW, 0, DATA));
	EXPECT_REFUSED(EINVAL, "protection has unknown bits", add(fd, 2 * BASE, PAGE, 8, 0, DATA));
	EXPECT_REFUSED(EINVAL, "segment has unknown flags", add(fd, 2 * BASE, PAGE, RW, 8, DATA));
	EXPECT_REFUSED(EINVAL, "both data and", add(fd, 2 * BASE, PAGE, RW, COPPICE_SEGMENT_ANON, DATA));
	EXPECT_REFUSED(EFAULT, "data can't be read", add(fd, 2 * BASE, PAGE, RW, 0, 64));
	EXPECT_REFUSED(EFAULT, "data can't be read", add(fd, 2 * BASE, PAGE, RW, 0, 0xffff888000000000UL));
	EXPECT_REFUSED(EINVAL, "too many pages", add(fd, 2 * BASE, (1UL << 24) * PAGE, RW, 0, DATA));
	/* None of them counts: their ranges are free. */
	EXPECT_EQ(0, add(fd, 2 * BASE, PAGE, RX, 0, DATA));
	EXPECT_REFUSED(EINVAL, "too many segments", fill(fd));
	EXPECT_EQ(0, seal(fd, 2 * BASE, BASE + PAGE));
	EXPECT_EQ(0, backend_kernel.image_delete("refusal", &self->err));
}

TEST_F(refusal, half_a_segment_that_faults_leaves_no_page)
{
	char *two = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct store_info now;

	ASSERT_NE(MAP_FAILED, two);
	strcpy(two, "only in this page");
	ASSERT_EQ(0, munmap(two + PAGE, PAGE));
	EXPECT_REFUSED(EFAULT, "data can't be read", add(self->image, BASE, 2 * PAGE, RW, 0, (uint64_t)two));
	ASSERT_EQ(0, backend_kernel.status(&now, &self->err));
	EXPECT_EQ(self->before.store_pages, now.store_pages);
	munmap(two, PAGE);
}

TEST_F(refusal, seals)
{
	int fd = self->image;

	EXPECT_REFUSED(EINVAL, "no pages", seal(fd, BASE, BASE));
	EXPECT_EQ(0, add(fd, BASE, 4 * PAGE, RW, 0, DATA));
	EXPECT_EQ(0, add(fd, 2 * BASE, PAGE, RX, 0, DATA));
	EXPECT_REFUSED(EINVAL, "not in an executable segment", seal(fd, BASE, BASE + PAGE));
	EXPECT_REFUSED(EINVAL, "not in an executable segment", seal(fd, 2 * BASE + PAGE, BASE + PAGE));
	EXPECT_REFUSED(EINVAL, "not in an executable segment", seal(fd, 0xffffffff81000000UL, BASE + PAGE));
	EXPECT_REFUSED(EINVAL, "not in a writable segment", seal(fd, 2 * BASE, 2 * BASE + 8));
	EXPECT_REFUSED(EINVAL, "not in a writable segment", seal(fd, 2 * BASE, 0));
	EXPECT_REFUSED(EINVAL, "seal has a non-zero padding", seal_notes(fd, NULL, 0, 1));
	EXPECT_REFUSED(EINVAL, "notes are too long", seal_notes(fd, content, COPPICE_NOTES_MAX + 1, 0));
	EXPECT_REFUSED(EFAULT, "notes can't be read", seal_notes(fd, (void *)64, 100, 0));
	EXPECT_REFUSED(EINVAL, "segment that is writable or has no pages", seal(fd, 0, 0));
	EXPECT_EQ(0, seal(fd, 2 * BASE, BASE + PAGE));
	EXPECT_REFUSED(EBUSY, "sealed already", seal(fd, 2 * BASE, BASE + PAGE));
	EXPECT_REFUSED(EBUSY, "is sealed: load a new one", add(fd, 3 * BASE, PAGE, RW, 0, DATA));
	EXPECT_EQ(0, backend_kernel.image_delete("refusal", &self->err));
}

TEST_F(refusal, names)
{
	static const char *const bad[] = { "", ".x", "-x", "a/b", "a b", "..", "\xc3\xa4" };
	char longest[65];
	size_t i;

	EXPECT_EQ(-1, create(self->device, "refusal", 0));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_NE(NULL, strstr(sentence, "being loaded"));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(-1, create(self->device, bad[i], 0));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_NE(NULL, strstr(sentence, "image's name is not valid"));
	}
	memset(longest, 'a', 64);
	longest[64] = '\0';
	EXPECT_EQ(-1, create(self->device, longest, 0));
	EXPECT_NE(NULL, strstr(sentence, "not terminated"));
	EXPECT_EQ(-1, create(self->device, "owner", (uint32_t)-1));
	EXPECT_NE(NULL, strstr(sentence, "image's owner is not a valid user"));
}

TEST_F(refusal, calls_that_do_not_exist)
{
	EXPECT_EQ(-1, ioctl(self->device, COPPICE_IOC_ENTER, content));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->image, COPPICE_IOC_IMAGE_CREATE, content));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->image, 0xc0ffee, content));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->device, COPPICE_IOC_IMAGE_CREATE, 1));
	EXPECT_EQ(EFAULT, errno);
}

/* Who may not ask may not listen either, to whose tasks start and end. */
static bool hears_events(void)
{
	struct netlink netlink;
	struct error err;
	bool heard;
	int group;

	if (netlink_open(&netlink, &err))
		_exit(10);
	group = genl_ctrl_resolve_grp(netlink.sock, COPPICE_FAMILY_NAME, COPPICE_MCGRP_EVENTS);
	if (group < 0)
		_exit(11);
	heard = !nl_socket_add_membership(netlink.sock, group);
	netlink_close(&netlink);
	return heard;
}

/* As a user who got hold of the device's descriptor. */
TEST_F(refusal, callers_without_the_capability)
{
	pid_t pid;

	EXPECT_TRUE(hears_events());
	pid = fork();
	if (!pid) {
		struct store_info info;
		struct error err;

		if (setgid(65534) || setuid(65534))
			_exit(1);
		if (create(self->device, "stranger", 65534) != -1 || errno != EPERM)
			_exit(2);
		if (!strstr(sentence, "opened with CAP_SYS_ADMIN"))
			_exit(3);
		if (!backend_kernel.status(&info, &err) || !strstr(err.text, "controlled with CAP_SYS_ADMIN"))
			_exit(4);
		if (open("/dev/coppice", O_RDWR) != -1)
			_exit(5);
		if (hears_events())
			_exit(6);
		_exit(0);
	}
	EXPECT_EQ(0, stage_wait(pid));
}

TEST_F(refusal, groups)
{
	struct group_info group = { .name = "g", .image = "none" };
	struct error *err = &self->err;

	EXPECT_EQ(-1, backend_kernel.group_add(&group, err));
	EXPECT_EQ(ENOENT, err->code);
	/* An image that is being loaded is none yet. */
	strcpy(group.image, "refusal");
	EXPECT_EQ(-1, backend_kernel.group_add(&group, err));
	EXPECT_EQ(ENOENT, err->code);
	strcpy(group.name, ".g");
	EXPECT_EQ(-1, backend_kernel.group_add(&group, err));
	EXPECT_NE(NULL, strstr(err->text, "group's name is not valid"));
	strcpy(group.name, "g");
	group.owner = (uid_t)-1;
	EXPECT_EQ(-1, backend_kernel.group_add(&group, err));
	EXPECT_NE(NULL, strstr(err->text, "group's owner is not a valid user"));
	EXPECT_EQ(-1, backend_kernel.group_delete("none", err));
	EXPECT_NE(NULL, strstr(err->text, "no such group"));
	EXPECT_EQ(-1, backend_kernel.image_delete("none", err));
	EXPECT_NE(NULL, strstr(err->text, "no such image"));
}

static int load(int fd, uint32_t owner)
{
	return add(fd, BASE, 4 * PAGE, RW, 0, DATA) ?: add(fd, 2 * BASE, PAGE, RX, 0, DATA) ?:
	       seal(fd, 2 * BASE, BASE + PAGE);
}

/* Whatever is asked of a group's descriptor is what netlink says of its name. */
TEST_F(refusal, what_a_descriptor_stands_for)
{
	struct group_info group = {
		.name = "user", .image = "refusal", .owner = 1000, .max_tasks = 7, .adopt = true,
		.reshare = "every=30",
	}, found, got;
	struct coppice_group_info args = { .reason = reason() };
	int fd;
	pid_t pid;

	memset(group.cgroup, 'c', sizeof(group.cgroup) - 1);
	group.cgroup[0] = '/';
	ASSERT_EQ(0, load(self->image, 0));
	ASSERT_EQ(0, backend_kernel.group_add(&group, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, backend_kernel.group_get("user", &got, &self->err));
	fd = device_open_group("user", &found, &self->err);
	ASSERT_GE(fd, 0) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(got.id, found.id);
	EXPECT_EQ(1000, found.owner);
	EXPECT_EQ(7, found.max_tasks);
	EXPECT_TRUE(found.adopt);
	EXPECT_STREQ("user", found.name);
	EXPECT_STREQ("refusal", found.image);
	EXPECT_STREQ(group.cgroup, found.cgroup);
	EXPECT_STREQ("every=30", found.reshare);
	args.reason.pad = 1;
	EXPECT_REFUSED(1, "padding is not zero", ioctl(fd, COPPICE_IOC_GROUP_INFO, &args));
	args.reason.pad = 0;
	pid = fork();
	if (!pid) {
		if (setgid(1000) || setuid(1000))
			_exit(1);
		if (ioctl(fd, COPPICE_IOC_GROUP_INFO, &args) != -1 || errno != EPERM)
			_exit(2);
		_exit(strstr(sentence, "described with CAP_SYS_ADMIN") && !args.id ? 0 : 3);
	}
	EXPECT_EQ(0, stage_wait(pid));
	/* The one that it was opened as, also when another has its name. */
	EXPECT_EQ(0, backend_kernel.group_delete("user", &self->err));
	group.owner = 1001;
	EXPECT_EQ(0, backend_kernel.group_add(&group, &self->err));
	EXPECT_EQ(0, ioctl(fd, COPPICE_IOC_GROUP_INFO, &args));
	EXPECT_EQ(1000, args.owner);
	EXPECT_EQ(got.id, args.id);
	close(fd);
	EXPECT_EQ(0, backend_kernel.group_delete("user", &self->err));
	EXPECT_EQ(0, backend_kernel.image_delete("refusal", &self->err));
}

TEST_F(refusal, what_is_in_use_stays)
{
	struct group_info group = { .name = "user", .image = "refusal" };
	struct error *err = &self->err;

	ASSERT_EQ(0, load(self->image, 0));
	ASSERT_EQ(0, backend_kernel.group_add(&group, err));
	EXPECT_EQ(-1, backend_kernel.group_add(&group, err));
	EXPECT_EQ(EEXIST, err->code);
	EXPECT_NE(NULL, strstr(err->text, "group of this name exists"));
	EXPECT_EQ(-1, backend_kernel.image_delete("refusal", err));
	EXPECT_EQ(EBUSY, err->code);
	EXPECT_NE(NULL, strstr(err->text, "in use by a group"));
	EXPECT_EQ(0, backend_kernel.group_delete("user", err));
	EXPECT_EQ(0, backend_kernel.image_delete("refusal", err));
}

TEST_F(refusal, images_of_other_owners)
{
	struct group_info group = { .name = "user", .image = "theirs", .owner = 1001 };
	int fd = create(self->device, "theirs", 1000);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, load(fd, 1000));
	EXPECT_EQ(-1, backend_kernel.group_add(&group, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "another owner"));
	EXPECT_EQ(0, backend_kernel.image_delete("theirs", &self->err));
	close(fd);
}

static int info(int image, uint64_t segments, uint32_t nr)
{
	struct coppice_image_info args = {
		.reason = reason(), .segments = segments, .nr_segments = nr,
	};

	return ioctl(image, COPPICE_IOC_IMAGE_INFO, &args) ? -errno : 0;
}

TEST_F(refusal, looking_into_an_image)
{
	void *volatile unmapped = (void *)64;
	struct coppice_segment segments[2];

	EXPECT_REFUSED(EBUSY, "is not sealed yet", info(self->image, 0, 0));
	EXPECT_EQ(-1, pread(self->image, content, 1, 0));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, load(self->image, 0));
	EXPECT_REFUSED(ENOSPC, "room is too small", info(self->image, (uint64_t)segments, 1));
	EXPECT_EQ(-EFAULT, info(self->image, 64, 2));
	EXPECT_EQ(0, info(self->image, (uint64_t)segments, 2));
	EXPECT_EQ(-1, pread(self->image, unmapped, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, pread(self->image, content, 1, 1UL << 40));
	EXPECT_EQ(0, backend_kernel.image_delete("refusal", &self->err));
}

/* Every call's; a later version may mean something by it. */
TEST_F(refusal, padding)
{
	struct coppice_image_create args = { .reason = reason(), .name = "pad", .pad = 1 };
	struct coppice_open group = { .reason = reason(), .name = "pad" };

	EXPECT_EQ(-1, ioctl(self->device, COPPICE_IOC_IMAGE_CREATE, &args));
	EXPECT_NE(NULL, strstr(sentence, "padding is not zero"));
	args.reason.pad = 1;
	args.pad = 0;
	EXPECT_EQ(-1, ioctl(self->device, COPPICE_IOC_IMAGE_CREATE, &args));
	group.reason.pad = 1;
	EXPECT_REFUSED(1, "padding is not zero", ioctl(self->device, COPPICE_IOC_GROUP_OPEN, &group));
	group.reason.pad = 0;
	EXPECT_REFUSED(1, "no such group", ioctl(self->device, COPPICE_IOC_GROUP_OPEN, &group));
	EXPECT_REFUSED(1, "no such image", ioctl(self->device, COPPICE_IOC_IMAGE_OPEN, &group));
}

TEST_F(refusal, callers_without_a_free_descriptor)
{
	struct rlimit limit, none = {};

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none.rlim_max = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-1, create(self->device, "other", 0));
	EXPECT_EQ(EMFILE, errno);
	EXPECT_NE(NULL, strstr(sentence, "no descriptor left"));
	EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
}

/* A request without any attribute. */
static int ask(uint8_t cmd, struct error *err)
{
	struct netlink netlink = {};
	struct nl_msg *msg;
	int ret = -1;

	if (netlink_open(&netlink, err))
		return -1;
	msg = netlink_request(&netlink, cmd, 0, err);
	if (msg)
		ret = netlink_call(&netlink, msg, NULL, NULL, err);
	netlink_close(&netlink);
	return ret;
}

static int add_group(const char *name, const char *image, struct error *err)
{
	struct netlink netlink = {};
	struct nl_msg *msg;
	int ret = -1;

	if (netlink_open(&netlink, err))
		return -1;
	msg = netlink_request(&netlink, COPPICE_CMD_GROUP_ADD, 0, err);
	if (msg && !nla_put_string(msg, COPPICE_A_GROUP_NAME, name) &&
	    (!image || !nla_put_string(msg, COPPICE_A_GROUP_IMAGE, image)))
		ret = netlink_call(&netlink, msg, NULL, NULL, err);
	netlink_close(&netlink);
	return ret;
}

TEST_F(refusal, requests_that_lack_something)
{
	static const struct {
		uint8_t cmd;
		const char *words;
	} requests[] = {
		{ COPPICE_CMD_IMAGE_GET, "image's name is missing" },
		{ COPPICE_CMD_IMAGE_DEL, "image's name is missing" },
		{ COPPICE_CMD_GROUP_GET, "group's name is missing" },
		{ COPPICE_CMD_GROUP_DEL, "group's name is missing" },
		{ COPPICE_CMD_GROUP_ADD, "group's name is missing" },
		{ COPPICE_CMD_TASK_GET, "task's id is missing" },
		{ COPPICE_CMD_TASK_RESHARE, "task's id is missing" },
		{ COPPICE_CMD_TASK_RESET, "task's id is missing" },
		{ COPPICE_CMD_TASK_MEMORY, "task's id is missing" },
		{ COPPICE_CMD_TASK_ADOPT, "What to adopt is not said" },
	};
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		EXPECT_EQ(-1, ask(requests[i].cmd, &self->err));
		EXPECT_EQ(EINVAL, self->err.code);
		EXPECT_NE(NULL, strstr(self->err.text, requests[i].words)) {
			TH_LOG("%u: %s", requests[i].cmd, self->err.text);
		}
	}
	EXPECT_EQ(-1, add_group("g", NULL, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "group's image is missing"));
	EXPECT_EQ(-1, add_group("g", "refusal", &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "group's owner is missing"));
}

static int enter(int group, const struct coppice_enter *how)
{
	struct coppice_enter args = *how;

	args.reason = reason();
	return ioctl(group, COPPICE_IOC_ENTER, &args) < 0 ? -errno : 0;
}

static void unregister_rseq(void)
{
	syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 1, RSEQ_SIG);
}

/* Each in a child: should one of them be let in, it would not come back. */
static int try_enter(int group, uid_t uid, bool rseq, const struct coppice_enter *how,
		     int error, const char *words)
{
	pid_t pid = fork();

	if (!pid) {
		if (uid && setuid(uid))
			_exit(1);
		if (!rseq)
			unregister_rseq();
		if (enter(group, how) != -error)
			_exit(2);
		_exit(strstr(sentence, words) ? 0 : 3);
	}
	return stage_wait(pid);
}

TEST_F(refusal, enters)
{
	struct group_info spec = { .name = "user", .image = "refusal", .owner = 1000 };
	struct coppice_open name = { .name = "user" };
	struct coppice_enter none = {}, flags = { .flags = 8 }, many = { .nr_keep = 5 };
	struct coppice_enter overlap = { .nr_keep = 1, .keep = { { BASE, PAGE } } };
	struct coppice_enter unaligned = { .nr_keep = 1, .keep = { { 3 * BASE + 1, PAGE } } };
	struct coppice_enter kernel = { .nr_keep = 1, .keep = { { 3 * BASE, 1UL << 62 } } };
	struct coppice_enter order = { .nr_keep = 2, .keep = { { 4 * BASE, PAGE }, { 3 * BASE, PAGE } } };
	struct coppice_enter cookie = { .cookie = 1UL << 31 };
	struct coppice_enter again = { .reset_cookie = 1UL << 63 };
	struct coppice_enter saved = {
		.nr_keep = 1, .keep = { { 3 * BASE, PAGE } },
		.nr_home = 1, .home = { { 3 * BASE, PAGE } },
		.saved = 3 * BASE, .saved_len = PAGE,
	}, bytes = saved, long_ = saved, beside = saved, kept = saved, home = saved;
	int group;

	ASSERT_EQ(0, load(self->image, 0));
	ASSERT_EQ(0, backend_kernel.group_add(&spec, &self->err));
	group = ioctl(self->device, COPPICE_IOC_GROUP_OPEN, &name);
	ASSERT_GE(group, 0);
	EXPECT_EQ(0, try_enter(group, 0, false, &none, EACCES, "Only the group's owner may enter"));
	EXPECT_EQ(0, try_enter(group, 1001, false, &none, EACCES, "Only the group's owner may enter"));
	EXPECT_EQ(0, try_enter(group, 1000, true, &none, EBUSY, "has an rseq area"));
	EXPECT_EQ(0, try_enter(group, 1000, false, &flags, EINVAL, "call has unknown flags"));
	EXPECT_EQ(0, try_enter(group, 1000, false, &many, EINVAL, "too many ranges"));
	EXPECT_EQ(0, try_enter(group, 1000, false, &overlap, EINVAL, "overlaps a segment"));
	EXPECT_EQ(0, try_enter(group, 1000, false, &unaligned, EINVAL, "keep is empty or not page-aligned"));
	EXPECT_EQ(0, try_enter(group, 1000, false, &kernel, EINVAL, "keep reaches into the kernel"));
	EXPECT_EQ(0, try_enter(group, 1000, false, &order, EINVAL, "not in order"));
	EXPECT_EQ(0, try_enter(group, 1000, false, &cookie, EINVAL, "cookie does not fit into the result"));
	EXPECT_EQ(0, try_enter(group, 1000, false, &again, EINVAL, "cookie does not fit into the result"));
	bytes.saved += 8;
	bytes.saved_len -= 8;
	EXPECT_EQ(0, try_enter(group, 1000, false, &bytes, EINVAL, "saved is not in what is kept"));
	long_.saved_len = COPPICE_SAVED_MAX + 1;
	EXPECT_EQ(0, try_enter(group, 1000, false, &long_, EINVAL, "more than 4 MiB"));
	beside.saved_len++;
	EXPECT_EQ(0, try_enter(group, 1000, false, &beside, EINVAL, "saved is not in what is kept"));
	kept.nr_keep = 0;
	EXPECT_EQ(0, try_enter(group, 1000, false, &kept, EINVAL, "saved is not in what is kept"));
	home.nr_home = 0;
	EXPECT_EQ(0, try_enter(group, 1000, false, &home, EINVAL, "saved is not in what is kept"));
	EXPECT_EQ(0, try_enter(group, 1000, false, &saved, EFAULT, "saved can't be read"));
	EXPECT_EQ(0, stage_tasks("user"));
	/* A deleted group's descriptor lets nobody in. */
	EXPECT_EQ(0, backend_kernel.group_delete("user", &self->err));
	EXPECT_EQ(0, try_enter(group, 1000, false, &none, ENODEV, "group was deleted: open"));
	close(group);
	EXPECT_EQ(0, backend_kernel.image_delete("refusal", &self->err));
}

static void *sleeper(void *arg)
{
	return pause(), arg;
}

TEST_F(refusal, a_caller_with_threads)
{
	struct group_info spec = { .name = "user", .image = "refusal" };
	struct coppice_open name = { .name = "user" };
	struct coppice_enter none = {};
	pthread_t thread;
	int group;
	pid_t pid;

	ASSERT_EQ(0, load(self->image, 0));
	ASSERT_EQ(0, backend_kernel.group_add(&spec, &self->err));
	group = ioctl(self->device, COPPICE_IOC_GROUP_OPEN, &name);
	pid = fork();
	if (!pid) {
		unregister_rseq();
		pthread_create(&thread, NULL, sleeper, NULL);
		_exit(enter(group, &none) == -EBUSY && strstr(sentence, "caller has several threads") ? 0 : 1);
	}
	EXPECT_EQ(0, stage_wait(pid));
	close(group);
	EXPECT_EQ(0, backend_kernel.group_delete("user", &self->err));
	EXPECT_EQ(0, backend_kernel.image_delete("refusal", &self->err));
}

int main(int argc, char **argv)
{
	memset(content, 0x42, sizeof(content));
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
