// SPDX-License-Identifier: GPL-2.0
/*
 * Whatever a task does to its memory, and whoever does it: no other task and not the
 * image sees it. Each way to write is a role; afterwards the image is compared byte for byte
 * with what was loaded, and a second task checks what it was given.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "stage.h"

#define BYTES (STAGE_PAGES * STAGE_PAGE)

static int play_check(int argc, char **argv)
{
	return stage_intact() ? 0 : 1;
}

static int play_write(int argc, char **argv)
{
	stage_scribble();
	return stage_intact() ? 1 : 0;
}

/* Every page of everything that is mapped writable, the stack under our feet excepted. */
static int play_write_all(int argc, char **argv)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end, at;
	char line[512], perms[8];

	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, perms) != 3 || perms[1] != 'w')
			continue;
		for (at = start; at < end; at += STAGE_PAGE) {
			volatile unsigned char *byte = (void *)at;

			*byte = *byte + 1;
			*byte = *byte - 1;
		}
	}
	fclose(maps);
	stage_scribble();
	return 0;
}

static int play_fork(int argc, char **argv)
{
	pid_t child = fork();

	if (!child) {
		stage_scribble();
		_exit(0);
	}
	return stage_wait(child) || !stage_intact();
}

static int play_fork_then_parent_writes(int argc, char **argv)
{
	int go[2];
	pid_t child;
	char byte;

	if (pipe(go))
		return 2;
	child = fork();
	if (!child)
		_exit(read(go[0], &byte, 1) != 1 || !stage_intact());
	stage_scribble();
	if (write(go[1], "", 1) != 1)
		return 3;
	return stage_wait(child);
}

static int play_exec(int argc, char **argv)
{
	stage_scribble();
	execl("/bin/true", "true", NULL);
	return 2;
}

static int play_mprotect(int argc, char **argv)
{
	unsigned char *text = (unsigned char *)stage_text;

	if (mprotect(text, BYTES, PROT_READ | PROT_WRITE))
		return 2;
	memset(text, 0xcc, BYTES);
	return mprotect(text, BYTES, PROT_READ) ? 3 : 0;
}

static int play_mremap(int argc, char **argv)
{
	unsigned char *moved = mremap(stage_mapping, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
				      (void *)0x200000000UL);

	if (moved == MAP_FAILED || moved[STAGE_PAGE] != (unsigned char)(97 + 7 + STAGE_PAGE % 251))
		return 2;
	memset(moved, 0xbb, BYTES);
	/* Growing would show memory behind the segment. */
	if (mremap(moved, BYTES, 2 * BYTES, MREMAP_MAYMOVE) != MAP_FAILED)
		return 3;
	return munmap(moved, BYTES / 2) || munmap(moved + BYTES / 2, BYTES / 2) ? 4 : 0;
}

static int play_madvise(int argc, char **argv)
{
	static const int advices[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_FREE, MADV_REMOVE,
		MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD,
		MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_DONTDUMP, MADV_DODUMP,
		MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_DONTFORK, MADV_DOFORK, MADV_DONTNEED,
	};
	size_t i;

	for (i = 0; i < sizeof(advices) / sizeof(*advices); i++) {
		stage_scribble();
		madvise(stage_data, BYTES, advices[i]);
		madvise(stage_mapping, BYTES, advices[i]);
		madvise((void *)stage_text, BYTES, advices[i]);
	}
	/* The last gave the pages up: what is read now is the image again. */
	return stage_intact() ? 0 : 1;
}

static int play_read_into(int argc, char **argv)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, stage_data, BYTES);

	close(fd);
	return got == (ssize_t)BYTES && !stage_data[0] && !stage_data[BYTES - 1] ? 0 : 1;
}

static int play_vmsplice(int argc, char **argv)
{
	struct iovec iov = { stage_mapping, 4 * STAGE_PAGE };
	unsigned char copy[4 * STAGE_PAGE];
	int fd[2];

	if (pipe(fd) || vmsplice(fd[1], &iov, 1, SPLICE_F_GIFT) < 0)
		return 2;
	/* The pipe refers to the pages; what is written now must go elsewhere. */
	memset(stage_mapping, 0xaa, BYTES);
	return read(fd[0], copy, sizeof(copy)) == sizeof(copy) ? 0 : 3;
}

