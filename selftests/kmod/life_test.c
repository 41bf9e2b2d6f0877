// SPDX-License-Identifier: GPL-2.0
/*
 * Membership and teardown: the module's count of tasks is the truth at any moment, and
 * whoever is killed whenever leaves nothing.
 */
#include <errno.h>
#include <fcntl.h>
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

#include "stage.h"

#define NAME "life"
#define WIDE (64UL << 20)

extern char **environ;

static int play_exit(int argc, char **argv)
{
	return argc > 2 ? atoi(argv[2]) : 0;
}

static int play_stop(int argc, char **argv)
{
	raise(SIGSTOP);
	return 0;
}

static int play_exec(int argc, char **argv)
{
	execl("/bin/sleep", "sleep", "60", NULL);
	return 1;
}

static int play_fork_stop(int argc, char **argv)
{
	pid_t child = fork();

	if (!child) {
		pause();
		_exit(0);
	}
	raise(SIGSTOP);
	kill(child, SIGKILL);
	return stage_wait(child) == 128 + SIGKILL ? 0 : 1;
}

/* Forks as fast as it can until it is killed. */
static int play_fork_storm(int argc, char **argv)
{
	for (;;) {
		pid_t child = fork();

		if (!child) {
			stage_scribble();
			_exit(0);
		}
		if (child > 0)
			waitpid(child, NULL, 0);
	}
}

/* Gives back its memory piece by piece: a task is one as long as it maps anything. */
static int play_unmap(int argc, char **argv)
{
	size_t i;

	for (i = 1; i < STAGE_PAGES; i += 2)
		if (munmap(stage_mapping + i * STAGE_PAGE, STAGE_PAGE))
			return 1;
	raise(SIGSTOP);
	return munmap(stage_mapping, STAGE_PAGES * STAGE_PAGE) ? 2 : 0;
}

/* So many faults: each maps what lies around it. */
#define WINDOW (16 * STAGE_PAGE)
#define WINDOWS 40

static char content[WINDOWS * WINDOW];

static int play_read(int argc, char **argv)
{
	const volatile char *at;
	int sum = 0;

	for (at = content; at < content + sizeof(content); at += WINDOW)
		sum += *at;
	return sum != WINDOWS;
}

const struct role roles[] = {
	{ "exit", play_exit },
	{ "stop", play_stop },
	{ "exec", play_exec },
	{ "fork_stop", play_fork_stop },
	{ "fork_storm", play_fork_storm },
	{ "unmap", play_unmap },
	{ "read", play_read },
	{}
};

FIXTURE(life) {
	struct image image;
	struct store_info before;
	struct error err;
};

