// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages: read-only content in pages of 2 MiB, mapped as such, and whatever a task
 * does to them: nobody else sees it, and nothing is lost or left.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "lib/cleanup.h"
#include "runtime/coppice.h"
#include "stage.h"

#define HUGE		(2UL << 20)
#define NR_HUGE		2
#define TAIL		(16 * STAGE_PAGE)	/* behind them, in small pages */
#define SIZE		(NR_HUGE * HUGE + TAIL)
/* Below all else, so that it is the image's first segment and offset and address agree. */
#define PLACE		((void *)0x10000000UL)
#define PARAMETER	"/sys/module/coppice/parameters/huge_pages"
#define SEEN		"/tmp/coppice-huge-test"

static unsigned char *big;

static void fill(unsigned char *to, size_t size, unsigned int salt)
{
	size_t i;

	for (i = 0; i < size; i += STAGE_PAGE) {
		unsigned int number = salt + i / STAGE_PAGE;

		memcpy(to + i, &number, sizeof(number));
		memcpy(to + i + STAGE_PAGE - sizeof(number), &number, sizeof(number));
	}
}

static bool filled(const unsigned char *from, size_t size, unsigned int salt)
{
	unsigned int number;
	size_t i;

	for (i = 0; i < size; i += STAGE_PAGE) {
		number = salt + i / STAGE_PAGE;
		if (memcmp(from + i, &number, sizeof(number)) ||
		    memcmp(from + i + STAGE_PAGE - sizeof(number), &number, sizeof(number)))
			return false;
	}
	return true;
}

