// SPDX-License-Identifier: GPL-2.0
/* What the module refuses to tasks, and to those that want to become one or ask for one. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/coppice_dev.h>

#include "../lib/harness.h"

#include "puppet.h"
#include "puppet_arch.h"
#include "stage.h"

const struct role roles[] = { {} };

#define NAME	"refused"
#define PAGE	4096UL

FIXTURE(refused) {
	struct error err;
	struct puppet *puppet;
	int group;
};

static int open_group(const char *name)
{
	struct coppice_open args = {};
	int device = open("/dev/coppice", O_RDWR | O_CLOEXEC), fd;

	strcpy(args.name, name);
	fd = ioctl(device, COPPICE_IOC_GROUP_OPEN, &args);
	close(device);
	return fd;
}

FIXTURE_SETUP(refused)
{
	ASSERT_EQ(0, puppet_set(NAME, &self->err)) { TH_LOG("%s", self->err.text); }
	self->puppet = puppet_new();
	ASSERT_NE(NULL, self->puppet);
	self->group = open_group(NAME);
	ASSERT_GE(self->group, 0);
}

FIXTURE_TEARDOWN(refused)
{
	close(self->group);
	munmap(self->puppet, PAGE);
	EXPECT_EQ(0, stage_clear(NAME, &self->err)) { TH_LOG("%s", self->err.text); }
}

/* A puppet is told to do something, and why it can't. */
#define EXPECT_SAYS(error, words, command) do {					\
	ASSERT_TRUE(puppet_do(self->puppet, command));				\
	EXPECT_EQ(-(error), self->puppet->result);				\
	EXPECT_NE(NULL, strstr(self->puppet->sentence, words)) {		\
		TH_LOG("'%s'", self->puppet->sentence);				\
	}									\
} while (0)

#define START() ASSERT_TRUE(puppet_start(self->puppet, self->group)) {		\
	TH_LOG("status %d: %s", puppet_reap(self->puppet), self->puppet->sentence); \
}

#define EXPECT_ERROR(error, words, call) do {					\
	EXPECT_EQ(-1, call);							\
	EXPECT_EQ(error, self->err.code);					\
	EXPECT_NE(NULL, strstr(self->err.text, words)) { TH_LOG("'%s'", self->err.text); } \
} while (0)

TEST_F(refused, resets)
{
	pid_t sharer;

	START();
	EXPECT_SAYS(EBUSY, "task shares its parent's memory", PUPPET_VFORK_RESET);
	ASSERT_TRUE(puppet_do(self->puppet, PUPPET_SHARER));
	sharer = self->puppet->result;
	ASSERT_GT(sharer, 0);
	EXPECT_SAYS(EBUSY, "process runs in the task's memory", PUPPET_RESET);
	EXPECT_EQ(0, kill(sharer, SIGKILL));
	ASSERT_TRUE(puppet_do(self->puppet, PUPPET_THREAD));
	EXPECT_SAYS(EBUSY, "task has several threads", PUPPET_RESET);
	EXPECT_EQ(1, self->puppet->starts);
	EXPECT_EQ(0, puppet_end(self->puppet));
}

TEST_F(refused, resets_of_what_can_not_be_kept)
{
	self->puppet->homeless = true;
	START();
	EXPECT_SAYS(EINVAL, "without saying what a reset keeps", PUPPET_RESET);
	EXPECT_EQ(0, puppet_end(self->puppet));
}

static int padded(int group, unsigned long call, void *args, struct coppice_reason *reason)
{
	reason->pad = 1;
	return ioctl(group, call, args);
}

/* Who is no task of the group has nothing to give back or to be reset to. */
TEST_F(refused, calls_of_others)
{
	struct coppice_reshare reshare = {};
	struct coppice_reset reset = {};
	char sentence[200] = "";

	reshare.reason = (struct coppice_reason) { (uintptr_t)sentence, sizeof(sentence), 0 };
	reset.reason = reshare.reason;
	EXPECT_EQ(-1, ioctl(self->group, COPPICE_IOC_RESHARE, &reshare));
	EXPECT_EQ(ESRCH, errno);
	EXPECT_NE(NULL, strstr(sentence, "no task of this group"));
	sentence[0] = '\0';
	EXPECT_EQ(-1, ioctl(self->group, COPPICE_IOC_RESET, &reset));
	EXPECT_EQ(ESRCH, errno);
	EXPECT_NE(NULL, strstr(sentence, "no task of this group"));
	EXPECT_EQ(-1, padded(self->group, COPPICE_IOC_RESHARE, &reshare, &reshare.reason));
	EXPECT_NE(NULL, strstr(sentence, "padding is not zero"));
	EXPECT_EQ(-1, padded(self->group, COPPICE_IOC_RESET, &reset, &reset.reason));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->group, COPPICE_IOC_RESET, 64));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->group, COPPICE_IOC_RESHARE, 64));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, ioctl(self->group, COPPICE_IOC_READY));
}

