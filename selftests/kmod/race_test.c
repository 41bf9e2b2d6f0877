// SPDX-License-Identifier: GPL-2.0
/*
 * Each operation of the module, while that which it is done to is disturbed: killed, traced,
 * frozen, moved about, or changed by who shares its memory; and while what it is done with is
 * deleted. The operation succeeds or is refused in one of the known ways, who
 * survives has every byte right, and nothing is left.
 *
 * COPPICE_RACES says how often each, COPPICE_PAIRS which alone: 'reset.*', '*.kill'.
 */
#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "actor.h"
#include "cage.h"
#include "company.h"
#include "lib/adopt.h"
#include "lib/cgroup.h"
#include "lib/device.h"
#include "memory.h"
#include "nuisance.h"
#include "puppet.h"
#include "stage.h"

const struct role roles[] = { {} };

#define NAME	"race"
#define CAGE	"/coppice-race/one"
#define OTHER	"/coppice-race/other"
#define KILLED	(128 + SIGKILL)
#define ROUNDS	3
/* How often one task is reshared, reset or adopted in a round. */
#define TIMES	3
/* Seconds: with all checks on. */
#define SLOW	600
/* A word of the puppet's data that nobody changes, and of the actor's. */
#define PUPPET_WORD	(PUPPET_DATA + 7 * STAGE_PAGE + 2048)
#define ACTOR_WORD	(ACTOR_DATA * ACTOR_PAGE + ACTOR_PAGE - 8)

enum operation { ENTER, RESHARE, RESET, ADOPT };

static const char *const operations[] = { "enter", "reshare", "reset", "adopt" };

/* What is done meanwhile: from outside, by who shares a puppet's memory, by an actor. */
struct disturbance {
	enum nuisance_way way;
	enum company_trick trick;
	enum actor_command command;	/* so many times */
	int commands;
	bool deadly;			/* it may be killed */
	bool exec;			/* it may be another program */
	bool remaps;			/* what is mapped may be in the way of an enter */
};

/* Who shares its memory is not reset, and to be disturbed while it is it must have none. */
static bool has_company(enum operation operation, const struct disturbance *by)
{
	return operation != RESET || (by->trick && !by->exec);
}

static int add_group(struct error *err)
{
	struct group_info group = { .name = NAME, .image = NAME };

	return backend_kernel.group_add(&group, err);
}

static int load_puppet(struct error *err)
{
	return puppet_load(NAME, err);
}

static int load_actor(struct error *err)
{
	return actor_load(NAME, err);
}

static const struct nuisance_world worlds[] = {
	{ { CAGE, OTHER }, NAME, load_puppet, add_group },
	{ { CAGE, OTHER }, NAME, load_actor, add_group },
};

FIXTURE(race) {
	struct store_info before;
	struct nuisance *nuisance;
	struct puppet *puppet;
	struct company *company;
	struct actor actor;
	struct adopter adopter;
	int group;		/* descriptor, which keeps the module while an actor is adopted */
	pid_t pid;		/* of what is disturbed, in this round */
	uint64_t id;		/* of the task */
	unsigned int span;	/* us that the operation takes when nobody disturbs it */
	unsigned int done;	/* operations that succeeded */
	struct error err;
};

typedef FIXTURE_DATA(race) fixture;

FIXTURE_VARIANT(race) {
	enum operation operation;
};

FIXTURE_VARIANT_ADD(race, enter) { .operation = ENTER };
FIXTURE_VARIANT_ADD(race, reshare) { .operation = RESHARE };
FIXTURE_VARIANT_ADD(race, reset) { .operation = RESET };
FIXTURE_VARIANT_ADD(race, adopt) { .operation = ADOPT };

static int make_cage(const char *cgroup, struct error *err)
{
	struct cgroup_limits limits = { .memory_max = 256UL << 20 };
	bool made;

	return cgroup_make(cgroup, &limits, &made, err);
}

