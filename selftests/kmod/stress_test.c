// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: tasks enter, write, check, reshare, are reshared, reset, are reset, fork, and
 * die, at random. Each knows what it must find in every byte that it looks at.
 *
 * STRESS_SECONDS and STRESS_TASKS make it longer and larger than in `make check`.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "runtime/coppice.h"
#include "stage.h"

#define BYTES (STAGE_PAGES * STAGE_PAGE)
#define GROUPS 2

static unsigned int number(const char *name, unsigned int otherwise)
{
	const char *text = getenv(name);

	return text ? atoi(text) : (int)otherwise;
}

/* A generator of the task's own: it must not be part of what is reset. */
static unsigned int next(unsigned int *state)
{
	*state = *state * 1103515245 + 12345;
	return *state >> 8;
}

static unsigned char template_byte(size_t at)
{
	return 11 + at / STAGE_PAGE * 7 + at % 251;
}

/* What stage_data must hold: the page is the template's, or full of one byte. */
struct page {
	bool written;
	unsigned char byte;
};

static bool page_right(const struct page *pages, unsigned int nr)
{
	const unsigned char *page = stage_data + nr * STAGE_PAGE;
	size_t i;

	for (i = 0; i < STAGE_PAGE; i++)
		if (page[i] != (pages[nr].written ? pages[nr].byte :
				template_byte(nr * STAGE_PAGE + i)))
			return false;
	return true;
}

static bool all_right(const struct page *pages)
{
	unsigned int i;

	for (i = 0; i < STAGE_PAGES; i++)
		if (!page_right(pages, i))
			return false;
	return true;
}

static void write_page(struct page *pages, unsigned int nr, unsigned char byte)
{
	memset(stage_data + nr * STAGE_PAGE, byte, STAGE_PAGE);
	pages[nr] = (struct page) { true, byte };
}

static void restore_page(struct page *pages, unsigned int nr)
{
	size_t i;

	for (i = 0; i < STAGE_PAGE; i++)
		stage_data[nr * STAGE_PAGE + i] = template_byte(nr * STAGE_PAGE + i);
	pages[nr].written = false;
}

/* Read-only and large enough for a huge page: page n begins with n. */
#define HUGE_BYTES (2UL << 20)

static unsigned char *huge;