TEST_F(refused, a_caller_that_shares_its_parents_memory)
{
	static struct coppice_enter args;
	static char sentence[200];
	static int result, error;
	pid_t pid;

	args.reason = (struct coppice_reason) { (uintptr_t)sentence, sizeof(sentence), 0 };
	pid = vfork();
	if (!pid) {
		result = ioctl(self->group, COPPICE_IOC_ENTER, &args);
		error = errno;
		_exit(0);
	}
	EXPECT_EQ(0, stage_wait(pid));
	EXPECT_EQ(-1, result);
	EXPECT_EQ(EBUSY, error);
	EXPECT_NE(NULL, strstr(sentence, "caller shares its parent's memory")) { TH_LOG("%s", sentence); }
}

#define NO_SUCH_CALLS	3

/* Handled, so that the kernel does not log it as somebody's defect. */
static void no_such_calls(int sig)
{
	(void)sig;
	_exit(NO_SUCH_CALLS);
}

TEST_F(refused, a_32_bit_caller)
{
	struct coppice_enter *args = stage_map_low(PAGE, MAP_PRIVATE);
	char *sentence = (char *)(args + 1);
	int status, ret;
	pid_t pid;

	args->reason = (struct coppice_reason) { (uintptr_t)sentence, 200, 0 };
	pid = fork();
	if (!pid) {
		puppet_unregister_rseq();
		signal(SIGSEGV, no_such_calls);
		ret = ioctl_by_32_bits(self->group, COPPICE_IOC_ENTER, args);
		if (ret == -ENOSYS)
			_exit(NO_SUCH_CALLS);
		if (ret != -EBUSY)
			_exit(1);
		_exit(strstr(sentence, "caller is a 32-bit process") ? 0 : 2);
	}
	status = stage_wait(pid);
	if (status == NO_SUCH_CALLS)
		SKIP(return, "this kernel has no system calls of 32 bits");
	EXPECT_EQ(0, status);
	munmap(args, PAGE);
}

/* Past the point of no return: the caller dies, and has been told why in what it keeps. */
TEST_F(refused, an_image_that_does_not_fit)
{
	struct rlimit limit, little = { 8 * PAGE, RLIM_INFINITY };

	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &limit));
	little.rlim_max = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &little));
	EXPECT_FALSE(puppet_start(self->puppet, self->group));
	EXPECT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	EXPECT_EQ(128 + SIGKILL, puppet_reap(self->puppet));
	EXPECT_NE(NULL, strstr(self->puppet->sentence, "image could not be mapped")) {
		TH_LOG("'%s'", self->puppet->sentence);
	}
	EXPECT_EQ(0, stage_tasks(NAME));
}

TEST_F(refused, requests_about_tasks_that_are_not_there)
{
	struct reshare_info reshared;
	struct task_memory memory;

	EXPECT_ERROR(ENOENT, "no such task", backend_kernel.task_reset(1UL << 60, &self->err));
	EXPECT_ERROR(ENOENT, "no such task", backend_kernel.task_reshare(0, &reshared, &self->err));
	EXPECT_ERROR(ENOENT, "no such task", backend_kernel.task_memory(~0UL, &memory, &self->err));
}

TEST_F(refused, a_reset_before_a_task_is_ready)
{
	START();
	puppet_let(self->puppet, PUPPET_PAUSE);
	EXPECT_ERROR(EAGAIN, "task is still starting",
		     backend_kernel.task_reset(stage_task_id(NAME), &self->err));
	EXPECT_EQ(0, kill(self->puppet->pid, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, puppet_reap(self->puppet));
}

/* It has stopped; while somebody waits for it to come by, it is killed. */
TEST_F(refused, a_reset_of_a_task_that_ends)
{
	pid_t asking;

	START();
	ASSERT_TRUE(puppet_do(self->puppet, PUPPET_READY));
	asking = fork();
	if (!asking) {
		if (!backend_kernel.task_reset(stage_task_id(NAME), &self->err) ||
		    self->err.code != ESRCH)
			_exit(1);
		_exit(strstr(self->err.text, "The task has ended") ? 0 : 2);
	}
	sleep(2);
	EXPECT_EQ(0, kill(self->puppet->pid, SIGKILL));
	EXPECT_EQ(0, stage_wait(asking));
	EXPECT_EQ(128 + SIGKILL, puppet_reap(self->puppet));
}

static void wake(int signal)
{
	(void)signal;
}

/* Netlink answers nothing to EINTR. */
TEST_F(refused, a_reset_whose_caller_is_interrupted)
{
	const struct sigaction action = { .sa_handler = wake };

	START();
	ASSERT_TRUE(puppet_do(self->puppet, PUPPET_READY));
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	alarm(1);
	EXPECT_ERROR(ETIMEDOUT, "task does not run",
		     backend_kernel.task_reset(stage_task_id(NAME), &self->err));
	EXPECT_EQ(0, kill(self->puppet->pid, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, puppet_reap(self->puppet));
}

int main(int argc, char **argv)
{
	return test_harness_run(argc, argv);
}
