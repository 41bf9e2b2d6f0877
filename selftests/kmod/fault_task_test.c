// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation of what becomes of tasks fails once: an enter, a fork, a reshare, a reset, and
 * whatever tasks do to their memory. Each is as it was, or what was asked for,
 * or dead; listeners hear of those alone that there have been.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/coppice.h>
#include <linux/coppice_dev.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "../lib/harness.h"

#include "fault.h"
#include "lib/netlink.h"
#include "puppet.h"
#include "stage.h"

const struct role roles[] = { {} };

#define NAME	"faulty"
#define PAGE	STAGE_PAGE
#define KILLED	(128 + SIGKILL)
/* Seconds: with all checks on, and a task for each allocation. */
#define SLOW	600
/* Tasks that a group learns from, and one. */
#define LEARNERS 5

FIXTURE(fault) {
	struct store_info before;
	struct error err;
	struct puppet *puppet;
	int group;
	struct netlink listener;
	struct { int entered, exited; } events;
};

typedef FIXTURE_DATA(fault) fixture;

/*
 * Events. They may be lost, but none is told of what has not been.
 */

static int count_event(struct nl_msg *msg, void *data)
{
	int cmd = genlmsg_hdr(nlmsg_hdr(msg))->cmd;
	fixture *self = data;

	self->events.entered += cmd == COPPICE_CMD_TASK_ENTER_NTF;
	self->events.exited += cmd == COPPICE_CMD_TASK_EXIT_NTF;
	return NL_OK;
}

static int hear_events(fixture *self)
{
	struct nl_sock *sock;
	int group;

	if (netlink_open(&self->listener, &self->err))
		return -1;
	sock = self->listener.sock;
	group = genl_ctrl_resolve_grp(sock, COPPICE_FAMILY_NAME, COPPICE_MCGRP_EVENTS);
	nl_socket_disable_seq_check(sock);
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, count_event, self);
	return group < 0 || nl_socket_add_membership(sock, group) ||
	       nl_socket_set_nonblocking(sock);
}

/* What has been told since the last time. */
static void take_events(fixture *self)
{
	self->events.entered = self->events.exited = 0;
	while (nl_recvmsgs_default(self->listener.sock) >= 0)
		;
}

static int open_group(void)
{
	struct coppice_open args = { .name = NAME };
	int device = open("/dev/coppice", O_RDWR | O_CLOEXEC), fd;

	fd = ioctl(device, COPPICE_IOC_GROUP_OPEN, &args);
	close(device);
	return fd;
}

