// SPDX-License-Identifier: GPL-2.0
/*
 * How much a hub can have at a time: IMAGES images that differ in a page, a group of each
 * with TASKS tasks, and a listener that is too slow for all that happens. COPPICE_IMAGES
 * says how many; the figures are in Documentation/limits.rst.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "memory.h"
#include "stage.h"

#define IMAGES	40
#define MOST	1000
#define TASKS	10

static unsigned int number_of_images(void)
{
	const char *text = getenv("COPPICE_IMAGES");
	unsigned int nr = text ? strtoul(text, NULL, 10) : IMAGES;

	return nr < MOST ? nr : MOST;
}

/* A task of image N finds N in its memory and waits for its end. */
static int play_number(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc < 3 || strtoul(argv[2], NULL, 10) != *(volatile unsigned int *)stage_data)
		return 1;
	for (;;)
		pause();
}

const struct role roles[] = { { "number", play_number }, {} };

static void name_of(unsigned int i, char name[16])
{
	snprintf(name, 16, "limits-%u", i);
}

static bool starts_data(const unsigned char *page)
{
	unsigned char i;

	for (i = 0; i < 64; i++)
		if (page[i] != STAGE_DATA_SALT + i)
			return false;
	return true;
}

/* The start of stage_data in @image: what is captured is the capturer's to change. */
static unsigned int *number_in(const struct image *image)
{
	uint64_t at;
	size_t i;

	for (i = 0; i < image->nr_segments; i++) {
		const struct image_segment *segment = &image->segments[i];

		for (at = 0; segment->data && at < segment->len; at += STAGE_PAGE)
			if (starts_data((const unsigned char *)segment->data + at))
				return (unsigned int *)((char *)segment->data + at);
	}
	return NULL;
}

static int set_up(const struct image *image, unsigned int i, struct error *err)
{
	struct group_info group = {};

	name_of(i, group.name);
	snprintf(group.image, sizeof(group.image), "%s", group.name);
	if (backend_kernel.image_load(group.image, 0, image, err))
		return -1;
	return backend_kernel.group_add(&group, err);
}

/* All children have the plan in common. */
static int start_tasks(unsigned int i, pid_t *pids, struct error *err)
{
	struct launch launch = {};
	char name[16], number[12];
	unsigned int task;

	name_of(i, name);
	snprintf(number, sizeof(number), "%u", i);
	if (backend_kernel.launch_open(name, &launch, err))
		return -1;
	for (task = 0; task < TASKS; task++) {
		pids[task] = fork();
		if (!pids[task])
			stage_launch(&launch, 0, name, "number", number);
	}
	backend_kernel.launch_close(&launch);
	return 0;
}

struct sum {
	unsigned int objects, tasks;
};

static int add_image(const struct image_info *info, void *data)
{
	struct sum *sum = data;

	sum->objects++;
	return 0;
}

static int add_group(const struct group_info *info, void *data)
{
	struct sum *sum = data;

	sum->objects++;
	sum->tasks += info->tasks;
	return 0;
}

static int add_task(const struct task_info *info, void *data)
{
	struct sum *sum = data;

	sum->tasks++;
	return 0;
}

/* Stops at the first event, and then finds that it has lost some. */
static int lose_one(json_t *event, void *data, struct error *err)
{
	bool *stopped = data;

	if (*stopped)
		return 0;
	*stopped = true;
	raise(SIGSTOP);
	alarm(60);
	return 0;
}

static pid_t start_listener(void)
{
	bool stopped = false;
	struct error err;
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	backend_kernel.events(lose_one, &stopped, &err);
	fprintf(stderr, "# the listener: %s\n", err.text);
	_exit(err.code == ENOBUFS ? 0 : 1);
}

FIXTURE(limits) {
	struct image image;
	struct store_info before;
	unsigned int images, made, *number;
	pid_t *pids, listener;
	struct error err;
};

FIXTURE_SETUP(limits)
{
	/* First, so that its connection to the module is its own. */
	self->listener = start_listener();
	self->images = number_of_images();
	self->pids = calloc(self->images * TASKS, sizeof(*self->pids));
	ASSERT_NE(NULL, self->pids);
	ASSERT_EQ(0, stage_build(&self->image, &self->err)) { TH_LOG("%s", self->err.text); }
	self->number = number_in(&self->image);
	ASSERT_NE(NULL, self->number);
	ASSERT_EQ(0, backend_kernel.status(&self->before, &self->err));
}

FIXTURE_TEARDOWN(limits)
{
	struct store_info after;
	unsigned int i;
	char name[16];

	kill(self->listener, SIGKILL);
	for (i = 0; i < self->images * TASKS && self->pids[i]; i++)
		kill(self->pids[i], SIGKILL);
	while (i)
		stage_wait(self->pids[--i]);
	for (i = 0; i < self->made; i++) {
		name_of(i, name);
		EXPECT_EQ(0, stage_clear(name, &self->err)) { TH_LOG("%s", self->err.text); }
	}
	EXPECT_EQ(0, backend_kernel.status(&after, &self->err));
	EXPECT_EQ(0, memcmp(&after, &self->before, sizeof(after)));
	image_free(&self->image);
	free(self->pids);
}

static bool all_there(unsigned int images, unsigned int tasks)
{
	struct sum image = {}, group = {}, task = {};
	struct error err;

	return !backend_kernel.image_each(add_image, &image, &err) && image.objects == images &&
	       !backend_kernel.group_each(add_group, &group, &err) && group.objects == images &&
	       !backend_kernel.task_each(NULL, add_task, &task, &err) && task.tasks == tasks &&
	       group.tasks == tasks;
}

/* Those that found another image's number have ended. */
static bool all_run(const pid_t *pids, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (waitpid(pids[i], NULL, WNOHANG))
			return false;
	return true;
}

TEST_F_TIMEOUT(limits, many_images_groups_and_tasks, 3600)
{
	unsigned int nr = self->images * TASKS, i;
	unsigned long empty, loaded, running;
	struct store_info store;
	char name[16];

	memory_drop_caches();
	empty = memory_available();
	for (; self->made < self->images; self->made++) {
		*self->number = self->made;
		ASSERT_EQ(0, set_up(&self->image, self->made, &self->err)) {
			TH_LOG("%s", self->err.text);
		}
	}
	ASSERT_TRUE(stage_stops(self->listener));
	memory_drop_caches();
	loaded = memory_available();
	for (i = 0; i < self->images; i++)
		ASSERT_EQ(0, start_tasks(i, self->pids + i * TASKS, &self->err)) {
			TH_LOG("%s", self->err.text);
		}
	for (i = 0; i < self->images; i++) {
		name_of(i, name);
		ASSERT_TRUE(stage_settles(name, TASKS));
	}
	EXPECT_TRUE(all_run(self->pids, nr));
	EXPECT_TRUE(all_there(self->images, nr));
	memory_drop_caches();
	running = memory_available();
	ASSERT_EQ(0, backend_kernel.status(&store, &self->err));
	EXPECT_EQ(nr, store.tasks - self->before.tasks);
	/* A page of its own for each image, whatever the images are made of. */
	EXPECT_LE(store.store_pages, store.image_pages / self->images + self->images);
	TH_LOG("%u images: %llu pages in %llu; %ld bytes an image with its group, %ld KiB a task",
	       self->images, (unsigned long long)store.image_pages,
	       (unsigned long long)store.store_pages,
	       (long)(empty - loaded) * 1024 / self->images, (long)(loaded - running) / nr);
	EXPECT_EQ(0, stage_ends(self->listener));
}

int main(int argc, char **argv)
{
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