static void prepare_huge(void)
{
	uint64_t i;

	/* With room to begin where a huge page does. */
	huge = mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (huge == MAP_FAILED)
		exit(90);
	huge = (void *)(((unsigned long)huge + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES);
	for (i = 0; i < HUGE_BYTES / STAGE_PAGE; i++)
		memcpy(huge + i * STAGE_PAGE, &i, sizeof(i));
	mprotect(huge, HUGE_BYTES, PROT_READ);
}

/* Looks at a page of it, and now and then writes to it and takes that back. */
static int visit_huge(unsigned int *state)
{
	uint64_t nr = next(state) % (HUGE_BYTES / STAGE_PAGE), other = ~nr;
	unsigned char *page = huge + nr * STAGE_PAGE;

	if (memcmp(page, &nr, sizeof(nr)))
		return 55;
	if (next(state) % 4)
		return 0;
	if (mprotect(page, STAGE_PAGE, PROT_READ | PROT_WRITE))
		return 56;
	memcpy(page, &other, sizeof(other));
	if (next(state) % 2)
		madvise(page, STAGE_PAGE, MADV_DONTNEED);
	else
		memcpy(page, &nr, sizeof(nr));
	if (memcmp(page, &nr, sizeof(nr)) || mprotect(page, STAGE_PAGE, PROT_READ))
		return 57;
	return 0;
}

/* A child that goes its own way for a moment. */
static int fork_one(struct page *pages, unsigned int state)
{
	uint64_t compared, given_back;
	pid_t child = fork();
	int nr;

	if (child < 0)
		return 0;
	if (!child) {
		write_page(pages, next(&state) % STAGE_PAGES, 0x77);
		coppice_reshare(&compared, &given_back);
		_exit(all_right(pages) ? 0 : 50);
	}
	nr = stage_wait(child);
	/* It may be killed like anybody. */
	return nr == 128 + SIGKILL ? 0 : nr;
}

static int step(struct page *pages, unsigned int *state)
{
	uint64_t compared, given_back;
	unsigned int nr = next(state) % STAGE_PAGES;

	switch (next(state) % 13) {
	case 0 ... 3:
		write_page(pages, nr, next(state));
		return 0;
	case 4 ... 6:
		restore_page(pages, nr);
		return 0;
	case 7:
		/* Not every kernel keeps out who looks in from outside at the moment. */
		return coppice_reshare(&compared, &given_back) && errno != EOPNOTSUPP ? 51 : 0;
	case 8:
		return fork_one(pages, *state);
	case 9:
		mprotect(stage_data + nr * STAGE_PAGE, STAGE_PAGE, PROT_READ);
		mprotect(stage_data + nr * STAGE_PAGE, STAGE_PAGE, PROT_READ | PROT_WRITE);
		return 0;
	case 11:
		return visit_huge(state);
	case 10:
		madvise(stage_data + nr * STAGE_PAGE, STAGE_PAGE, MADV_DONTNEED);
		pages[nr].written = false;
		return 0;
	default:
		return page_right(pages, nr) ? 0 : 52;
	}
}

/* Ends at some time by itself, mostly begins again by a reset, and is killed otherwise. */
static int play_stress(int argc, char **argv)
{
	struct page pages[STAGE_PAGES] = {};
	struct timespec now;
	unsigned int state, steps;
	int ret = 0;

	clock_gettime(CLOCK_MONOTONIC, &now);
	state = now.tv_nsec ^ getpid() << 16;
	if (!stage_intact())
		return 53;
	for (steps = next(&state) % 200; steps && !ret; steps--)
		ret = step(pages, &state);
	if (ret)
		return ret;
	if (!all_right(pages))
		return 54;
	if (next(&state) % 8)
		coppice_reset();
	return 0;
}

const struct role roles[] = {
	{ "stress", play_stress },
	{}
};

static const char *const groups[GROUPS] = { "stage", "stage.2" };

FIXTURE(stress) {
	struct image image;
	struct error err;
	unsigned int state;
	int bad;
};

FIXTURE_SETUP(stress)
{
	struct group_info second = { .name = "stage.2", .image = "stage", .owner = 0 };

	self->state = getpid();
	ASSERT_EQ(0, stage_set("stage", 0, &self->image, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, backend_kernel.group_add(&second, &self->err)) { TH_LOG("%s", self->err.text); }
}

FIXTURE_TEARDOWN(stress)
{
	EXPECT_TRUE(stage_image_intact("stage", &self->image, &self->err));
	EXPECT_TRUE(stage_settles("stage.2", 0));
	EXPECT_EQ(0, backend_kernel.group_delete("stage.2", &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(0, stage_clear("stage", &self->err)) { TH_LOG("%s", self->err.text); }
	image_free(&self->image);
}

struct meddling {
	unsigned int *state;
	int result;
};

/* From outside: whatever the task is doing, and whether it is still there. */
static int meddle(const struct task_info *task, void *data)
{
	struct meddling *meddling = data;
	struct task_memory memory;
	struct reshare_info info;
	struct error err;

	switch (next(meddling->state) % 16) {
	case 0 ... 3:
		(void)!backend_kernel.task_reshare(task->id, &info, &err);
		return 0;
	case 4:
		(void)!backend_kernel.task_memory(task->id, &memory, &err);
		return 0;
	case 5:
		/* A stopped one would be waited for. */
		if (!task->forked)
			(void)!backend_kernel.task_reset(task->id, &err);
		return 0;
	case 6:
		if (task->pid > 0 && next(meddling->state) % 4 == 0)
			kill(task->pid, SIGKILL);
		return 0;
	}
	return 0;
}

static int kill_task(const struct task_info *task, void *data)
{
	if (task->pid > 0)
		kill(task->pid, SIGKILL);
	return 0;
}

/* Statuses of those that have ended: 0 or killed is as it should be. */
static int reap(int *running)
{
	int status, bad = 0;

	while (waitpid(-1, &status, WNOHANG) > 0) {
		--*running;
		if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status)) {
			fprintf(stderr, "# a task ended with %#x\n", status);
			bad = 1;
		}
	}
	return bad;
}

TEST_F_TIMEOUT(stress, everything_at_once, 3000)
{
	unsigned int seconds = number("STRESS_SECONDS", 15), tasks = number("STRESS_TASKS", 24);
	struct meddling meddling = { .state = &self->state };
	time_t end = time(NULL) + seconds;
	int running = 0, bad = 0, started = 0;

	while (time(NULL) < end && !bad) {
		for (; running < (int)tasks; running++, started++)
			ASSERT_LT(0, stage_enter(groups[started % GROUPS], "stress", NULL, &self->err)) {
				TH_LOG("%s", self->err.text);
			}
		backend_kernel.task_each(NULL, meddle, &meddling, &self->err);
		bad = reap(&running);
	}
	while (running && !bad) {
		backend_kernel.task_each(NULL, meddle, &meddling, &self->err);
		bad = reap(&running);
	}
	EXPECT_EQ(0, bad);
	TH_LOG("%d tasks", started);
	if (bad)
		backend_kernel.task_each(NULL, kill_task, NULL, &self->err);
}

int main(int argc, char **argv)
{
	stage_prepare = prepare_huge;
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
