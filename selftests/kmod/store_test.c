// SPDX-License-Identifier: GPL-2.0
/* The page store: equal pages once for each owner, never across owners, within a limit. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "stage.h"

const struct role roles[] = { {} };

#define PAGES 256
#define LIMIT "/sys/module/coppice/parameters/store_max_pages"

static unsigned char content[PAGES][STAGE_PAGE] __attribute__((aligned(4096)));

/* Pages from @salt on are all different; another salt gives others. */
static void fill(unsigned int salt)
{
	unsigned int i;

	memset(content, 0, sizeof(content));
	for (i = 0; i < PAGES; i++) {
		unsigned int number = salt + i + 1;

		memcpy(content[i], &number, sizeof(number));
		memcpy(content[i] + STAGE_PAGE - sizeof(number), &number, sizeof(number));
	}
}

static int load(const char *name, uid_t owner, struct error *err)
{
	struct image_segment segments[] = {
		{ 0x100000000UL, sizeof(content), PROT_READ | PROT_WRITE, content, NULL, 0, 0 },
		{ 0x200000000UL, STAGE_PAGE, PROT_READ | PROT_EXEC, content, NULL, 0, 0 },
	};
	struct image image = {
		.entry = 0x200000000UL, .stack = 0x100001000UL,
		.segments = segments, .nr_segments = 2,
	};

	return backend_kernel.image_load(name, owner, &image, err);
}

static uint64_t stored(void)
{
	struct store_info info;
	struct error err;

	return backend_kernel.status(&info, &err) ? ~0ULL : info.store_pages;
}

static uint64_t added(const char *name)
{
	struct image_info info;
	struct error err;

	return backend_kernel.image_get(name, &info, &err) ? ~0ULL : info.added_pages;
}

static void set_limit(uint64_t pages)
{
	FILE *file = fopen(LIMIT, "we");

	if (!file || fprintf(file, "%llu", (unsigned long long)pages) < 0 || fclose(file))
		abort();
}

FIXTURE(store) {
	struct error err;
	uint64_t before;
};

FIXTURE_SETUP(store)
{
	self->before = stored();
	fill(0);
}

FIXTURE_TEARDOWN(store)
{
	set_limit(0);
	EXPECT_EQ(self->before, stored());
}

#define EXPECT_OK(call) EXPECT_EQ(0, call) { TH_LOG(#call ": %s", self->err.text); }

TEST_F(store, equal_pages_of_one_owner_are_one)
{
	EXPECT_OK(load("a", 0, &self->err));
	EXPECT_EQ(PAGES, added("a"));
	EXPECT_OK(load("b", 0, &self->err));
	EXPECT_EQ(0, added("b"));
	EXPECT_EQ(self->before + PAGES, stored());
	/* What is left of them stays as long as one of the images needs it. */
	EXPECT_OK(backend_kernel.image_delete("a", &self->err));
	EXPECT_EQ(self->before + PAGES, stored());
	EXPECT_OK(backend_kernel.image_delete("b", &self->err));
}

TEST_F(store, owners_share_nothing)
{
	EXPECT_OK(load("a", 1000, &self->err));
	EXPECT_OK(load("b", 1001, &self->err));
	EXPECT_EQ(PAGES, added("b"));
	EXPECT_EQ(self->before + 2 * PAGES, stored());
	EXPECT_OK(backend_kernel.image_delete("a", &self->err));
	EXPECT_OK(backend_kernel.image_delete("b", &self->err));
}

TEST_F(store, pages_are_compared_not_only_hashed)
{
	fill(0);
	EXPECT_OK(load("a", 0, &self->err));
	fill(PAGES / 2);
	EXPECT_OK(load("b", 0, &self->err));
	EXPECT_EQ(PAGES / 2, added("b"));
	EXPECT_OK(backend_kernel.image_delete("b", &self->err));
	EXPECT_OK(backend_kernel.image_delete("a", &self->err));
}

TEST_F(store, equal_pages_of_one_image_are_one)
{
	memset(content, 0x77, sizeof(content));
	EXPECT_OK(load("a", 0, &self->err));
	EXPECT_EQ(1, added("a"));
	EXPECT_OK(backend_kernel.image_delete("a", &self->err));
}

TEST_F(store, what_is_read_back_is_what_was_loaded)
{
	struct image image = {};

	EXPECT_OK(load("a", 0, &self->err));
	ASSERT_EQ(0, backend_kernel.image_read("a", &image, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	ASSERT_EQ(2, image.nr_segments);
	EXPECT_EQ(sizeof(content), image.segments[0].len);
	EXPECT_EQ(0, memcmp(image.segments[0].data, content, sizeof(content)));
	EXPECT_EQ(0, memcmp(image.segments[1].data, content, STAGE_PAGE));
	image_free(&image);
	EXPECT_OK(backend_kernel.image_delete("a", &self->err));
}

TEST_F(store, a_full_store_refuses_and_keeps_nothing)
{
	set_limit(self->before + PAGES / 2);
	EXPECT_EQ(-1, load("a", 0, &self->err));
	EXPECT_EQ(ENOSPC, self->err.code);
	EXPECT_NE(NULL, strstr(self->err.text, "store is full"));
	EXPECT_EQ(self->before, stored());
	/* Just enough is enough, and what is there already needs no room. */
	set_limit(self->before + PAGES);
	EXPECT_OK(load("a", 0, &self->err));
	EXPECT_OK(load("b", 0, &self->err));
	EXPECT_OK(backend_kernel.image_delete("a", &self->err));
	EXPECT_OK(backend_kernel.image_delete("b", &self->err));
}

int main(int argc, char **argv)
{
	return test_harness_run(argc, argv);
}
