// SPDX-License-Identifier: GPL-2.0
/*
 * Reshare: pages that equal the image's again go back, no others do, and no write is
 * lost, whoever makes it while that goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "runtime/coppice.h"
#include "stage.h"

#define BYTES (STAGE_PAGES * STAGE_PAGE)
#define ROUNDS 300

/* What the props are in the image: taken when the task begins. */
static unsigned char *original;

static void remember(void)
{
	original = mmap(NULL, 2 * BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(original, stage_data, BYTES);
	memcpy(original + BYTES, stage_mapping, BYTES);
}

static void restore(void)
{
	memcpy(stage_data, original, BYTES);
	memcpy(stage_mapping, original + BYTES, BYTES);
}

static int reshare(uint64_t *given_back)
{
	uint64_t compared;

	return coppice_reshare(&compared, given_back);
}

static int play_equal(int argc, char **argv)
{
	uint64_t given_back;

	remember();
	stage_scribble();
	restore();
	if (stage_private_pages(stage_data) != STAGE_PAGES ||
	    stage_private_pages(stage_mapping) != STAGE_PAGES)
		return 2;
	if (reshare(&given_back) || given_back < 2 * STAGE_PAGES)
		return 3;
	if (stage_private_pages(stage_data) || stage_private_pages(stage_mapping) || !stage_intact())
		return 4;
	stage_scribble();
	return stage_private_pages(stage_data) == STAGE_PAGES && stage_data[5] == 0xee ? 0 : 5;
}

/* One byte in each page, at its start, end or somewhere between. */
static int play_unequal(int argc, char **argv)
{
	uint64_t given_back;
	size_t i;

	remember();
	for (i = 0; i < STAGE_PAGES; i++)
		stage_data[i * STAGE_PAGE + (i % 3 ? i * 63 % STAGE_PAGE : STAGE_PAGE - 1)] ^= 1;
	if (reshare(&given_back) || stage_private_pages(stage_data) != STAGE_PAGES)
		return 2;
	for (i = 0; i < STAGE_PAGES; i++)
		stage_data[i * STAGE_PAGE + (i % 3 ? i * 63 % STAGE_PAGE : STAGE_PAGE - 1)] ^= 1;
	return stage_intact() ? 0 : 3;
}

/* Where the image's pages are is not where the segment was. */
static int play_moved(int argc, char **argv)
{
	unsigned char *to = (void *)0x200000000UL;
	uint64_t given_back;

	remember();
	stage_scribble();
	restore();
	if (mprotect(stage_data, BYTES / 2, PROT_READ) ||
	    mremap(stage_mapping, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return 2;
	if (reshare(&given_back) || given_back < 2 * STAGE_PAGES || stage_private_pages(to))
		return 3;
	return memcmp(to, original + BYTES, BYTES) || memcmp(stage_data, original, BYTES) ? 4 : 0;
}

static int play_forked(int argc, char **argv)
{
	uint64_t given_back;
	pid_t child;

	remember();
	stage_scribble();
	memcpy(stage_mapping, original + BYTES, BYTES);
	child = fork();
	if (!child) {
		/* Shared with the parent, equal and unequal. */
		if (reshare(&given_back) || stage_private_pages(stage_mapping) || stage_data[7] != 0xee)
			_exit(2);
		stage_scribble();
		_exit(stage_data[BYTES - 1] != 0xee || stage_mapping[9] != 0xdd);
	}
	if (stage_wait(child) || memcmp(stage_mapping, original + BYTES, BYTES) ||
	    stage_data[BYTES - 1] != 0xee)
		return 3;
	return reshare(&given_back) || stage_private_pages(stage_mapping) ||
	       stage_private_pages(stage_data) != STAGE_PAGES ? 4 : 0;
}

/* A pipe refers to the page: what it is must not change under its reader. */
static int play_pinned(int argc, char **argv)
{
	struct iovec iov = { stage_mapping, 2 * STAGE_PAGE };
	unsigned char copy[2 * STAGE_PAGE];
	uint64_t given_back;
	int fd[2];

	remember();
	stage_scribble();
	restore();
	if (pipe(fd) || vmsplice(fd[1], &iov, 1, 0) != sizeof(copy))
		return 2;
	if (reshare(&given_back) || stage_private_pages(stage_mapping) != 2)
		return 3;
	return read(fd[0], copy, sizeof(copy)) != sizeof(copy) ||
	       memcmp(copy, original + BYTES, sizeof(copy)) ? 4 : 0;
}

/* A device writes to the page that was registered, not to where the address leads. */
static int play_registered(int argc, char **argv)
{
	struct iovec iov = { stage_data, BYTES };
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	uint64_t given_back;

	remember();
	if (io_uring_queue_init(4, &ring, 0) || io_uring_register_buffers(&ring, &iov, 1))
		return 100;	/* 6.1 takes no file's memory */
	restore();
	if (reshare(&given_back) || stage_private_pages(stage_data) != STAGE_PAGES)
		return 2;
	io_uring_prep_read_fixed(io_uring_get_sqe(&ring), fd, stage_data, STAGE_PAGE, 0, 0);
	if (io_uring_submit(&ring) != 1 || io_uring_wait_cqe(&ring, &cqe) || cqe->res <= 0)
		return 3;
	return stage_data[0] || stage_data[cqe->res - 1] ? 4 : 0;
}

/* Each writer has pages of its own, and finds there what it wrote last. */
struct writer {
	pthread_t thread;
	unsigned char *page;
	const unsigned char *original;
	int rounds;
	bool lost;
};

static void *write_and_check(void *data)
{
	struct writer *writer = data;
	unsigned int i, at;

	for (i = 0; i < (unsigned int)writer->rounds && !writer->lost; i++) {
		at = i * 509 % STAGE_PAGE;
		writer->page[at] ^= 0x80;
		writer->lost = !memcmp(writer->page, writer->original, STAGE_PAGE);
		writer->page[at] ^= 0x80;
		writer->lost |= !!memcmp(writer->page, writer->original, STAGE_PAGE);
	}
	return NULL;
}

#define WRITERS 3

static void writers_start(struct writer *writers, int rounds)
{
	int i;

	for (i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer) {
			.page = stage_data + i * STAGE_PAGE, .original = original + i * STAGE_PAGE,
			.rounds = rounds,
		};
		pthread_create(&writers[i].thread, NULL, write_and_check, &writers[i]);
	}
}

static int writers_join(struct writer *writers)
{
	int i, lost = 0;

	for (i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		lost |= writers[i].lost;
	}
	return lost;
}

static int play_threads(int argc, char **argv)
{
	struct writer writers[WRITERS];
	uint64_t given_back, sum = 0;
	int i, failed = 0;

	remember();
	writers_start(writers, ROUNDS * 100);
	for (i = 0; i < ROUNDS; i++) {
		stage_mapping[0] = stage_mapping[0];
		failed = reshare(&given_back) ? errno : 0;
		if (failed)
			break;
		sum += given_back;
	}
	if (writers_join(writers))
		return 3;
	if (failed)
		return failed == EOPNOTSUPP ? 100 : 2;
	return sum ? 0 : 4;
}

/* The same while the caller reshares from outside; it says when it has begun. */
static int play_threads_outside(int argc, char **argv)
{
	struct writer writers[WRITERS];

	remember();
	writers_start(writers, ROUNDS * 200);
	return writers_join(writers) ? 3 : 0;
}

/* A child writes to the memory of the task that reshares itself. */
static void write_remotely(pid_t task, const unsigned char *at)
{
	char path[32];
	unsigned char byte = *at ^ 0x80, before = *at;
	int i, fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", task);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (i = 0; i < ROUNDS; i++) {
		if (pwrite(fd, &byte, 1, (uintptr_t)at) != 1 || *at != before)
			_exit(1);
		if (pread(fd, &byte, 1, (uintptr_t)at) != 1 || byte != (before ^ 0x80))
			_exit(2);
		if (pwrite(fd, &before, 1, (uintptr_t)at) != 1)
			_exit(3);
		if (pread(fd, &byte, 1, (uintptr_t)at) != 1 || byte != before)
			_exit(4);
		byte = before ^ 0x80;
	}
	_exit(0);
}

static int play_remote_writer(int argc, char **argv)
{
	uint64_t given_back;
	int status, calls = 0;
	pid_t child;

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	child = fork();
	if (!child)
		write_remotely(getppid(), stage_data + 100);
	while (!waitpid(child, &status, WNOHANG)) {
		if (reshare(&given_back) && errno != EOPNOTSUPP)
			return 2;
		calls++;
	}
	return calls ? WEXITSTATUS(status) : 5;
}

/* Equal pages for the other side to give back while this one is stopped. */
static int play_stopped(int argc, char **argv)
{
	remember();
	stage_scribble();
	memcpy(stage_data, original, BYTES);
	raise(SIGSTOP);
	return stage_private_pages(stage_data) || stage_private_pages(stage_mapping) != STAGE_PAGES ||
	       memcmp(stage_data, original, BYTES) || stage_mapping[3] != 0xdd ? 1 : 0;
}

const struct role roles[] = {
	{ "equal", play_equal },
	{ "unequal", play_unequal },
	{ "moved", play_moved },
	{ "forked", play_forked },
	{ "pinned", play_pinned },
	{ "registered", play_registered },
	{ "threads", play_threads },
	{ "threads-outside", play_threads_outside },
	{ "remote-writer", play_remote_writer },
	{ "stopped", play_stopped },
	{}
};

FIXTURE(reshare) {
	struct image image;
	struct error err;
};

FIXTURE_SETUP(reshare)
{
	ASSERT_EQ(0, stage_set("stage", 0, &self->image, &self->err)) { TH_LOG("%s", self->err.text); }
}

FIXTURE_TEARDOWN(reshare)
{
	EXPECT_TRUE(stage_image_intact("stage", &self->image, &self->err));
	EXPECT_EQ(0, stage_clear("stage", &self->err)) { TH_LOG("%s", self->err.text); }
	image_free(&self->image);
}

#define PLAY(name, role) \
	TEST_F_TIMEOUT(reshare, name, 300) { EXPECT_EQ(0, stage_play("stage", role, NULL)); }

PLAY(equal_pages_go_back, "equal")
PLAY(unequal_pages_stay, "unequal")
PLAY(what_was_moved_or_protected_goes_back, "moved")
PLAY(forks_give_back_their_own, "forked")
PLAY(pages_in_a_pipe_stay, "pinned")
PLAY(a_remote_writer_loses_no_write, "remote-writer")

#define NO_MEANS "this kernel keeps no other writers out"

TEST_F_TIMEOUT(reshare, threads_lose_no_write, 300)
{
	int status = stage_play("stage", "threads", NULL);

	if (status == 100)
		SKIP(return, NO_MEANS);
	EXPECT_EQ(0, status);
}

TEST_F(reshare, registered_buffers_stay)
{
	int status = stage_play("stage", "registered", NULL);

	if (status == 100)
		SKIP(return, "this kernel registers no buffers in image memory");
	EXPECT_EQ(0, status);
}

TEST_F(reshare, a_stopped_task_from_outside)
{
	struct reshare_info info;
	pid_t pid = stage_enter("stage", "stopped", NULL, &self->err);
	int status, ret;

	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	ret = backend_kernel.task_reshare(stage_task_id("stage"), &info, &self->err);
	if (ret && self->err.code == EOPNOTSUPP) {
		stage_ends(pid);
		SKIP(return, NO_MEANS);
	}
	EXPECT_EQ(0, ret) { TH_LOG("%s", self->err.text); }
	EXPECT_LE(STAGE_PAGES, info.given_back);
	EXPECT_LE(2 * STAGE_PAGES, info.compared);
	kill(pid, SIGCONT);
	EXPECT_EQ(0, stage_wait(pid));
}

TEST_F_TIMEOUT(reshare, threads_lose_no_write_from_outside, 300)
{
	struct reshare_info info;
	uint64_t calls = 0, id;
	pid_t pid = stage_enter("stage", "threads-outside", NULL, &self->err);

	while (!(id = stage_task_id("stage")))
		usleep(1000);
	while (!backend_kernel.task_reshare(id, &info, &self->err))
		calls++;
	EXPECT_EQ(0, stage_wait(pid));
	if (self->err.code == EOPNOTSUPP)
		SKIP(return, NO_MEANS);
	EXPECT_EQ(ENOENT, self->err.code) { TH_LOG("%s", self->err.text); }
	EXPECT_LT(0, calls);
}

TEST_F(reshare, no_such_task)
{
	struct reshare_info info;

	EXPECT_EQ(-1, backend_kernel.task_reshare(1ULL << 60, &info, &self->err));
	EXPECT_EQ(ENOENT, self->err.code);
	EXPECT_STREQ("There is no such task: it may have ended", self->err.text);
}

int main(int argc, char **argv)
{
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