/* Work that is queued for the task may end a read of /dev/zero early: read on. */
static int ring_read(struct io_uring *ring, int fd, bool fixed)
{
	struct io_uring_cqe *cqe;
	size_t done;

	for (done = 0; done < BYTES;) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		if (fixed)
			io_uring_prep_read_fixed(sqe, fd, stage_data + done, BYTES - done, 0, 0);
		else
			io_uring_prep_read(sqe, fd, stage_data + done, BYTES - done, 0);
		if (io_uring_submit(ring) != 1 || io_uring_wait_cqe(ring, &cqe) || cqe->res <= 0)
			return -1;
		done += cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
	return done == BYTES ? 0 : -1;
}

static int play_io_uring(int argc, char **argv)
{
	struct iovec iov = { stage_data, BYTES };
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC), ret;
	struct io_uring ring;

	if (io_uring_queue_init(4, &ring, 0))
		return 2;
	ret = io_uring_register_buffers(&ring, &iov, 1);
	/* 6.1 takes no file's memory for fixed buffers, and says so. */
	if (ret && ret != -EOPNOTSUPP)
		return 5;
	if (ring_read(&ring, fd, !ret))
		return 3;
	ret = !stage_data[0] && !stage_data[BYTES - 1] ? 0 : 4;
	io_uring_queue_exit(&ring);
	return ret;
}

static int play_proc_mem(int argc, char **argv)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char *junk = calloc(1, BYTES);
	int ret;

	/* /proc/PID/mem writes where the mapping itself is read-only. */
	ret = pwrite(fd, junk, BYTES, (off_t)stage_text) == (ssize_t)BYTES &&
	      pwrite(fd, junk, BYTES, (off_t)stage_data) == (ssize_t)BYTES ? 0 : 1;
	if (!ret && (stage_text[5] || stage_data[5]))
		ret = 2;
	close(fd);
	free(junk);
	return ret;
}

static int play_vm_writev(int argc, char **argv)
{
	char *junk = calloc(1, BYTES);
	struct iovec from = { junk, BYTES }, to = { stage_data, BYTES };
	ssize_t wrote = process_vm_writev(getpid(), &from, 1, &to, 1, 0);

	free(junk);
	return wrote == (ssize_t)BYTES && !stage_data[9] ? 0 : 1;
}

static int play_threads(int argc, char **argv)
{
	pid_t child = fork();

	if (!child) {
		/* A vfork child shares the memory, so it is the same task. */
		pid_t sharer = vfork();

		if (!sharer) {
			stage_data[0] = 0xee;
			_exit(0);
		}
		_exit(stage_wait(sharer) || stage_data[0] != 0xee);
	}
	return stage_wait(child) || !stage_intact();
}

/* Stops until it is told to go on, then says whether anything was changed. */
static int play_stop(int argc, char **argv)
{
	raise(SIGSTOP);
	return stage_intact() ? 1 : 0;
}

const struct role roles[] = {
	{ "check", play_check },
	{ "write", play_write },
	{ "write_all", play_write_all },
	{ "fork", play_fork },
	{ "fork_parent", play_fork_then_parent_writes },
	{ "exec", play_exec },
	{ "mprotect", play_mprotect },
	{ "mremap", play_mremap },
	{ "madvise", play_madvise },
	{ "read_into", play_read_into },
	{ "vmsplice", play_vmsplice },
	{ "io_uring", play_io_uring },
	{ "proc_mem", play_proc_mem },
	{ "vm_writev", play_vm_writev },
	{ "threads", play_threads },
	{ "stop", play_stop },
	{}
};

#define NAME "isolation"

FIXTURE(isolation) {
	struct image image;
	struct error err;
};