FIXTURE_SETUP(life)
{
	ASSERT_EQ(0, backend_kernel.status(&self->before, &self->err));
	ASSERT_EQ(0, stage_set(NAME, 0, &self->image, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
}

FIXTURE_TEARDOWN(life)
{
	struct store_info after;

	EXPECT_TRUE(stage_settles(NAME, 0));
	EXPECT_TRUE(stage_image_intact(NAME, &self->image, &self->err));
	EXPECT_EQ(0, stage_clear(NAME, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	ASSERT_EQ(0, backend_kernel.status(&after, &self->err));
	EXPECT_EQ(self->before.store_pages, after.store_pages);
	EXPECT_EQ(self->before.images, after.images);
	EXPECT_EQ(0, after.unsealed);
	EXPECT_EQ(0, after.tasks);
	image_free(&self->image);
}

static void wait_stopped(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, WUNTRACED) == pid && !WIFSTOPPED(status))
		;
}

static int finish(pid_t pid)
{
	kill(pid, SIGCONT);
	return stage_wait(pid);
}

TEST_F(life, a_task_ends_with_its_own_status)
{
	EXPECT_EQ(0, stage_play(NAME, "exit", "0"));
	EXPECT_EQ(42, stage_play(NAME, "exit", "42"));
	EXPECT_EQ(0, stage_tasks(NAME));
}

TEST_F(life, membership_follows_enter_and_exit)
{
	pid_t pid = stage_enter(NAME, "stop", NULL, &self->err);

	wait_stopped(pid);
	EXPECT_EQ(1, stage_tasks(NAME));
	EXPECT_EQ(0, finish(pid));
	EXPECT_EQ(0, stage_tasks(NAME));
}

TEST_F(life, membership_follows_fork)
{
	pid_t pid = stage_enter(NAME, "fork_stop", NULL, &self->err);
	struct group_info info;

	wait_stopped(pid);
	EXPECT_EQ(2, stage_tasks(NAME));
	EXPECT_EQ(0, finish(pid));
	EXPECT_TRUE(stage_settles(NAME, 0));
	ASSERT_EQ(0, backend_kernel.group_get(NAME, &info, &self->err));
	EXPECT_EQ(1, info.entered);
	EXPECT_EQ(1, info.forked);
}

TEST_F(life, membership_ends_with_exec)
{
	pid_t pid = stage_enter(NAME, "exec", NULL, &self->err);

	EXPECT_TRUE(stage_settles(NAME, 0));
	EXPECT_EQ(0, kill(pid, 0));
	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, stage_wait(pid));
}

TEST_F(life, membership_survives_partial_unmaps)
{
	pid_t pid = stage_enter(NAME, "unmap", NULL, &self->err);

	wait_stopped(pid);
	EXPECT_EQ(1, stage_tasks(NAME));
	EXPECT_EQ(0, finish(pid));
}

static int count_task(const struct task_info *info, void *data)
{
	pid_t *pids = data;

	if (*pids == info->pid)
		*pids = 0;
	return 0;
}

TEST_F(life, tasks_are_listed_with_their_pids)
{
	pid_t pid = stage_enter(NAME, "stop", NULL, &self->err), wanted = pid;

	wait_stopped(pid);
	EXPECT_EQ(0, backend_kernel.task_each(NAME, count_task, &wanted, &self->err));
	EXPECT_EQ(0, wanted);
	wanted = pid;
	EXPECT_EQ(0, backend_kernel.task_each(NULL, count_task, &wanted, &self->err));
	EXPECT_EQ(0, wanted);
	EXPECT_EQ(0, finish(pid));
}

TEST_F(life, what_has_tasks_can_not_be_deleted)
{
	pid_t pid = stage_enter(NAME, "stop", NULL, &self->err);

	wait_stopped(pid);
	EXPECT_EQ(-1, backend_kernel.group_delete(NAME, &self->err));
	EXPECT_EQ(EBUSY, self->err.code);
	EXPECT_NE(NULL, strstr(self->err.text, "has tasks"));
	EXPECT_EQ(-1, syscall(SYS_delete_module, "coppice", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
	EXPECT_EQ(0, finish(pid));
}

/* The text of a refused enter of @group by a child, or "" if it was not refused. */
static void enter_refusal(const char *group, char text[512])
{
	char *argv[] = { "task", "exit", NULL };
	struct launch launch = {};
	struct error err = {};
	int pipefd[2];
	ssize_t got;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) || backend_kernel.launch_open(group, &launch, &err))
		abort();
	launch.argv = argv;
	launch.envp = environ;
	pid = fork();
	if (!pid) {
		if (!launch_plan(&launch, &err))
			launch_enter(&launch, &err);
		_exit(write(pipefd[1], err.text, strlen(err.text)) < 0);
	}
	close(pipefd[1]);
	stage_wait(pid);
	got = read(pipefd[0], text, 511);
	text[got > 0 ? got : 0] = '\0';
	close(pipefd[0]);
	backend_kernel.launch_close(&launch);
}

TEST_F(life, the_limit_on_tasks)
{
	struct group_info group = { .name = "few", .image = NAME, .max_tasks = 1 };
	char text[512];
	pid_t pid;

	ASSERT_EQ(0, backend_kernel.group_add(&group, &self->err));
	pid = stage_enter("few", "stop", NULL, &self->err);
	wait_stopped(pid);
	enter_refusal("few", text);
	EXPECT_NE(NULL, strstr(text, "as many tasks as it may have")) { TH_LOG("'%s'", text); }
	EXPECT_EQ(1, stage_tasks("few"));
	EXPECT_EQ(0, finish(pid));
	EXPECT_EQ(0, stage_play("few", "exit", "0"));
	EXPECT_TRUE(stage_settles("few", 0));
	EXPECT_EQ(0, backend_kernel.group_delete("few", &self->err));
}

TEST_F(life, a_killed_loader_leaves_nothing)
{
	struct store_info now;
	int i;

	for (i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(backend_kernel.image_load("half", 0, &self->image, &self->err) != 0);
		usleep(i * 500);
		kill(pid, SIGKILL);
		stage_wait(pid);
		/* It may have been ready before it was killed. */
		(void)!backend_kernel.image_delete("half", &self->err);
		ASSERT_EQ(0, backend_kernel.status(&now, &self->err));
		EXPECT_EQ(0, now.unsealed);
		EXPECT_EQ(self->before.images + 1, now.images);
	}
}

TEST_F(life, tasks_killed_while_they_enter)
{
	int i;

	for (i = 0; i < 100; i++) {
		pid_t pid = stage_enter(NAME, "exit", "0", &self->err);
		int status;

		usleep(rand() % 4000);
		kill(pid, SIGKILL);
		status = stage_wait(pid);
		EXPECT_TRUE(status == 0 || status == 128 + SIGKILL) { TH_LOG("status %d", status); }
	}
	EXPECT_TRUE(stage_settles(NAME, 0));
}

TEST_F(life, fork_storms_killed)
{
	pid_t pids[4];
	int i;

	for (i = 0; i < 4; i++)
		pids[i] = stage_enter(NAME, "fork_storm", NULL, &self->err);
	for (i = 0; i < 50; i++) {
		EXPECT_GE(stage_tasks(NAME), 0);
		usleep(10000);
	}
	for (i = 0; i < 4; i++) {
		kill(pids[i], SIGKILL);
		EXPECT_EQ(128 + SIGKILL, stage_wait(pids[i]));
	}
	EXPECT_TRUE(stage_settles(NAME, 0));
}

static unsigned long own_size(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!statm || fscanf(statm, "%lu", &pages) != 1)
		abort();
	fclose(statm);
	return pages * STAGE_PAGE;
}

