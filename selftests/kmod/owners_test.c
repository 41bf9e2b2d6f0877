// SPDX-License-Identifier: GPL-2.0
/*
 * No owner can learn another's pages: equal content of two owners lies in different memory,
 * and nothing that a task sees of its own memory changes when another owner has, or
 * maps, the same content. The same between two images of one owner does show, so the tests
 * could see it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "lib/cleanup.h"
#include "stage.h"

#define BYTES		(STAGE_PAGES * STAGE_PAGE)
#define ALICE		1000
#define BOB		1001
#define PRESENT		(1ULL << 63)
#define FILE_PAGE	(1ULL << 61)
#define FRAME		((1ULL << 55) - 1)
#define NOTES		"/tmp/coppice-owners-test"

/* What a task sees of itself. */
struct notes {
	unsigned char core[3][STAGE_PAGES];	/* of mincore(), for each prop */
	long write_faults;			/* that writing all of stage_data took */
};

static int save(const struct notes *notes)
{
	autoclose int fd = open(NOTES, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, notes, sizeof(*notes)) == sizeof(*notes) ? 0 : -1;
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* Stopped it can be looked at from outside, with all pages mapped and none written. */
static int play_look(int argc, char **argv)
{
	struct notes notes = {};
	size_t i;

	if (!stage_intact() || mincore(stage_data, BYTES, notes.core[0]) ||
	    mincore(stage_mapping, BYTES, notes.core[1]) ||
	    mincore((void *)stage_text, BYTES, notes.core[2]))
		return 1;
	notes.write_faults = -faults();
	raise(SIGSTOP);
	for (i = 0; i < BYTES; i += STAGE_PAGE)
		((volatile unsigned char *)stage_data)[i] = 1;
	notes.write_faults += faults();
	return save(&notes) ? 2 : 0;
}

static int play_hold(int argc, char **argv)
{
	bool right = stage_intact();

	raise(SIGSTOP);
	return right ? 0 : 1;
}

const struct role roles[] = {
	{ "look", play_look },
	{ "hold", play_hold },
	{}
};

/* All that can be seen of a task's image: as its owner would read it in /proc. */
struct view {
	struct notes notes;
	uint64_t *pages;	/* pagemap of all segments with content */
	size_t nr_pages;
	char *smaps;		/* of the image's mappings */
};

static void view_free(struct view *view)
{
	free(view->pages);
	free(view->smaps);
}

static int read_pagemap(pid_t pid, const struct image *image, struct view *view)
{
	autoclose int fd = -1;
	char path[64];
	size_t i, nr;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (i = 0; i < image->nr_segments; i++) {
		const struct image_segment *seg = &image->segments[i];

		if (!seg->data)
			continue;
		nr = seg->len / STAGE_PAGE;
		view->pages = realloc(view->pages, (view->nr_pages + nr) * sizeof(*view->pages));
		if (pread(fd, view->pages + view->nr_pages, nr * 8, seg->start / STAGE_PAGE * 8) !=
		    (ssize_t)(nr * 8))
			return -1;
		view->nr_pages += nr;
	}
	return 0;
}

/* Without the names: they have the image's. */
static int read_smaps(pid_t pid, struct view *view)
{
	autofclose FILE *smaps = NULL;
	bool counted = false;
	char line[512];
	FILE *text;
	size_t size;

	snprintf(line, sizeof(line), "/proc/%d/smaps", pid);
	smaps = fopen(line, "re");
	text = open_memstream(&view->smaps, &size);
	while (smaps && text && fgets(line, sizeof(line), smaps)) {
		if (strchr(line, '-') && strchr(line, '-') < strchr(line, ' '))
			counted = strstr(line, "coppice:");
		else if (counted)
			fputs(line, text);
	}
	return !smaps || !text || fclose(text) || !size ? -1 : 0;
}

/* Have a task of @group look at itself, and look at it. */
static int look(const char *group, const struct image *image, struct view *view)
{
	autoclose int notes = -1;
	struct error err;
	pid_t pid;

	*view = (struct view) {};
	pid = stage_enter(group, "look", NULL, &err);
	if (!stage_stops(pid) || read_pagemap(pid, image, view) || read_smaps(pid, view) ||
	    stage_ends(pid))
		return -1;
	notes = open(NOTES, O_RDONLY | O_CLOEXEC);
	return read(notes, &view->notes, sizeof(view->notes)) == sizeof(view->notes) ? 0 : -1;
}

/* The flags of each page, but not where it lies: that only root can see. */
static bool same_flags(const struct view *a, const struct view *b)
{
	size_t i;

	if (a->nr_pages != b->nr_pages)
		return false;
	for (i = 0; i < a->nr_pages; i++)
		if ((a->pages[i] ^ b->pages[i]) & ~FRAME)
			return false;
	return true;
}

static bool same_smaps(const struct view *a, const struct view *b)
{
	return !strcmp(a->smaps, b->smaps);
}

static bool same_notes(const struct view *a, const struct view *b)
{
	return !memcmp(&a->notes, &b->notes, sizeof(a->notes));
}

static int compare_frames(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a & FRAME, right = *(const uint64_t *)b & FRAME;

	return left < right ? -1 : left > right;
}

/* Pages of the store that both have mapped. */
static size_t common_frames(struct view *a, struct view *b)
{
	size_t i, common = 0;

	qsort(b->pages, b->nr_pages, sizeof(*b->pages), compare_frames);
	for (i = 0; i < a->nr_pages; i++) {
		if (!(a->pages[i] & PRESENT) || !(a->pages[i] & FILE_PAGE))
			continue;
		if (bsearch(&a->pages[i], b->pages, b->nr_pages, sizeof(*b->pages), compare_frames))
			common++;
	}
	return common;
}

FIXTURE(owners) {
	struct image image;
	struct error err;
};

static int add(const char *name, uid_t owner, const struct image *image, struct error *err)
{
	struct group_info group = { .owner = owner };

	snprintf(group.name, sizeof(group.name), "%s", name);
	snprintf(group.image, sizeof(group.image), "%s", name);
	return backend_kernel.image_load(name, owner, image, err) ||
	       backend_kernel.group_add(&group, err) ? -1 : 0;
}

static uint64_t added_pages(const char *name)
{
	struct image_info info;
	struct error err;

	return backend_kernel.image_get(name, &info, &err) ? ~0ULL : info.added_pages;
}

FIXTURE_SETUP(owners)
{
	struct view warm_up;

	close(open(NOTES, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
	chmod(NOTES, 0666);
	ASSERT_EQ(0, stage_build(&self->image, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, add("alice", ALICE, &self->image, &self->err)) { TH_LOG("%s", self->err.text); }
	/* From now on the pages that a start touches are mapped ahead. */
	ASSERT_EQ(0, look("alice", &self->image, &warm_up));
	view_free(&warm_up);
}

FIXTURE_TEARDOWN(owners)
{
	EXPECT_EQ(0, stage_clear("alice", &self->err)) { TH_LOG("%s", self->err.text); }
	image_free(&self->image);
	unlink(NOTES);
}

TEST_F(owners, equal_content_lies_in_different_memory)
{
	pid_t alice, bob, again;
	struct view a = {}, b = {}, c = {};

	ASSERT_EQ(0, add("bob", BOB, &self->image, &self->err));
	ASSERT_EQ(0, add("again", ALICE, &self->image, &self->err));
	/* All of it is new, as it was for the first owner. */
	EXPECT_EQ(added_pages("alice"), added_pages("bob"));
	EXPECT_EQ(0, added_pages("again"));
	alice = stage_enter("alice", "hold", NULL, &self->err);
	bob = stage_enter("bob", "hold", NULL, &self->err);
	again = stage_enter("again", "hold", NULL, &self->err);
	ASSERT_TRUE(stage_stops(alice) && stage_stops(bob) && stage_stops(again));
	ASSERT_EQ(0, read_pagemap(alice, &self->image, &a));
	ASSERT_EQ(0, read_pagemap(bob, &self->image, &b));
	ASSERT_EQ(0, read_pagemap(again, &self->image, &c));
	EXPECT_EQ(0, common_frames(&a, &b));
	EXPECT_LE(3 * STAGE_PAGES, common_frames(&a, &c));
	view_free(&a);
	view_free(&b);
	view_free(&c);
	EXPECT_EQ(0, stage_ends(alice) | stage_ends(bob) | stage_ends(again));
	EXPECT_EQ(0, stage_clear("bob", &self->err));
	EXPECT_EQ(0, stage_clear("again", &self->err));
}

TEST_F(owners, a_task_sees_nothing_of_anothers)
{
	struct view alone, beside;
	pid_t bob;

	ASSERT_EQ(0, look("alice", &self->image, &alone));
	ASSERT_EQ(0, add("bob", BOB, &self->image, &self->err));
	bob = stage_enter("bob", "hold", NULL, &self->err);
	ASSERT_TRUE(stage_stops(bob));
	ASSERT_EQ(0, look("alice", &self->image, &beside));
	EXPECT_TRUE(same_flags(&alone, &beside));
	EXPECT_TRUE(same_smaps(&alone, &beside));
	EXPECT_TRUE(same_notes(&alone, &beside));
	/* Each write of a page costs its copy, whoever else has the content. */
	EXPECT_LE((long)STAGE_PAGES, alone.notes.write_faults);
	view_free(&alone);
	view_free(&beside);
	EXPECT_EQ(0, stage_ends(bob));
	EXPECT_EQ(0, stage_clear("bob", &self->err));
}

TEST_F(owners, a_task_sees_that_its_owners_tasks_share)
{
	struct view alone, beside;
	pid_t again;

	ASSERT_EQ(0, look("alice", &self->image, &alone));
	ASSERT_EQ(0, add("again", ALICE, &self->image, &self->err));
	again = stage_enter("again", "hold", NULL, &self->err);
	ASSERT_TRUE(stage_stops(again));
	ASSERT_EQ(0, look("alice", &self->image, &beside));
	EXPECT_FALSE(same_flags(&alone, &beside));
	EXPECT_FALSE(same_smaps(&alone, &beside));
	EXPECT_TRUE(same_notes(&alone, &beside));
	view_free(&alone);
	view_free(&beside);
	EXPECT_EQ(0, stage_ends(again));
	EXPECT_EQ(0, stage_clear("again", &self->err));
}

int main(int argc, char **argv)
{
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