/* Memory that begins where a huge page could. */
static unsigned char *aligned(size_t size)
{
	unsigned char *room = mmap(NULL, size + 2 * HUGE, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned char *at = (void *)(((unsigned long)room + 2 * HUGE - 1) / HUGE * HUGE);

	munmap(room, size + 2 * HUGE);
	return mmap(at, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void prepare_big(void)
{
	big = mmap(PLACE, SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (big == MAP_FAILED)
		exit(90);
	fill(big, SIZE, 1);
	mprotect(big, SIZE, PROT_READ);
}

static bool big_right(void)
{
	return filled(big, SIZE, 1);
}

/* KiB that a process has mapped in huge pages of files. */
static long mapped_huge(pid_t pid)
{
	autofclose FILE *smaps = NULL;
	long kib, sum = 0;
	char line[256];

	snprintf(line, sizeof(line), "/proc/%d/smaps", pid);
	smaps = fopen(line, "re");
	while (smaps && fgets(line, sizeof(line), smaps))
		if (sscanf(line, "FilePmdMapped: %ld", &kib) == 1)
			sum += kib;
	return smaps ? sum : -1;
}

static int play_check(int argc, char **argv)
{
	return big_right() && stage_intact() ? 0 : 1;
}

/* In an image in which the first two have changed places. */
static int play_swapped(int argc, char **argv)
{
	return filled(big, HUGE, 1 + HUGE / STAGE_PAGE) && filled(big + HUGE, HUGE, 1) &&
	       filled(big + NR_HUGE * HUGE, TAIL, 1 + NR_HUGE * HUGE / STAGE_PAGE) ? 0 : 1;
}

/* For whoever looks from outside. */
static int play_hold(int argc, char **argv)
{
	bool right = big_right();

	raise(SIGSTOP);
	return right && big_right() ? 0 : 1;
}

static int make_writable(void)
{
	return big_right() && !mprotect(big, SIZE, PROT_READ | PROT_WRITE) ? 0 : -1;
}

static int play_write(int argc, char **argv)
{
	if (make_writable())
		return 2;
	big[5 * STAGE_PAGE] = 0xee;
	big[HUGE + 7] = 0xee;
	if (big[5 * STAGE_PAGE] != 0xee || big[HUGE + 7] != 0xee || big[6 * STAGE_PAGE] != 7)
		return 3;
	fill(big, SIZE, 5000);
	return filled(big, SIZE, 5000) && !mprotect(big, SIZE, PROT_READ) &&
	       filled(big, SIZE, 5000) ? 0 : 4;
}

static int play_fork(int argc, char **argv)
{
	pid_t child;
	int go[2];
	char byte;

	if (!big_right() || pipe(go))
		return 2;
	child = fork();
	if (!child) {
		/* Once before and once after the parent has changed all of it. */
		if (!big_right() || read(go[0], &byte, 1) != 1 || !big_right())
			_exit(1);
		_exit(make_writable() || (fill(big, SIZE, 99), !filled(big, SIZE, 99)));
	}
	if (make_writable())
		return 3;
	fill(big, SIZE, 42);
	if (write(go[1], "", 1) != 1 || stage_wait(child))
		return 4;
	return filled(big, SIZE, 42) ? 0 : 5;
}

static int play_unmap(int argc, char **argv)
{
	if (!big_right() || munmap(big, HUGE / 2) || munmap(big + HUGE + STAGE_PAGE, STAGE_PAGE))
		return 2;
	return filled(big + HUGE / 2, HUGE / 2 + STAGE_PAGE, 1 + HUGE / 2 / STAGE_PAGE) ? 0 : 3;
}

/* To where a huge page fits, and to where it does not. */
static int play_move(int argc, char **argv)
{
	unsigned char *to = aligned(3 * HUGE), *odd;

	if (!big_right() || mremap(big, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to ||
	    !filled(to, HUGE, 1))
		return 2;
	odd = mremap(to, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + HUGE + STAGE_PAGE);
	return odd == to + HUGE + STAGE_PAGE && filled(odd, HUGE, 1) &&
	       filled(big + HUGE, SIZE - HUGE, 1 + HUGE / STAGE_PAGE) ? 0 : 3;
}

static int play_proc_mem(int argc, char **argv)
{
	autoclose int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	unsigned int number = 77;

	if (!big_right() || pwrite(fd, &number, sizeof(number), (off_t)(big + HUGE)) != 4)
		return 2;
	return !memcmp(big + HUGE, &number, 4) && filled(big, HUGE, 1) &&
	       filled(big + HUGE + STAGE_PAGE, HUGE, 2 + HUGE / STAGE_PAGE) ? 0 : 3;
}

static int play_advise(int argc, char **argv)
{
	static const int advices[] = {
		MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_FREE, MADV_REMOVE, MADV_MERGEABLE,
		MADV_HUGEPAGE, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_NOHUGEPAGE,
		MADV_POPULATE_READ, MADV_COLD, MADV_PAGEOUT, MADV_DONTNEED, 25 /* COLLAPSE */,
	};
	size_t i;

	for (i = 0; i < sizeof(advices) / sizeof(*advices); i++) {
		madvise(big, SIZE, advices[i]);
		if (!big_right())
			return 10 + i;
		madvise(big + STAGE_PAGE, HUGE, advices[i]);
		if (!big_right())
			return 50 + i;
	}
	return 0;
}

/* The pipe's pages are the image's, longer than it is mapped. */
static int play_pin(int argc, char **argv)
{
	struct iovec iov = { big + 10 * STAGE_PAGE, 4 * STAGE_PAGE };
	unsigned char copy[4 * STAGE_PAGE];
	int fd[2];

	if (!big_right() || pipe(fd) || vmsplice(fd[1], &iov, 1, 0) != (ssize_t)sizeof(copy) ||
	    munmap(big, SIZE))
		return 2;
	return read(fd[0], copy, sizeof(copy)) == sizeof(copy) && filled(copy, sizeof(copy), 11) ?
	       0 : 3;
}

static int play_reshare(int argc, char **argv)
{
	uint64_t compared, given_back;

	if (make_writable())
		return 2;
	fill(big, SIZE, 1);
	big[HUGE] ^= 0xff;
	if (coppice_reshare(&compared, &given_back) || given_back < SIZE / STAGE_PAGE - 1)
		return 3;
	big[HUGE] ^= 0xff;
	return big_right() ? 0 : 4;
}

static int play_reset(int argc, char **argv)
{
	if (!access(SEEN, F_OK))
		return big_right() && mapped_huge(getpid()) >= 0 ? 0 : 2;
	close(open(SEEN, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	if (argc > 2 && !strcmp(argv[2], "tracer")) {
		/* Writes that leave the mapping as it was. */
		autoclose int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

		if (pwrite(fd, "secret", 6, (off_t)(big + HUGE + 3)) != 6)
			return 3;
	} else if (make_writable() || (fill(big, SIZE, 9), !filled(big, SIZE, 9))) {
		return 4;
	}
	coppice_reset();
	return 5;
}

const struct role roles[] = {
	{ "check", play_check },
	{ "swapped", play_swapped },
	{ "hold", play_hold },
	{ "write", play_write },
	{ "fork", play_fork },
	{ "unmap", play_unmap },
	{ "move", play_move },
	{ "proc_mem", play_proc_mem },
	{ "advise", play_advise },
	{ "pin", play_pin },
	{ "reshare", play_reshare },
	{ "reset", play_reset },
	{}
};

#define NAME "huge"

static void set_huge(bool on)
{
	FILE *file = fopen(PARAMETER, "we");

	if (!file || fputs(on ? "Y" : "N", file) < 0 || fclose(file))
		abort();
}

static struct image_info info_of(const char *name)
{
	struct image_info info = {};
	struct error err;

	(void)!backend_kernel.image_get(name, &info, &err);
	return info;
}

static struct store_info store(void)
{
	struct store_info info = {};
	struct error err;

	(void)!backend_kernel.status(&info, &err);
	return info;
}

/* So that there are huge pages to be had, whatever ran before. */
static void compact(void)
{
	static const char *const files[] = { "drop_caches", "compact_memory" };
	char path[64];
	size_t i;

	for (i = 0; i < 2; i++) {
		autoclose int fd = -1;

		snprintf(path, sizeof(path), "/proc/sys/vm/%s", files[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "1", 1) != 1)
			abort();
	}
}

FIXTURE(huge) {
	struct image image;
	struct error err;
};

/*
 * Memory is compacted only if it has to be: a kernel with all checks on has been seen to take
 * minutes for it, by what ran before.
 */
static int set(FIXTURE_DATA(huge) *self)
{
	if (stage_set(NAME, 0, &self->image, &self->err))
		return -1;
	if (info_of(NAME).huge_pages == NR_HUGE)
		return 0;
	image_free(&self->image);
	if (stage_clear(NAME, &self->err))
		return -1;
	compact();
	return stage_set(NAME, 0, &self->image, &self->err);
}

FIXTURE_SETUP(huge)
{
	unlink(SEEN);
	ASSERT_EQ(0, set(self)) { TH_LOG("%s", self->err.text); }
	/* There is nothing to test without. */
	ASSERT_EQ(NR_HUGE, info_of(NAME).huge_pages);
	ASSERT_EQ(0, stage_play(NAME, "check", NULL));
}

FIXTURE_TEARDOWN(huge)
{
	set_huge(true);
	EXPECT_TRUE(stage_image_intact(NAME, &self->image, &self->err));
	EXPECT_EQ(0, stage_play(NAME, "check", NULL));
	EXPECT_EQ(0, stage_clear(NAME, &self->err)) { TH_LOG("%s", self->err.text); }
	image_free(&self->image);
}

#define TEST_ROLE(role)								\
	TEST_F(huge, role) { EXPECT_EQ(0, stage_play(NAME, #role, NULL)); }

TEST_ROLE(write)
TEST_ROLE(fork)
TEST_ROLE(unmap)
TEST_ROLE(move)
TEST_ROLE(proc_mem)
TEST_ROLE(advise)
TEST_ROLE(pin)
TEST_ROLE(reshare)

TEST_F(huge, reset)
{
	EXPECT_EQ(0, stage_play(NAME, "reset", "protection"));
	unlink(SEEN);
	EXPECT_EQ(0, stage_play(NAME, "reset", "tracer"));
	unlink(SEEN);
}

TEST_F(huge, is_mapped_as_such_and_counted)
{
	pid_t first = stage_enter(NAME, "hold", NULL, &self->err);
	pid_t second = stage_enter(NAME, "hold", NULL, &self->err);
	struct task_memory memory;

	ASSERT_TRUE(stage_stops(first) && stage_stops(second));
	EXPECT_EQ(NR_HUGE * HUGE / 1024, mapped_huge(first));
	EXPECT_EQ(NR_HUGE * HUGE / 1024, mapped_huge(second));
	ASSERT_EQ(0, backend_kernel.task_memory(stage_task_id(NAME), &memory, &self->err));
	EXPECT_LE(SIZE / STAGE_PAGE, memory.shared);
	EXPECT_EQ(0, stage_ends(first) | stage_ends(second));
}

TEST_F(huge, another_image_shares_them)
{
	struct store_info before = store();

	ASSERT_EQ(0, backend_kernel.image_load("huge.2", 0, &self->image, &self->err));
	EXPECT_EQ(NR_HUGE, info_of("huge.2").huge_pages);
	EXPECT_EQ(0, info_of("huge.2").added_pages);
	EXPECT_EQ(before.store_pages, store().store_pages);
	EXPECT_EQ(before.huge_pages, store().huge_pages);
	EXPECT_EQ(0, backend_kernel.image_delete("huge.2", &self->err));
}

TEST_F(huge, another_owner_does_not)
{
	struct store_info before = store();

	ASSERT_EQ(0, backend_kernel.image_load("huge.2", 1000, &self->image, &self->err));
	EXPECT_EQ(before.huge_pages + NR_HUGE, store().huge_pages);
	EXPECT_EQ(0, backend_kernel.image_delete("huge.2", &self->err));
	EXPECT_EQ(before.huge_pages, store().huge_pages);
	EXPECT_EQ(before.store_pages, store().store_pages);
}

/*
 * Small pages that are parts of huge ones, in a mapping where a huge page would fit: in
 * another order than there, so that each huge page in it would be wrong.
 */
TEST_F(huge, parts_in_another_order_stay_parts)
{
	unsigned char *data = (unsigned char *)self->image.segments[0].data, *copy = malloc(HUGE);
	struct group_info group = { .name = "huge.2", .image = "huge.2" };
	struct store_info before;

	ASSERT_EQ(SIZE, self->image.segments[0].len);
	memcpy(copy, data, HUGE);
	memcpy(data, data + HUGE, HUGE);
	memcpy(data + HUGE, copy, HUGE);
	set_huge(false);
	before = store();
	ASSERT_EQ(0, backend_kernel.image_load("huge.2", 0, &self->image, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	EXPECT_EQ(0, info_of("huge.2").huge_pages);
	EXPECT_EQ(before.store_pages, store().store_pages);
	ASSERT_EQ(0, backend_kernel.group_add(&group, &self->err));
	EXPECT_EQ(0, stage_play("huge.2", "swapped", NULL));
	EXPECT_EQ(0, stage_play("huge.2", "swapped", NULL));
	memcpy(data + HUGE, data, HUGE);
	memcpy(data, copy, HUGE);
	free(copy);
	EXPECT_EQ(0, stage_clear("huge.2", &self->err));
}

/* An image of what could be one huge page, with the first of its parts once more elsewhere. */
struct single {
	unsigned char *data;
	struct image_segment segments[2];
	struct image image;
};

static void single_init(struct single *single)
{
	single->data = aligned(HUGE);
	single->segments[0] = (struct image_segment) {
		.start = 0x100000000UL, .len = HUGE, .prot = PROT_READ, .data = single->data,
	};
	single->segments[1] = (struct image_segment) {
		.start = 0x200000000UL, .len = STAGE_PAGE,
		.prot = PROT_READ | PROT_WRITE | PROT_EXEC, .data = single->data,
	};
	single->image = (struct image) {
		.entry = 0x200000000UL, .stack = 0x200001000UL,
		.segments = single->segments, .nr_segments = 2,
	};
}

/* The store holds all of a huge page until the last of its parts has gone. */
TEST_F(huge, parts_keep_the_whole)
{
	struct store_info before = store();
	struct single single;

	single_init(&single);
	fill(single.data, HUGE, 100000);
	ASSERT_EQ(0, backend_kernel.image_load("huge.2", 0, &single.image, &self->err));
	EXPECT_EQ(1, info_of("huge.2").huge_pages);
	EXPECT_EQ(512, info_of("huge.2").added_pages);
	/* Elsewhere: no huge page can be mapped, but its parts are there already. */
	single.segments[0].start += STAGE_PAGE;
	ASSERT_EQ(0, backend_kernel.image_load("huge.3", 0, &single.image, &self->err));
	EXPECT_EQ(0, info_of("huge.3").huge_pages);
	EXPECT_EQ(0, info_of("huge.3").added_pages);
	EXPECT_EQ(before.store_pages + 512, store().store_pages);
	single.image.nr_segments = 1;
	single.image.segments = &single.segments[1];
	ASSERT_EQ(0, backend_kernel.image_load("huge.4", 0, &single.image, &self->err));
	EXPECT_EQ(0, backend_kernel.image_delete("huge.2", &self->err));
	EXPECT_EQ(0, backend_kernel.image_delete("huge.3", &self->err));
	EXPECT_EQ(before.store_pages + 512, store().store_pages);
	EXPECT_EQ(before.huge_pages + 1, store().huge_pages);
	EXPECT_EQ(0, backend_kernel.image_delete("huge.4", &self->err));
	EXPECT_EQ(before.store_pages, store().store_pages);
	EXPECT_EQ(before.huge_pages, store().huge_pages);
	munmap(single.data, HUGE);
}

TEST_F(huge, content_that_repeats_itself_stays_small)
{
	struct store_info before = store();
	struct single single;

	single_init(&single);
	memset(single.data, 0x33, HUGE);
	ASSERT_EQ(0, backend_kernel.image_load("huge.2", 0, &single.image, &self->err));
	EXPECT_EQ(0, info_of("huge.2").huge_pages);
	EXPECT_EQ(before.store_pages + 1, store().store_pages);
	EXPECT_EQ(0, backend_kernel.image_delete("huge.2", &self->err));
	munmap(single.data, HUGE);
}

int main(int argc, char **argv)
{
	stage_prepare = prepare_big;
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