FIXTURE_SETUP(race)
{
	const struct nuisance_world *world = &worlds[variant->operation == ADOPT];

	self->puppet = puppet_new();
	self->company = company_new();
	ASSERT_TRUE(self->puppet && self->company);
	self->nuisance = nuisance_new(world);
	ASSERT_NE(NULL, self->nuisance);
	/* A test that failed has left them. */
	(void)!backend_kernel.group_delete(NAME, &self->err);
	(void)!backend_kernel.image_delete(NAME, &self->err);
	ASSERT_EQ(0, make_cage(CAGE, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, make_cage(OTHER, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, backend_kernel.status(&self->before, &self->err));
	ASSERT_EQ(0, world->load(&self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, world->add(&self->err)) { TH_LOG("%s", self->err.text); }
	if (variant->operation == ADOPT)
		ASSERT_EQ(0, adopter_open(&self->adopter, &backend_kernel, NAME, &self->err));
}

FIXTURE_TEARDOWN(race)
{
	nuisance_free(self->nuisance);
	if (variant->operation == ADOPT)
		adopter_close(&self->adopter);
	else
		EXPECT_TRUE(puppet_image_intact(NAME, &self->err));
	EXPECT_EQ(0, cgroup_destroy(CAGE, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(0, cgroup_destroy(OTHER, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(0, stage_clear(NAME, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_TRUE(stage_leaves(&self->before, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_TRUE(stage_unused());
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {};

	return !waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid == pid;
}

static int note_id(const struct task_info *info, void *data)
{
	fixture *self = data;

	if (info->pid == self->pid)
		self->id = info->id;
	return 0;
}

/*
 * What is to be disturbed.
 */

/* About to enter, in its cage. */
static void raise_puppet(struct __test_metadata *_metadata, fixture *self, bool company)
{
	struct group_info info;
	int group = device_open_group(NAME, &info, &self->err);

	ASSERT_LE(0, group) { TH_LOG("%s", self->err.text); }
	self->puppet->held = true;
	self->puppet->company = company ? self->company : NULL;
	self->puppet->command = PUPPET_WORK;
	puppet_begin(self->puppet, group);
	close(group);
	self->pid = self->puppet->pid;
	while (!self->puppet->waits)
		usleep(100);
	ASSERT_EQ(company, self->company->pid > 0);
	ASSERT_EQ(0, cage_put(CAGE, self->pid));
	if (company)
		ASSERT_EQ(0, cage_put(CAGE, self->company->pid));
	self->nuisance->address = PUPPET_WORD;
	self->nuisance->word = 0x0808080808080808;
}

/* At work, and ready to be reset. */
static void raise_task(struct __test_metadata *_metadata, fixture *self, bool company)
{
	raise_puppet(_metadata, self, company);
	self->puppet->command = PUPPET_READY;
	self->puppet->held = false;
	ASSERT_TRUE(puppet_stops(self->puppet));
	ASSERT_TRUE(puppet_do(self->puppet, PUPPET_READY));
	self->id = 0;
	ASSERT_EQ(0, backend_kernel.task_each(NAME, note_id, self, &self->err));
	ASSERT_NE(0, self->id);
	puppet_let(self->puppet, PUPPET_WORK);
	while (!self->puppet->steps)
		usleep(100);
}

static void raise_actor(struct __test_metadata *_metadata, fixture *self)
{
	struct group_info info;

	self->group = device_open_group(NAME, &info, &self->err);
	ASSERT_LE(0, self->group) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, actor_start(&self->actor, 0, actor_library(), 2));
	ASSERT_EQ(1, actor_do(&self->actor, ACTOR_CHECK));
	self->pid = self->actor.pid;
	ASSERT_EQ(0, cage_put(CAGE, self->pid));
	/* Something that the cage is charged for. */
	ASSERT_EQ(1, actor_do(&self->actor, ACTOR_DIRTY));
	self->nuisance->address = (unsigned long)self->actor.base + ACTOR_WORD;
	self->nuisance->word = 0x5a5a5a5a5a5a5a5a;
}

static void begin(struct __test_metadata *_metadata, fixture *self, enum operation operation,
		  const struct disturbance *by)
{
	bool company = has_company(operation, by);

	if (operation == ENTER)
		raise_puppet(_metadata, self, company);
	else if (operation == ADOPT)
		raise_actor(_metadata, self);
	else
		raise_task(_metadata, self, company);
}

/*
 * Operations: 0, or why not. Each has its own ways to be refused.
 */

static int enter(fixture *self)
{
	self->puppet->held = false;
	while (!self->puppet->steps && !has_ended(self->pid))
		usleep(100);
	return -self->puppet->result;
}

static int adopt(fixture *self)
{
	struct adopt_result result;

	return adopt_process(&self->adopter, self->pid, &result, &self->err) ? self->err.code : 0;
}

static int operate(fixture *self, enum operation operation)
{
	struct reshare_info info;

	switch (operation) {
	case ENTER:
		return enter(self);
	case RESHARE:
		return backend_kernel.task_reshare(self->id, &info, &self->err) ?
		       self->err.code : 0;
	case RESET:
		return backend_kernel.task_reset(self->id, &self->err) ? self->err.code : 0;
	case ADOPT:
		return adopt(self);
	}
	return EINVAL;
}

static bool is_known(enum operation operation, int code, const struct disturbance *by)
{
	/* What is not there any more, or where it is being killed. */
	bool gone = code == ENOENT || code == ESRCH || code == ENODEV;

	switch (operation) {
	case ENTER:
		return (code == ENODEV && by->way >= NUISANCE_DELETE_GROUP) ||
		       (code == ENOMEM && by->way == NUISANCE_SQUEEZE);
	case RESHARE:
		return gone && (by->deadly || by->exec);
	case RESET:
		return (gone && (by->deadly || by->exec)) ||
		       (code == EBUSY && has_company(operation, by));
	case ADOPT:
		return gone && (by->deadly || by->exec || by->way >= NUISANCE_DELETE_GROUP);
	}
	return false;
}

static void operate_again(struct __test_metadata *_metadata, fixture *self,
			  enum operation operation, const struct disturbance *by)
{
	int times = operation == ENTER ? 1 : TIMES, code;

	while (times-- && !has_ended(self->pid)) {
		code = operate(self, operation);
		self->done += !code;
		EXPECT_TRUE(!code || is_known(operation, code, by)) {
			TH_LOG("%s: %s", strerror(code),
			       operation == ENTER ? self->puppet->sentence : self->err.text);
		}
	}
}

/*
 * Disturbances: what the nuisance does not do.
 */

static void disturb(fixture *self, enum operation operation, const struct disturbance *by)
{
	int i;

	nuisance_begin(self->nuisance, by->way, self->pid, self->span);
	if (operation == ADOPT) {
		for (i = 0; i < by->commands; i++)
			actor_let(&self->actor, by->command);
		return;
	}
	if (by->exec && operation != ENTER) {
		usleep(rand() % (self->span + 1));
		self->puppet->command = PUPPET_EXEC;
	}
	self->company->trick = by->trick;
}

static void calm(fixture *self)
{
	nuisance_end(self->nuisance);
	self->company->trick = COMPANY_REST;
}

/*
 * What has become of it.
 */

/* It has stopped: it is a task, and can be made what it was. */
static void expect_sound(struct __test_metadata *_metadata, fixture *self)
{
	struct puppet *puppet = self->puppet;

	EXPECT_LE(1, stage_tasks(NAME));
	EXPECT_TRUE(puppet_do(puppet, PUPPET_RESET));
	EXPECT_TRUE(puppet_do(puppet, PUPPET_CHECK));
	EXPECT_EQ(0, puppet->result) { TH_LOG("%ld bytes", puppet->result); }
	EXPECT_EQ(0, puppet_end(puppet));
}

static void expect_excused(struct __test_metadata *_metadata, fixture *self,
			   const struct disturbance *by)
{
	int status = puppet_reap(self->puppet);

	EXPECT_TRUE((status == KILLED && (by->deadly || by->remaps)) ||
		    (status == 0 && by->exec) || (status == PUPPET_REFUSED && self->puppet->result)) {
		TH_LOG("it ended with %d: %s", status, self->puppet->sentence);
	}
}

static void end_puppet(struct __test_metadata *_metadata, fixture *self,
		       enum operation operation, const struct disturbance *by)
{
	company_leave(self->company);
	/* What it is told to become it is, unless it was killed. */
	if (!by->exec || operation == ENTER)
		self->puppet->command = PUPPET_CHECK;
	if (puppet_stops(self->puppet))
		expect_sound(_metadata, self);
	else
		expect_excused(_metadata, self, by);
	EXPECT_EQ(0, self->puppet->wrong) { TH_LOG("%u bytes", self->puppet->wrong); }
}

static void end_actor(struct __test_metadata *_metadata, fixture *self,
		      const struct disturbance *by)
{
	int i, status;

	for (i = 0; i < by->commands && !by->exec; i++)
		EXPECT_LT(0, actor_answer(&self->actor));
	if (!by->deadly && !by->exec && by->command != ACTOR_UNMAP)
		EXPECT_EQ(1, actor_do(&self->actor, ACTOR_CHECK));
	if (by->exec)
		kill(self->pid, SIGKILL);
	status = actor_end(&self->actor);
	close(self->group);
	EXPECT_EQ(by->deadly || by->exec ? KILLED : 0, status);
}

/*
 * An enter is counted among the group's tasks where it begins, and a deletion at some moment of it
 * hardly ever comes before that. So every other one waits until its group has been deleted.
 */
static bool comes_late(enum operation operation, const struct disturbance *by, int round)
{
	return operation == ENTER && round % 2 &&
	       (by->way == NUISANCE_DELETE_GROUP || by->way == NUISANCE_DELETE_IMAGE);
}

/* The group has been deleted, and another one of its name added. */
static void enter_late(struct __test_metadata *_metadata, fixture *self, unsigned int acts)
{
	while (self->nuisance->acts == acts)
		usleep(100);
	EXPECT_EQ(ENODEV, enter(self)) { TH_LOG("%s", self->puppet->sentence); }
}

static void one_round(struct __test_metadata *_metadata, fixture *self,
		      enum operation operation, const struct disturbance *by, int round)
{
	unsigned int acts = self->nuisance->acts;

	begin(_metadata, self, operation, by);
	disturb(self, operation, by);
	if (comes_late(operation, by, round))
		enter_late(_metadata, self, acts);
	else
		operate_again(_metadata, self, operation, by);
	calm(self);
	if (operation == ADOPT)
		end_actor(_metadata, self, by);
	else
		end_puppet(_metadata, self, operation, by);
	EXPECT_EQ(0, self->nuisance->wrong) { TH_LOG("%s", self->nuisance->text); }
}

static unsigned int now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* How long it takes in peace: what is done at some time in it is done in the middle of it. */
static void measure(struct __test_metadata *_metadata, fixture *self, enum operation operation)
{
	const struct disturbance none = {};
	unsigned int start;

	begin(_metadata, self, operation, &none);
	start = now_us();
	EXPECT_EQ(0, operate(self, operation)) { TH_LOG("%s", self->err.text); }
	self->span = now_us() - start;
	if (operation == ADOPT)
		end_actor(_metadata, self, &none);
	else
		end_puppet(_metadata, self, operation, &none);
}

static bool is_wanted(const char *operation, const char *disturbance)
{
	const char *pattern = getenv("COPPICE_PAIRS");
	char pair[64];

	snprintf(pair, sizeof(pair), "%s.%s", operation, disturbance);
	return !pattern || !fnmatch(pattern, pair, 0);
}

static void race(struct __test_metadata *_metadata, fixture *self, enum operation operation,
		 const struct disturbance *by)
{
	const char *text = getenv("COPPICE_RACES");
	int rounds = text ? atoi(text) : ROUNDS;
	unsigned int done;

	if (!is_wanted(operations[operation], _metadata->name))
		SKIP(return, "not asked for");
	measure(_metadata, self, operation);
	done = self->done;
	while (rounds--)
		one_round(_metadata, self, operation, by, rounds);
	EXPECT_TRUE(by->way == NUISANCE_NONE || self->nuisance->acts);
	if (operation == RESET && has_company(operation, by)) {
		EXPECT_EQ(done, self->done);
	} else {
		/* Where nothing ends or goes away, it is not refused each time. */
		EXPECT_TRUE(by->deadly || by->exec || by->remaps || self->done > done ||
			    by->way == NUISANCE_DELETE_GROUP || by->way == NUISANCE_DELETE_IMAGE);
	}
	TH_LOG("%u us, %u acts, %u times", self->span, self->nuisance->acts, self->done);
}

#define RACE(name, ...)								\
	TEST_F_TIMEOUT(race, name, SLOW)					\
	{									\
		const struct disturbance by = { __VA_ARGS__ };			\
										\
		race(_metadata, self, variant->operation, &by);			\
	}

RACE(kill, .way = NUISANCE_KILL, .deadly = true)
RACE(oom_kill, .way = NUISANCE_SQUEEZE, .deadly = true)
RACE(exec, .trick = COMPANY_EXEC, .command = ACTOR_EXEC, .commands = 1, .exec = true)
RACE(fork, .trick = COMPANY_FORK, .command = ACTOR_FORK, .commands = 3)
RACE(munmap, .trick = COMPANY_UNMAP, .command = ACTOR_UNMAP, .commands = 1, .remaps = true)
RACE(mremap, .trick = COMPANY_MOVE, .command = ACTOR_MOVE, .commands = 20, .remaps = true)
RACE(ptrace, .way = NUISANCE_TRACE)
RACE(freeze, .way = NUISANCE_FREEZE)
RACE(migration, .way = NUISANCE_MIGRATE)
RACE(group_deletion, .way = NUISANCE_DELETE_GROUP)
RACE(image_deletion, .way = NUISANCE_DELETE_IMAGE)
RACE(rmmod, .way = NUISANCE_RMMOD)

/* Of the whole machine, in KiB: more than its figures differ by, less than pages of each round. */
#define SLACK 4096

static unsigned long available_before;

static unsigned long available(void)
{
	memory_drop_caches();
	return memory_available();
}

FIXTURE(afterwards) {
};

FIXTURE_SETUP(afterwards)
{
}

FIXTURE_TEARDOWN(afterwards)
{
}

/* The last of all. */
TEST_F(afterwards, all_memory_is_back)
{
	const char *kernel = getenv("COPPICE_KERNEL");
	unsigned long now = 0;
	int tries;

	if (kernel && !strcmp(kernel, "debug"))
		SKIP(return, "this kernel keeps freed memory back (KASAN)");
	for (tries = 0; tries < 20 && now + SLACK < available_before; tries++) {
		now = available();
		usleep(tries * 20000);
	}
	EXPECT_GE(now + SLACK, available_before);
	TH_LOG("%ld KiB less", (long)(available_before - now));
}

int main(int argc, char **argv)
{
	stage_main(argc, argv);
	available_before = available();
	return test_harness_run(argc, argv);
}