FIXTURE_SETUP(fault)
{
	ASSERT_TRUE(fault_prepare());
	ASSERT_EQ(0, backend_kernel.status(&self->before, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	ASSERT_EQ(0, puppet_set(NAME, &self->err)) { TH_LOG("%s", self->err.text); }
	self->group = open_group();
	ASSERT_GE(self->group, 0);
	self->puppet = puppet_new();
	ASSERT_NE(NULL, self->puppet);
	ASSERT_EQ(0, hear_events(self));
}

FIXTURE_TEARDOWN(fault)
{
	netlink_close(&self->listener);
	munmap(self->puppet, PAGE);
	close(self->group);
	EXPECT_EQ(0, stage_clear(NAME, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_TRUE(stage_leaves(&self->before, &self->err)) { TH_LOG("%s", self->err.text); }
}

static void start(struct __test_metadata *_metadata, fixture *self)
{
	self->puppet->nth = 0;
	ASSERT_TRUE(puppet_start(self->puppet, self->group)) {
		TH_LOG("status %d: %s", puppet_reap(self->puppet), self->puppet->sentence);
	}
}

/* It can be reset, whatever it has done, and read and write then; and it ends. */
static void expect_sound(struct __test_metadata *_metadata, fixture *self)
{
	unsigned int starts = self->puppet->starts;

	EXPECT_TRUE(puppet_do(self->puppet, PUPPET_RESET));
	EXPECT_EQ(starts + 1, self->puppet->starts) { TH_LOG("%s", self->puppet->sentence); }
	EXPECT_TRUE(puppet_do(self->puppet, PUPPET_TOUCH));
	EXPECT_EQ(0, puppet_end(self->puppet));
}

/* What a puppet was told to do while an allocation failed, and did not die of. */
static void expect_excuse(struct __test_metadata *_metadata, fixture *self,
			  const struct walk *walk)
{
	if (self->puppet->result >= 0)
		return;
	EXPECT_TRUE(walk->hit);
	EXPECT_EQ(-ENOMEM, self->puppet->result) {
		TH_LOG("allocation %u: '%s'", walk->nth, self->puppet->sentence);
	}
	fault_hear(self->puppet->sentence);
}

/* The same of a request by netlink, the answer to which may have been lost. */
static void expect_request_excuse(struct __test_metadata *_metadata, fixture *self,
				  const struct walk *walk)
{
	EXPECT_TRUE(walk->hit);
	EXPECT_TRUE(self->err.code == ENOMEM || self->err.code == EIO) {
		TH_LOG("allocation %u: %d: %s", walk->nth, self->err.code, self->err.text);
	}
	fault_hear(self->err.text);
}

/*
 * Entering. The caller itself makes the allocation fail, between its fork and the call.
 */

static void expect_refused(struct __test_metadata *_metadata, fixture *self, struct walk *walk)
{
	int status = puppet_reap(self->puppet);

	if (status == PUPPET_REFUSED) {
		walk->hit = !self->puppet->left;
		expect_excuse(_metadata, self, walk);
	} else {
		/* Past the point of no return. */
		EXPECT_EQ(KILLED, status);
		fault_hear(self->puppet->sentence);
	}
	EXPECT_TRUE(stage_settles(NAME, 0));
	take_events(self);
	EXPECT_EQ(0, self->events.entered);
	EXPECT_EQ(0, self->events.exited);
}

static void walk_enters(struct __test_metadata *_metadata, fixture *self)
{
	struct walk walk = {};
	bool entered;

	while (walk_next(&walk)) {
		take_events(self);
		self->puppet->nth = walk.nth;
		entered = puppet_start(self->puppet, self->group);
		walk.pid = self->puppet->pid;
		walk_follow(&walk);
		walk_disarm(&walk);
		if (entered)
			expect_sound(_metadata, self);
		else
			expect_refused(_metadata, self, &walk);
	}
	TH_LOG("%u allocations", walk.nth - 1);
}

static void teach(struct __test_metadata *_metadata, fixture *self)
{
	struct group_info info;
	int i;

	for (i = 0; i < LEARNERS; i++) {
		start(_metadata, self);
		EXPECT_TRUE(puppet_do(self->puppet, PUPPET_TOUCH));
		EXPECT_TRUE(puppet_do(self->puppet, PUPPET_READY));
		EXPECT_EQ(0, puppet_end(self->puppet));
	}
	ASSERT_EQ(0, backend_kernel.group_get(NAME, &info, &self->err));
	EXPECT_LT(0, info.written);
}

TEST_F_TIMEOUT(fault, enters, SLOW)
{
	fault_want("memory for the task");
	fault_want("memory for the mapping");
	fault_want("memory for the content to be saved");
	walk_enters(_metadata, self);
	EXPECT_HEARD();
	/* With pages that are mapped and copied ahead. */
	teach(_metadata, self);
	walk_enters(_metadata, self);
}

/*
 * What tasks do to themselves.
 */

/* A command's outcome: false if the puppet died of it, and was buried. */
static bool walk_command(fixture *self, struct walk *walk, enum puppet_command command)
{
	bool lives;

	walk->pid = self->puppet->pid;
	walk_arm(walk);
	lives = puppet_do(self->puppet, command);
	walk_disarm(walk);
	return lives;
}

TEST_F_TIMEOUT(fault, readiness, SLOW)
{
	struct walk walk = {};

	while (walk_next(&walk)) {
		start(_metadata, self);
		EXPECT_TRUE(puppet_do(self->puppet, PUPPET_TOUCH));
		EXPECT_TRUE(walk_command(self, &walk, PUPPET_READY));
		EXPECT_EQ(0, self->puppet->result);
		expect_sound(_metadata, self);
	}
	EXPECT_LT(1, walk.nth);
}

static void walk_memory(struct __test_metadata *_metadata, fixture *self,
			enum puppet_command command)
{
	struct walk walk = {};

	while (walk_next(&walk)) {
		start(_metadata, self);
		EXPECT_TRUE(puppet_do(self->puppet, PUPPET_READY));
		EXPECT_TRUE(walk_command(self, &walk, command));
		expect_sound(_metadata, self);
	}
	TH_LOG("%u allocations", walk.nth - 1);
	EXPECT_LT(1, walk.nth);
}

TEST_F_TIMEOUT(fault, page_faults, SLOW)
{
	walk_memory(_metadata, self, PUPPET_TOUCH);
}

TEST_F_TIMEOUT(fault, mapping_and_unmapping, SLOW)
{
	walk_memory(_metadata, self, PUPPET_MESS);
}

TEST_F_TIMEOUT(fault, forks, SLOW)
{
	struct walk walk = {};

	while (walk_next(&walk)) {
		start(_metadata, self);
		EXPECT_TRUE(puppet_do(self->puppet, PUPPET_TOUCH));
		EXPECT_TRUE(walk_command(self, &walk, PUPPET_FORK));
		if (self->puppet->result != -EAGAIN)
			expect_excuse(_metadata, self, &walk);
		EXPECT_TRUE(stage_settles(NAME, 1));
		expect_sound(_metadata, self);
	}
	TH_LOG("%u allocations", walk.nth - 1);
	EXPECT_LT(1, walk.nth);
}

TEST_F_TIMEOUT(fault, reshares, SLOW)
{
	struct walk walk = {};

	fault_want("memory for the comparison");
	while (walk_next(&walk)) {
		start(_metadata, self);
		EXPECT_TRUE(puppet_do(self->puppet, PUPPET_TOUCH));
		EXPECT_TRUE(walk_command(self, &walk, PUPPET_RESHARE));
		expect_excuse(_metadata, self, &walk);
		if (self->puppet->result < 0) {
			EXPECT_TRUE(puppet_do(self->puppet, PUPPET_RESHARE));
			EXPECT_EQ(0, self->puppet->result);
		}
		EXPECT_EQ(PUPPET_PAGES / 2, self->puppet->reshare.given_back);
		expect_sound(_metadata, self);
	}
	EXPECT_LT(1, walk.nth);
	EXPECT_HEARD();
}

TEST_F_TIMEOUT(fault, resets, SLOW)
{
	struct walk walk = {};

	fault_want("memory for the reset");
	while (walk_next(&walk)) {
		start(_metadata, self);
		EXPECT_TRUE(puppet_do(self->puppet, PUPPET_READY));
		EXPECT_TRUE(puppet_do(self->puppet, PUPPET_MESS));
		if (!walk_command(self, &walk, PUPPET_RESET)) {
			/* In the middle of it. */
			EXPECT_EQ(KILLED, puppet_reap(self->puppet));
			EXPECT_TRUE(walk.hit);
			continue;
		}
		if (self->puppet->starts == 1) {
			EXPECT_EQ(-ENOMEM, self->puppet->result);
			fault_hear(self->puppet->sentence);
		}
		expect_sound(_metadata, self);
	}
	TH_LOG("%u allocations", walk.nth - 1);
	EXPECT_HEARD();
}

/*
 * What others ask for.
 */

static uint64_t resets(fixture *self)
{
	struct group_info info;

	return backend_kernel.group_get(NAME, &info, &self->err) ? 0 : info.resets;
}

/* Asked for again, unless it has been done or the task died of it: it can end in each way. */
static void expect_reset(struct __test_metadata *_metadata, fixture *self, uint64_t id,
			 bool done, bool may_die)
{
	if (!done)
		(void)!backend_kernel.task_reset(id, &self->err);
	if (puppet_stops(self->puppet)) {
		EXPECT_EQ(2, self->puppet->starts);
		expect_sound(_metadata, self);
	} else {
		EXPECT_TRUE(may_die);
		EXPECT_EQ(KILLED, puppet_reap(self->puppet));
	}
}

/* It waits for a signal, so that it comes by when it is to be reset, and stops then. */
static void walk_resets(struct __test_metadata *_metadata, fixture *self, bool inside)
{
	struct walk walk = {};
	uint64_t before, id;
	int ret;

	fault_want("memory for the reset");
	while (walk_next(&walk)) {
		start(_metadata, self);
		before = resets(self);
		id = stage_task_id(NAME);
		EXPECT_TRUE(puppet_do(self->puppet, PUPPET_READY));
		EXPECT_TRUE(puppet_do(self->puppet, PUPPET_MESS));
		puppet_let(self->puppet, PUPPET_PAUSE);
		walk.pid = inside ? self->puppet->pid : gettid();
		walk_arm(&walk);
		ret = backend_kernel.task_reset(id, &self->err);
		walk_disarm(&walk);
		if (ret)
			expect_request_excuse(_metadata, self, &walk);
		expect_reset(_metadata, self, id, resets(self) != before, inside);
	}
	TH_LOG("%u allocations", walk.nth - 1);
	EXPECT_HEARD();
}

TEST_F_TIMEOUT(fault, resets_by_others, SLOW)
{
	walk_resets(_metadata, self, false);
}

TEST_F_TIMEOUT(fault, resets_for_others, SLOW)
{
	walk_resets(_metadata, self, true);
}

/* Questions about a task: 0, or 1 with a wrong answer. */

static int list_tasks(uint64_t id, struct error *err)
{
	uint64_t found = 0;

	found = stage_task_id(NAME);
	return found == id ? 0 : error_set(err, ENOMEM, "not listed");
}

static int ask_memory(uint64_t id, struct error *err)
{
	struct task_memory memory;

	return backend_kernel.task_memory(id, &memory, err) ?: !memory.copied;
}

static int reshare(uint64_t id, struct error *err)
{
	struct reshare_info info;

	return backend_kernel.task_reshare(id, &info, err);
}

static void walk_question(struct __test_metadata *_metadata, fixture *self,
			  int (*question)(uint64_t id, struct error *err))
{
	struct walk walk = { .pid = gettid() };
	uint64_t id = stage_task_id(NAME);
	int ret;

	while (walk_next(&walk)) {
		EXPECT_TRUE(puppet_do(self->puppet, PUPPET_TOUCH));
		walk_arm(&walk);
		ret = question(id, &self->err);
		walk_disarm(&walk);
		if (ret)
			expect_request_excuse(_metadata, self, &walk);
		EXPECT_EQ(0, question(id, &self->err)) { TH_LOG("%s", self->err.text); }
	}
	EXPECT_LT(1, walk.nth);
}

TEST_F_TIMEOUT(fault, questions, SLOW)
{
	start(_metadata, self);
	EXPECT_TRUE(puppet_do(self->puppet, PUPPET_READY));
	walk_question(_metadata, self, list_tasks);
	walk_question(_metadata, self, ask_memory);
	fault_want("memory for the comparison");
	walk_question(_metadata, self, reshare);
	EXPECT_HEARD();
	expect_sound(_metadata, self);
}

int main(int argc, char **argv)
{
	return test_harness_run(argc, argv);
}