FIXTURE_SETUP(isolation)
{
	ASSERT_EQ(0, stage_set(NAME, 0, &self->image, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	/* The pages that all tasks touch are mapped ahead from now on. */
	ASSERT_EQ(0, stage_play(NAME, "check", NULL));
}

FIXTURE_TEARDOWN(isolation)
{
	EXPECT_TRUE(stage_image_intact(NAME, &self->image, &self->err));
	EXPECT_EQ(0, stage_play(NAME, "check", NULL));
	EXPECT_EQ(0, stage_clear(NAME, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	image_free(&self->image);
}

#define TEST_ROLE(role)								\
	TEST_F(isolation, role) { EXPECT_EQ(0, stage_play(NAME, #role, NULL)); }

TEST_ROLE(write)
TEST_ROLE(write_all)
TEST_ROLE(fork)
TEST_ROLE(fork_parent)
TEST_ROLE(exec)
TEST_ROLE(mprotect)
TEST_ROLE(mremap)
TEST_ROLE(madvise)
TEST_ROLE(read_into)
TEST_ROLE(vmsplice)
TEST_ROLE(io_uring)
TEST_ROLE(proc_mem)
TEST_ROLE(vm_writev)
TEST_ROLE(threads)

static pid_t stopped_task(struct error *err)
{
	pid_t pid = stage_enter(NAME, "stop", NULL, err);
	int status;

	if (pid > 0 && (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)))
		return -1;
	return pid;
}

/* The template's address of stage_mapping is not ours: read it from the task. */
static unsigned long task_address(pid_t pid, const struct image *image)
{
	size_t i;

	for (i = 0; i < image->nr_segments; i++) {
		const struct image_segment *seg = &image->segments[i];
		const unsigned char *byte = seg->data;

		/* The mapping's first page. */
		if (byte && seg->len >= BYTES && byte[0] == 97 && byte[1] == 98 && byte[2] == 99)
			return seg->start;
	}
	return 0;
}

TEST_F(isolation, ptrace)
{
	pid_t pid = stopped_task(&self->err);
	unsigned long at = task_address(pid, &self->image), i;
	int status;

	ASSERT_GT(pid, 0);
	ASSERT_NE(0, at);
	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	for (i = 0; i < STAGE_PAGES; i++)
		EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, pid, at + i * STAGE_PAGE, 0x1234567));
	EXPECT_EQ(0, stage_play(NAME, "check", NULL));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));
	kill(pid, SIGCONT);
	EXPECT_EQ(0, stage_wait(pid));
}

TEST_F(isolation, proc_mem_of_another)
{
	pid_t pid = stopped_task(&self->err);
	unsigned long at = task_address(pid, &self->image);
	static char junk[BYTES];
	char path[64];
	int fd;

	ASSERT_GT(pid, 0);
	ASSERT_NE(0, at);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	EXPECT_EQ((ssize_t)BYTES, pwrite(fd, junk, BYTES, at));
	close(fd);
	EXPECT_EQ(0, stage_play(NAME, "check", NULL));
	kill(pid, SIGCONT);
	EXPECT_EQ(0, stage_wait(pid));
}

TEST_F(isolation, vm_writev_of_another)
{
	pid_t pid = stopped_task(&self->err);
	unsigned long at = task_address(pid, &self->image);
	static char junk[BYTES];
	struct iovec from = { junk, BYTES }, to = { (void *)at, BYTES };

	ASSERT_GT(pid, 0);
	ASSERT_NE(0, at);
	EXPECT_EQ((ssize_t)BYTES, process_vm_writev(pid, &from, 1, &to, 1, 0));
	EXPECT_EQ(0, stage_play(NAME, "check", NULL));
	kill(pid, SIGCONT);
	EXPECT_EQ(0, stage_wait(pid));
}

/* Shared, the mapping's pages would be everybody's: there must be no way to get one. */
TEST_F(isolation, the_mapping_can_not_be_shared)
{
	pid_t pid = stopped_task(&self->err);
	unsigned long at = task_address(pid, &self->image);
	char path[96];
	int fd;

	ASSERT_GT(pid, 0);
	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", pid, at, at + BYTES);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		EXPECT_EQ(MAP_FAILED, mmap(NULL, STAGE_PAGE, PROT_READ, MAP_SHARED, fd, 0));
		close(fd);
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, stage_wait(pid));
}

int main(int argc, char **argv)
{
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