/* Past the point of no return there is nobody to tell: the caller dies, alone. */
TEST_F(life, an_enter_that_fails_half_way_kills_the_caller)
{
	char *argv[] = { "task", "exit", NULL };
	struct launch launch = {};
	struct rlimit limit;
	pid_t pid;

	ASSERT_EQ(0, backend_kernel.launch_open(NAME, &launch, &self->err));
	launch.argv = argv;
	launch.envp = environ;
	pid = fork();
	if (!pid) {
		/* Room for the arguments, not for the image, which this process has a copy of. */
		image_free(&self->image);
		limit.rlim_cur = limit.rlim_max = own_size() + (1 << 20);
		if (setrlimit(RLIMIT_AS, &limit))
			_exit(1);
		if (!launch_plan(&launch, &self->err))
			launch_enter(&launch, &self->err);
		_exit(2);
	}
	backend_kernel.launch_close(&launch);
	EXPECT_EQ(128 + SIGKILL, stage_wait(pid));
	EXPECT_TRUE(stage_settles(NAME, 0));
}

TEST_F(life, later_tasks_have_mapped_what_earlier_ones_touched)
{
	struct group_info first, later, last;
	int i;

	EXPECT_EQ(0, stage_play(NAME, "exit", "0"));
	ASSERT_EQ(0, backend_kernel.group_get(NAME, &first, &self->err));
	EXPECT_EQ(0, first.mapped_ahead);
	EXPECT_GT(first.faults, 0);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, stage_play(NAME, "exit", "0"));
	ASSERT_EQ(0, backend_kernel.group_get(NAME, &later, &self->err));
	EXPECT_GT(later.mapped_ahead, 0);
	/* Once it is known what every task writes, that is copied ahead. */
	EXPECT_GT(later.copied_ahead, 0);
	EXPECT_LT((later.faults - first.faults) / 5, first.faults);
	/* Each page that is known is there, one way or the other, and was not tried both ways. */
	EXPECT_EQ(0, stage_play(NAME, "exit", "0"));
	ASSERT_EQ(0, backend_kernel.group_get(NAME, &last, &self->err));
	EXPECT_EQ(later.written, last.copied_ahead - later.copied_ahead);
	EXPECT_EQ(later.touched - later.written, last.mapped_ahead - later.mapped_ahead);
}

/* Of what they touch when they are ready, a few pages are learned: what is called first, not what events read. */
TEST_F(life, little_is_learned_of_tasks_that_are_ready)
{
	struct group_info first, later;
	int i;

	EXPECT_EQ(0, stage_play(NAME, "exit", "0"));
	ASSERT_EQ(0, backend_kernel.group_get(NAME, &first, &self->err));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, stage_play(NAME, "read", NULL));
	ASSERT_EQ(0, backend_kernel.group_get(NAME, &later, &self->err));
	EXPECT_LE(later.touched - first.touched, 16);
}

/* The list of mappings has a name for each, however long the image's is. */
TEST_F(life, a_task_of_an_image_with_a_long_name_can_be_looked_at)
{
	const char *name = "an-image-with-a-name-that-has-as-many-characters-as-are-allowed";
	struct image image = {};
	char line[512];
	int found = 0;
	FILE *maps;
	pid_t pid;

	ASSERT_EQ(0, stage_set(name, 0, &image, &self->err)) { TH_LOG("%s", self->err.text); }
	pid = stage_enter(name, "stop", NULL, &self->err);
	wait_stopped(pid);
	snprintf(line, sizeof(line), "/proc/%d/maps", pid);
	maps = fopen(line, "re");
	ASSERT_NE(NULL, maps);
	while (fgets(line, sizeof(line), maps))
		found += strstr(line, "anon_inode:coppice:an-image-with") != NULL;
	EXPECT_EQ(0, ferror(maps));
	fclose(maps);
	EXPECT_GT(found, 0);
	EXPECT_EQ(0, finish(pid));
	EXPECT_EQ(0, stage_clear(name, &self->err));
	image_free(&image);
}

/* So that an image is larger than any process that enters it, in addresses only. */
static void prepare(void)
{
	if (mmap(NULL, WIDE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0) == MAP_FAILED)
		exit(98);
	memset(content, 1, sizeof(content));
}

int main(int argc, char **argv)
{
	stage_prepare = prepare;
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
