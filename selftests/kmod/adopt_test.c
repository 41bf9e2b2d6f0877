// SPDX-License-Identifier: GPL-2.0
/*
 * Adoption: pages of running processes are replaced if they are equal, and only then,
 * and nothing that runs notices.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/coppice_dev.h>

#include "../lib/harness.h"

#include "actor.h"
#include "lib/adopt.h"
#include "lib/device.h"
#include "memory.h"
#include "stage.h"

const struct role roles[] = { {} };

#define PAGE	ACTOR_PAGE
#define IMAGE	"adopt"
#define GROUP	"adopted"	/* user 1000's */
#define SELF	"self"		/* root's, for the test's own mappings */
#define OWNER	1000
/* Seconds: with all checks on, and the processes' threads running beside. */
#define SLOW	200
#define FILE_OF(dir) dir "/coppice-adopt.so"

FIXTURE(adopt) {
	struct store_info before;
	struct adopter adopter;
	struct error err;
};

static int add_group(const char *name, const char *image, uid_t owner, uint32_t max_tasks,
		     struct error *err)
{
	struct group_info group = { .owner = owner, .max_tasks = max_tasks };

	snprintf(group.name, sizeof(group.name), "%s", name);
	snprintf(group.image, sizeof(group.image), "%s", image);
	return backend_kernel.group_add(&group, err);
}

/* A test that failed has left them. */
static void clear(struct error *err)
{
	static const char *const groups[] = { GROUP, SELF, "few", "long" };
	size_t i;

	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		(void)!backend_kernel.group_delete(groups[i], err);
	(void)!backend_kernel.image_delete(IMAGE, err);
}

FIXTURE_SETUP(adopt)
{
	clear(&self->err);
	ASSERT_EQ(0, backend_kernel.status(&self->before, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	ASSERT_EQ(0, actor_load(IMAGE, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, add_group(GROUP, IMAGE, OWNER, 0, &self->err));
	ASSERT_EQ(0, add_group(SELF, IMAGE, 0, 0, &self->err));
	ASSERT_EQ(0, adopter_open(&self->adopter, &backend_kernel, GROUP, &self->err));
}

FIXTURE_TEARDOWN(adopt)
{
	struct store_info after;

	adopter_close(&self->adopter);
	EXPECT_TRUE(stage_settles(GROUP, 0));
	EXPECT_TRUE(stage_settles(SELF, 0));
	EXPECT_EQ(0, backend_kernel.group_delete(GROUP, &self->err)) {
		TH_LOG("%s", self->err.text);
	}
	EXPECT_EQ(0, backend_kernel.group_delete(SELF, &self->err));
	EXPECT_EQ(0, backend_kernel.image_delete(IMAGE, &self->err));
	/* A worker drops its references a moment after it has told the result. */
	EXPECT_TRUE(stage_unused());
	ASSERT_EQ(0, backend_kernel.status(&after, &self->err));
	EXPECT_EQ(self->before.store_pages, after.store_pages);
	EXPECT_EQ(self->before.groups, after.groups);
	EXPECT_EQ(0, after.tasks);
	unlink(FILE_OF("/tmp"));
	unlink(FILE_OF("/dev/shm"));
}

/* Another inode, on another file system. */
static const char *copy_to(const char *path)
{
	char command[PATH_MAX * 2];

	snprintf(command, sizeof(command), "cp --sparse=never --reflink=never '%s' '%s' && chmod 755 '%s'",
		 actor_library(), path, path);
	return system(command) ? NULL : path;
}

static void patch(const char *path, off_t offset, unsigned char byte)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || pwrite(fd, &byte, 1, offset) != 1)
		abort();
	close(fd);
}

#define START(actor, path, threads) \
	ASSERT_EQ(0, actor_start(&(actor), OWNER, path, threads))

#define ADOPT(actor, result)							\
	EXPECT_EQ(0, adopt_process(&self->adopter, (actor).pid, result, &self->err)) { \
		TH_LOG("%s", self->err.text);					\
	}

#define EXPECT_ADOPTED(number, result)						\
	EXPECT_EQ((uint64_t)(number), (result).pages.adopted) {			\
		TH_LOG("%lu different, %lu private, %lu absent, %lu scattered, %lu skipped: %s", \
		       (result).pages.different, (result).pages.private,	\
		       (result).pages.absent, (result).pages.scattered,		\
		       (result).skipped, (result).skip_reason);			\
	}

TEST_F_TIMEOUT(adopt, two_copies_of_a_library_become_one, SLOW)
{
	struct actor_usage before, after;
	struct adopt_result result;
	struct actor one, other;

	START(one, copy_to(FILE_OF("/tmp")), 3);
	START(other, copy_to(FILE_OF("/dev/shm")), 3);
	ADOPT(one, &result);
	EXPECT_ADOPTED(ACTOR_PAGES, result);
	EXPECT_NE(0, result.pages.id);
	ADOPT(other, &result);
	EXPECT_ADOPTED(ACTOR_PAGES, result);
	EXPECT_EQ(2, stage_tasks(GROUP));
	/* All there, and half of it, as there are two. */
	after = actor_usage(one.pid, "coppice:" IMAGE ":coppice-adopt.so");
	EXPECT_EQ(ACTOR_PAGES * 4, after.size);
	EXPECT_EQ(ACTOR_PAGES * 4, after.rss);
	EXPECT_EQ(ACTOR_PAGES * 2, after.pss);
	EXPECT_STREQ("anon_inode:coppice:" IMAGE ":coppice-adopt.so", after.name);
	before = actor_usage(one.pid, FILE_OF("/tmp"));
	EXPECT_EQ(4, before.size) { TH_LOG("%s", before.name); }
	EXPECT_EQ(1, actor_do(&one, ACTOR_CHECK));
	EXPECT_EQ(1, actor_do(&other, ACTOR_CHECK));
	EXPECT_EQ(0, actor_end(&one));
	EXPECT_EQ(1, actor_do(&other, ACTOR_CHECK));
	EXPECT_EQ(0, actor_end(&other));
}

TEST_F_TIMEOUT(adopt, a_second_time_finds_nothing, SLOW)
{
	struct adopt_result result;
	struct actor actor;

	START(actor, copy_to(FILE_OF("/tmp")), 1);
	ADOPT(actor, &result);
	EXPECT_ADOPTED(ACTOR_PAGES, result);
	ADOPT(actor, &result);
	EXPECT_ADOPTED(0, result);
	EXPECT_EQ(0, result.mappings);
	EXPECT_EQ(1, stage_tasks(GROUP));
	EXPECT_EQ(0, actor_end(&actor));
}

static int find_task(const struct task_info *info, void *data)
{
	struct task_info *wanted = data;

	if (info->pid == wanted->pid)
		*wanted = *info;
	return 0;
}

TEST_F_TIMEOUT(adopt, it_shows_in_the_lists, SLOW)
{
	struct adopt_result result;
	struct group_info group;
	struct task_info task;
	struct image_info image;
	struct actor actor;

	START(actor, copy_to(FILE_OF("/tmp")), 0);
	ADOPT(actor, &result);
	task = (struct task_info) { .pid = actor.pid };
	EXPECT_EQ(0, backend_kernel.task_each(GROUP, find_task, &task, &self->err));
	EXPECT_EQ(result.pages.id, task.id);
	EXPECT_TRUE(task.adopted);
	EXPECT_FALSE(task.forked);
	EXPECT_EQ(ACTOR_PAGES, task.adopted_pages);
	ASSERT_EQ(0, backend_kernel.group_get(GROUP, &group, &self->err));
	EXPECT_EQ(1, group.adopted);
	EXPECT_EQ(ACTOR_PAGES, group.adopted_pages);
	EXPECT_EQ(0, group.entered);
	ASSERT_EQ(0, backend_kernel.image_get(IMAGE, &image, &self->err));
	EXPECT_TRUE(image.library);
	EXPECT_EQ(0, actor_end(&actor));
}

TEST_F_TIMEOUT(adopt, a_page_that_differs_in_one_byte_stays, SLOW)
{
	unsigned long page = ACTOR_DATA + 100;
	struct adopt_result result;
	struct actor_usage rest;
	struct actor actor;

	copy_to(FILE_OF("/tmp"));
	patch(FILE_OF("/tmp"), page * PAGE + 2000, 0x5b);
	START(actor, FILE_OF("/tmp"), 2);
	ADOPT(actor, &result);
	EXPECT_ADOPTED(ACTOR_PAGES - 1, result);
	EXPECT_EQ(1, result.pages.different);
	/* That one, and the page that is writable. */
	rest = actor_usage(actor.pid, FILE_OF("/tmp"));
	EXPECT_EQ(8, rest.size);
	EXPECT_EQ(1, actor_do(&actor, ACTOR_CHECK));
	EXPECT_EQ(0, actor_end(&actor));
}

TEST_F_TIMEOUT(adopt, pages_that_were_written_stay, SLOW)
{
	struct adopt_result result;
	struct actor actor;

	START(actor, copy_to(FILE_OF("/tmp")), 2);
	EXPECT_EQ(1, actor_do(&actor, ACTOR_DIRTY));
	ADOPT(actor, &result);
	/* One of them even has the same content; it is the process's own all the same. */
	EXPECT_ADOPTED(ACTOR_PAGES - 2, result);
	EXPECT_EQ(2, result.pages.private);
	EXPECT_EQ(1, actor_do(&actor, ACTOR_CHECK));
	EXPECT_EQ(0, actor_end(&actor));
}

TEST_F_TIMEOUT(adopt, an_adopted_page_can_be_written_by_its_task_alone, SLOW)
{
	struct adopt_result result;
	struct actor writer, other;

	START(writer, copy_to(FILE_OF("/tmp")), 2);
	START(other, FILE_OF("/tmp"), 2);
	ADOPT(writer, &result);
	ADOPT(other, &result);
	EXPECT_EQ(1, actor_do(&writer, ACTOR_PROTECT));
	EXPECT_EQ(1, actor_do(&writer, ACTOR_CHECK));
	EXPECT_EQ(1, actor_do(&other, ACTOR_CHECK));
	EXPECT_EQ(0, actor_end(&writer));
	EXPECT_EQ(0, actor_end(&other));
}

TEST_F_TIMEOUT(adopt, a_tracer_writes_into_a_copy, SLOW)
{
	struct adopt_result result;
	struct actor one, other;
	long word;

	START(one, copy_to(FILE_OF("/tmp")), 0);
	START(other, FILE_OF("/tmp"), 0);
	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, one.pid, 0, 0));
	waitpid(one.pid, NULL, 0);
	/* A breakpoint from before, which is left alone … */
	word = ptrace(PTRACE_PEEKTEXT, one.pid, one.base + PAGE, 0);
	EXPECT_EQ(0, ptrace(PTRACE_POKETEXT, one.pid, one.base + PAGE, word | 0xcc));
	ADOPT(one, &result);
	EXPECT_ADOPTED(ACTOR_PAGES - 1, result);
	EXPECT_EQ(1, result.pages.private);
	EXPECT_EQ(0, ptrace(PTRACE_POKETEXT, one.pid, one.base + PAGE, word));
	/* … and one in an adopted page. */
	EXPECT_EQ(0, ptrace(PTRACE_POKETEXT, one.pid, one.base + 5 * PAGE, 0xcccccccc));
	ADOPT(other, &result);
	EXPECT_ADOPTED(ACTOR_PAGES, result);
	EXPECT_EQ(1, actor_do(&other, ACTOR_CHECK));
	EXPECT_EQ(0, ptrace(PTRACE_DETACH, one.pid, 0, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, actor_end(&one));
	EXPECT_EQ(0, actor_end(&other));
}

/* Files go with their last mappings, but in the kernel's own time. */
static bool falls_to(unsigned long shmem)
{
	int i;

	for (i = 0; i < 500 && memory_field("Shmem") > shmem; i++)
		usleep(10000);
	return memory_field("Shmem") <= shmem;
}

/* The test's own mapping of the library's read-only pages, with a copy that nobody else has. */
static void *map_copy(int prot, int flags)
{
	int fd = open(copy_to(FILE_OF("/tmp")), O_RDONLY);
	void *map = mmap(NULL, ACTOR_PAGES * PAGE, prot, flags, fd, 0);

	close(fd);
	unlink(FILE_OF("/tmp"));
	return map;
}

static struct adopt_range range_at(void *map, uint64_t pages)
{
	/* As image_from_elf() lays segments out: one behind the other. */
	return (struct adopt_range) {
		.pid = getpid(), .group = SELF, .address = (uint64_t)map,
		.length = pages * PAGE, .image_address = 1ULL << 32,
	};
}

/* The three segments of the image, one after the other. */
static uint64_t adopt_map(void *map, struct error *err)
{
	static const unsigned long starts[] = { 0, 1, ACTOR_DATA, ACTOR_PAGES };
	struct adopt_info info;
	uint64_t adopted = 0;
	int i;

	for (i = 0; i < 3; i++) {
		struct adopt_range range = range_at((char *)map + starts[i] * PAGE,
						    starts[i + 1] - starts[i]);

		range.image_address += starts[i] * PAGE;
		if (backend_kernel.adopt(&range, &info, err))
			return 0;
		adopted += info.adopted;
	}
	return adopted;
}

static void populate(volatile char *map)
{
	unsigned long i;

	for (i = 0; i < ACTOR_PAGES; i++)
		(void)map[i * PAGE];
}

TEST_F_TIMEOUT(adopt, the_memory_of_copies_comes_back, SLOW)
{
	unsigned long shmem, before;
	void *maps[8];
	int i;

	for (i = 0; i < 8; i++) {
		maps[i] = map_copy(PROT_READ, MAP_PRIVATE);
		ASSERT_NE(MAP_FAILED, maps[i]);
		populate(maps[i]);
	}
	shmem = memory_field("Shmem");
	before = memory_available();
	for (i = 0; i < 8; i++)
		EXPECT_EQ(ACTOR_PAGES, adopt_map(maps[i], &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_TRUE(falls_to(shmem - 8 * ACTOR_PAGES * 4));
	/* All but an eighth, as other things go on. */
	EXPECT_GE(memory_available(), before + 7 * ACTOR_PAGES * 4);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, munmap(maps[i], ACTOR_PAGES * PAGE));
}

TEST_F_TIMEOUT(adopt, pages_that_are_not_there_are_not_fetched, SLOW)
{
	void *map = map_copy(PROT_READ, MAP_PRIVATE);
	struct adopt_range range = range_at((char *)map + PAGE, ADOPT_TEXT_PAGES);
	struct adopt_info info;

	range.image_address += PAGE;
	EXPECT_EQ(0, backend_kernel.adopt(&range, &info, &self->err));
	EXPECT_EQ(0, info.adopted);
	EXPECT_EQ(0, info.id);
	EXPECT_EQ(ADOPT_TEXT_PAGES, info.absent);
	EXPECT_EQ(0, stage_tasks(SELF));
	munmap(map, ACTOR_PAGES * PAGE);
}

#define EXPECT_REFUSED(error, words, range) do {				\
	struct adopt_info info;							\
	EXPECT_EQ(-1, backend_kernel.adopt(range, &info, &self->err)) {		\
		TH_LOG("not refused: " words);					\
	}									\
	EXPECT_EQ(error, self->err.code) { TH_LOG("%s", self->err.text); }	\
	EXPECT_NE(NULL, strstr(self->err.text, words)) { TH_LOG("%s", self->err.text); } \
} while (0)

/* One mapping of a kind that is refused. */
static void refuse_map(struct __test_metadata *_metadata, FIXTURE_DATA(adopt) *self, void *map,
		       const char *words)
{
	struct adopt_range range = range_at(map, 1);
	struct adopt_info info;

	ASSERT_NE(MAP_FAILED, map);
	populate(map);
	EXPECT_EQ(-1, backend_kernel.adopt(&range, &info, &self->err)) { TH_LOG("not refused: %s", words); }
	EXPECT_EQ(EINVAL, self->err.code);
	EXPECT_NE(NULL, strstr(self->err.text, words)) { TH_LOG("%s", self->err.text); }
	munmap(map, ACTOR_PAGES * PAGE);
}

TEST_F_TIMEOUT(adopt, other_mappings_are_refused, SLOW)
{
	void *map;

	refuse_map(_metadata, self, map_copy(PROT_READ | PROT_WRITE, MAP_PRIVATE), "writable or shared");
	refuse_map(_metadata, self, map_copy(PROT_READ, MAP_SHARED), "writable or shared");
	refuse_map(_metadata, self, mmap(NULL, ACTOR_PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		   "no mapping of a file");
	map = map_copy(PROT_READ, MAP_PRIVATE);
	ASSERT_EQ(0, mlock(map, PAGE * ACTOR_PAGES));
	refuse_map(_metadata, self, map, "mapping is locked, sealed");
	EXPECT_EQ(0, stage_tasks(SELF));
}

TEST_F_TIMEOUT(adopt, a_file_that_is_written_is_left_alone, SLOW)
{
	struct adopt_range range;
	struct adopt_info info;
	char *map;
	int fd;

	copy_to(FILE_OF("/tmp"));
	fd = open(FILE_OF("/tmp"), O_RDWR);
	map = mmap(NULL, ACTOR_PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	populate(map);
	range = range_at(map, 1);
	EXPECT_REFUSED(EINVAL, "open for writing", &range);
	close(fd);
	/* The mapping itself has the file that could be written: another one then. */
	munmap(map, ACTOR_PAGES * PAGE);
	fd = open(FILE_OF("/tmp"), O_RDONLY);
	map = mmap(NULL, ACTOR_PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	populate(map);
	range = range_at(map, 1);
	EXPECT_EQ(0, backend_kernel.adopt(&range, &info, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(1, info.adopted);
	close(fd);
	munmap(map, ACTOR_PAGES * PAGE);
}

TEST_F_TIMEOUT(adopt, ranges_that_make_no_sense_are_refused, SLOW)
{
	char *map = map_copy(PROT_READ, MAP_PRIVATE);
	struct adopt_range good = range_at(map, 1), bad;

	populate(map);
#define EXPECT_BAD(words, change) do { bad = good; bad.change; EXPECT_REFUSED(EINVAL, words, &bad); } while (0)
	EXPECT_BAD("range is empty or not page-aligned", length = 0);
	EXPECT_BAD("range is empty or not page-aligned", length = 100);
	EXPECT_BAD("range is empty or not page-aligned", address += 8);
	EXPECT_BAD("The range reaches into the kernel", address = 0xffffffff81000000);
	EXPECT_BAD("The range reaches into the kernel", length = ~0UL << 12);
	EXPECT_BAD("in a segment", image_address += 8);
	EXPECT_BAD("in a segment", image_address = 0);
	EXPECT_BAD("in a segment", image_address = ~0UL << 12);
	EXPECT_BAD("in a segment", length = 2 * PAGE);
	EXPECT_BAD("not one mapping", address = PAGE * 16);
	munmap(map, ACTOR_PAGES * PAGE);
	EXPECT_REFUSED(EINVAL, "not one mapping", &good);
#undef EXPECT_BAD
}

TEST_F_TIMEOUT(adopt, what_is_not_there_is_refused, SLOW)
{
	char *map = map_copy(PROT_READ, MAP_PRIVATE);
	struct adopt_range range = range_at(map, 1);
	pid_t pid;

	range.group = "nosuch";
	EXPECT_REFUSED(ENOENT, "no such group", &range);
	range = range_at(map, 1);
	range.pid = 0;
	EXPECT_REFUSED(ESRCH, "no such process", &range);
	range.pid = 4000000;
	EXPECT_REFUSED(ESRCH, "no such process", &range);
	range.pid = 2;	/* kthreadd */
	EXPECT_REFUSED(ESRCH, "has no memory", &range);
	pid = fork();
	if (!pid)
		_exit(0);
	waitid(P_PID, pid, NULL, WEXITED | WNOWAIT);
	range.pid = pid;
	EXPECT_REFUSED(ESRCH, "has no memory", &range);
	waitpid(pid, NULL, 0);
	EXPECT_REFUSED(ESRCH, "no such process", &range);
	munmap(map, ACTOR_PAGES * PAGE);
}

/* A process of which one of the user ids is another. */
static void refuse_ids(struct __test_metadata *_metadata, FIXTURE_DATA(adopt) *self, uid_t real,
		       uid_t effective, uid_t saved)
{
	char *map = map_copy(PROT_READ, MAP_PRIVATE);
	struct adopt_range range = range_at(map, 1);
	int ready[2];
	char byte;

	populate(map);
	ASSERT_EQ(0, pipe(ready));
	range.pid = fork();
	if (!range.pid) {
		if (setresuid(real, effective, saved) || write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
	}
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_REFUSED(EACCES, "does not run as the group's owner", &range);
	range.group = GROUP;
	EXPECT_REFUSED(EACCES, "does not run as the group's owner", &range);
	kill(range.pid, SIGKILL);
	waitpid(range.pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	munmap(map, ACTOR_PAGES * PAGE);
}

TEST_F_TIMEOUT(adopt, processes_of_others_are_refused, SLOW)
{
	struct adopt_result result;
	struct actor actor;

	ASSERT_EQ(0, actor_start(&actor, 1001, copy_to(FILE_OF("/tmp")), 1));
	EXPECT_EQ(-1, adopt_process(&self->adopter, actor.pid, &result, &self->err));
	EXPECT_EQ(EACCES, self->err.code);
	EXPECT_EQ(0, actor_end(&actor));
	refuse_ids(_metadata, self, 1000, 0, 0);
	refuse_ids(_metadata, self, 0, 1000, 0);
	refuse_ids(_metadata, self, 1000, 1000, 0);
	refuse_ids(_metadata, self, 0, 0, 1000);
	EXPECT_EQ(0, stage_tasks(GROUP));
	EXPECT_EQ(0, stage_tasks(SELF));
}

TEST_F_TIMEOUT(adopt, who_may_not_control_may_not_adopt, SLOW)
{
	struct adopt_range range = range_at(self, 1);
	struct adopt_info info;
	struct error err;
	pid_t pid = fork();

	if (!pid) {
		if (setuid(OWNER))
			_exit(1);
		_exit(!backend_kernel.adopt(&range, &info, &err) || err.code != EPERM);
	}
	EXPECT_EQ(0, stage_wait(pid));
}

TEST_F_TIMEOUT(adopt, nobody_enters_a_library, SLOW)
{
	char sentence[200] = "";
	struct coppice_enter enter = {
		.reason = { (uintptr_t)sentence, sizeof(sentence), 0 },
	};
	struct launch launch = {};
	struct group_info info;
	int group;

	EXPECT_EQ(-1, backend_kernel.launch_open(GROUP, &launch, &self->err));
	EXPECT_NE(NULL, strstr(self->err.text, "image of libraries"));
	/* Nor by the module's own interface. */
	group = device_open_group(SELF, &info, &self->err);
	ASSERT_GE(group, 0) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(-1, ioctl(group, COPPICE_IOC_ENTER, &enter));
	EXPECT_EQ(ENOEXEC, errno);
	EXPECT_NE(NULL, strstr(sentence, "made of libraries and has no entry"));
	close(group);
}

TEST_F_TIMEOUT(adopt, templates_are_no_libraries, SLOW)
{
	char *map = map_copy(PROT_READ, MAP_PRIVATE);
	struct adopt_range range = range_at(map, 1);
	struct image image = {};

	ASSERT_EQ(0, stage_set("template", 0, &image, &self->err)) { TH_LOG("%s", self->err.text); }
	range.group = "template";
	EXPECT_REFUSED(EINVAL, "made of a template", &range);
	EXPECT_EQ(0, stage_clear("template", &self->err));
	image_free(&image);
	munmap(map, ACTOR_PAGES * PAGE);
}

TEST_F_TIMEOUT(adopt, the_limit_on_tasks, SLOW)
{
	struct actor first, second;
	struct adopter adopter;
	struct adopt_result result;

	ASSERT_EQ(0, add_group("few", IMAGE, OWNER, 1, &self->err));
	ASSERT_EQ(0, adopter_open(&adopter, &backend_kernel, "few", &self->err));
	START(first, copy_to(FILE_OF("/tmp")), 1);
	START(second, FILE_OF("/tmp"), 1);
	EXPECT_EQ(0, adopt_process(&adopter, first.pid, &result, &self->err));
	/* One of its tasks already: no further one. */
	EXPECT_EQ(0, adopt_process(&adopter, first.pid, &result, &self->err));
	EXPECT_EQ(-1, adopt_process(&adopter, second.pid, &result, &self->err));
	EXPECT_EQ(EAGAIN, self->err.code);
	EXPECT_NE(NULL, strstr(self->err.text, "as many tasks as it may have"));
	EXPECT_EQ(0, actor_usage(second.pid, "coppice:").mappings);
	EXPECT_EQ(0, actor_end(&first));
	EXPECT_TRUE(stage_settles("few", 0));
	EXPECT_EQ(0, adopt_process(&adopter, second.pid, &result, &self->err));
	EXPECT_EQ(0, actor_end(&second));
	EXPECT_TRUE(stage_settles("few", 0));
	EXPECT_EQ(0, backend_kernel.group_delete("few", &self->err));
	adopter_close(&adopter);
}

TEST_F_TIMEOUT(adopt, membership_follows_fork_and_exit, SLOW)
{
	struct adopt_result result;
	struct actor actor;
	pid_t child;

	START(actor, copy_to(FILE_OF("/tmp")), 2);
	ADOPT(actor, &result);
	child = actor_do(&actor, ACTOR_FORK);
	ASSERT_GT(child, 0);
	EXPECT_TRUE(stage_settles(GROUP, 2));
	usleep(300000);
	/* Still there: it has found every byte right. */
	EXPECT_EQ(0, kill(child, 0));
	EXPECT_EQ(2, stage_tasks(GROUP));
	kill(child, SIGKILL);
	EXPECT_TRUE(stage_settles(GROUP, 1));
	EXPECT_EQ(0, actor_end(&actor));
	EXPECT_TRUE(stage_settles(GROUP, 0));
}

TEST_F_TIMEOUT(adopt, membership_ends_with_exec, SLOW)
{
	struct adopt_result result;
	struct actor actor;

	START(actor, copy_to(FILE_OF("/tmp")), 2);
	ADOPT(actor, &result);
	actor_do(&actor, ACTOR_EXEC);
	EXPECT_TRUE(stage_settles(GROUP, 0));
	EXPECT_EQ(0, kill(actor.pid, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, actor_end(&actor));
}

TEST_F_TIMEOUT(adopt, membership_lasts_as_long_as_a_mapping, SLOW)
{
	struct adopt_result result;
	struct actor actor;

	START(actor, copy_to(FILE_OF("/tmp")), 2);
	ADOPT(actor, &result);
	EXPECT_EQ(1, actor_do(&actor, ACTOR_UNMAP));
	EXPECT_EQ(1, stage_tasks(GROUP));
	EXPECT_EQ(4, actor_usage(actor.pid, "coppice:").size);
	EXPECT_EQ(0, actor_end(&actor));
}

TEST_F_TIMEOUT(adopt, adopted_mappings_move_and_split_like_others, SLOW)
{
	struct adopt_result result;
	struct actor actor;

	START(actor, copy_to(FILE_OF("/tmp")), 2);
	ADOPT(actor, &result);
	EXPECT_EQ(1, actor_do(&actor, ACTOR_MOVE));
	EXPECT_EQ(1, actor_do(&actor, ACTOR_CHECK));
	EXPECT_EQ(1, actor_do(&actor, ACTOR_PROTECT));
	EXPECT_EQ(1, actor_do(&actor, ACTOR_MOVE));
	EXPECT_EQ(1, actor_do(&actor, ACTOR_CHECK));
	EXPECT_EQ(0, actor_end(&actor));
}

TEST_F_TIMEOUT(adopt, the_module_stays_while_a_mapping_does, SLOW)
{
	struct adopt_result result;
	struct actor actor;

	START(actor, copy_to(FILE_OF("/tmp")), 1);
	ADOPT(actor, &result);
	EXPECT_EQ(-1, backend_kernel.group_delete(GROUP, &self->err));
	EXPECT_EQ(EBUSY, self->err.code);
	EXPECT_EQ(-1, syscall(SYS_delete_module, "coppice", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
	EXPECT_EQ(0, actor_end(&actor));
}

/* The old mapping could not be made executable, or be forked: nor can the new one. */
TEST_F_TIMEOUT(adopt, what_a_mapping_may_not_it_may_not_later, SLOW)
{
	struct actor_usage usage;
	char *map;

	ASSERT_EQ(0, mkdir("/tmp/noexec", 0755));
	ASSERT_EQ(0, mount("noexec", "/tmp/noexec", "tmpfs", MS_NOEXEC, NULL));
	{
		int fd = open(copy_to("/tmp/noexec/lib.so"), O_RDONLY);

		map = mmap(NULL, ACTOR_PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
		close(fd);
	}
	ASSERT_NE(MAP_FAILED, map);
	populate(map);
	ASSERT_EQ(0, madvise(map, ACTOR_PAGES * PAGE, MADV_DONTFORK));
	EXPECT_EQ(-1, mprotect(map, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(ACTOR_PAGES, adopt_map(map, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(-1, mprotect(map, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	usage = actor_usage(getpid(), "coppice:" IMAGE ":lib.so");
	EXPECT_EQ(ACTOR_PAGES * 4, usage.size);
	EXPECT_TRUE(usage.dontfork);
	munmap(map, ACTOR_PAGES * PAGE);
	EXPECT_TRUE(stage_settles(SELF, 0));
	EXPECT_EQ(0, umount2("/tmp/noexec", MNT_DETACH));
	rmdir("/tmp/noexec");
}

TEST_F_TIMEOUT(adopt, processes_killed_while_they_are_adopted, SLOW)
{
	struct adopt_result result;
	struct actor actor;
	int i, status;
	pid_t killer;

	copy_to(FILE_OF("/tmp"));
	for (i = 0; i < 40; i++) {
		START(actor, FILE_OF("/tmp"), 2);
		killer = fork();
		if (!killer) {
			usleep(i * 1000);
			_exit(kill(actor.pid, SIGKILL));
		}
		/* Either it was in time or it was not. */
		if (adopt_process(&self->adopter, actor.pid, &result, &self->err)) {
			EXPECT_EQ(ESRCH, self->err.code) { TH_LOG("%s", self->err.text); }
		}
		waitpid(killer, NULL, 0);
		status = actor_end(&actor);
		EXPECT_EQ(128 + SIGKILL, status);
	}
	EXPECT_TRUE(stage_settles(GROUP, 0));
}

/* Changes its mappings as fast as it can; what it reads is right at any moment. */
static void *change(void *arg)
{
	int fd = open(FILE_OF("/tmp"), O_RDONLY), i, round;
	const size_t len = ACTOR_PAGES * PAGE;
	time_t end = time(NULL) + 8;
	char *map;

	for (round = 0; time(NULL) < end; round++) {
		map = mmap(arg, len, PROT_READ, MAP_PRIVATE | (arg ? MAP_FIXED : 0), fd, 0);
		arg = map;
		populate(map);
		switch (round % 4) {
		case 0:
			mprotect(map + 16 * PAGE, 8 * PAGE, PROT_READ | PROT_EXEC);
			break;
		case 1:
			mprotect(map + 800 * PAGE, PAGE, PROT_READ | PROT_WRITE);
			map[800 * PAGE + 9] = 1;
			mprotect(map + 800 * PAGE, PAGE, PROT_READ);
			break;
		case 2:
			madvise(map, len, MADV_DONTNEED);
			break;
		case 3:
			munmap(map + 100 * PAGE, 50 * PAGE);
			break;
		}
		for (i = ACTOR_DATA; i < (int)ACTOR_PAGES; i++)
			if (*(int *)(map + i * PAGE) != i - (int)ACTOR_DATA ||
			    map[i * PAGE + 9] != (round % 4 == 1 && i == 800 ? 1 : 0x5a))
				_exit(7);
	}
	close(fd);
	munmap(arg, len);
	return NULL;
}

TEST_F_TIMEOUT(adopt, processes_that_change_their_mappings_meanwhile, SLOW)
{
	struct adopt_result result;
	uint64_t adopted = 0;
	siginfo_t ended;
	pid_t pid;

	copy_to(FILE_OF("/tmp"));
	pid = fork();
	if (!pid) {
		pthread_t thread;

		if (setuid(OWNER))
			_exit(1);
		pthread_create(&thread, NULL, change, NULL);
		change(NULL);
		pthread_join(thread, NULL);
		_exit(0);
	}
	/* Whatever is found or refused: until the process has ended. */
	do {
		ended = (siginfo_t) {};
		(void)!adopt_process(&self->adopter, pid, &result, &self->err);
		adopted += result.pages.adopted;
	} while (!waitid(P_PID, pid, &ended, WEXITED | WNOHANG | WNOWAIT) && !ended.si_pid);
	EXPECT_GT(adopted, 0);
	EXPECT_EQ(0, stage_wait(pid));
	EXPECT_TRUE(stage_settles(GROUP, 0));
}

#define STEP	512	/* pages that are compared, and then replaced if they were equal */

/* Writes like a tracer does, which changes no mapping, and looks whether it was lost. */
struct writer {
	char *map;
	int file, mem;
	volatile bool stop;
	unsigned int writes, lost;
};

static void *write_again(void *arg)
{
	struct writer *writer = arg;
	unsigned int value = 0xdddddddd, i;
	/* Compared among the first: the longer is the time until it is replaced. */
	char *page = writer->map + 2 * PAGE;

	while (!writer->stop) {
		if (mmap(writer->map, STEP * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED,
			 writer->file, PAGE) != writer->map)
			abort();
		for (i = 0; i < STEP; i++)
			(void)((volatile char *)writer->map)[i * PAGE];
		if (pwrite(writer->mem, &value, sizeof(value), (off_t)page) != sizeof(value))
			abort();
		writer->writes++;
		for (i = 0; i < 20000; i++)
			if (*(volatile unsigned int *)page != value)
				break;
		writer->lost += i < 20000;
	}
	return NULL;
}

TEST_F_TIMEOUT(adopt, a_write_between_comparing_and_replacing_is_kept, SLOW)
{
	char *map = map_copy(PROT_READ, MAP_PRIVATE);
	struct adopt_range range = range_at(map, STEP);
	struct writer writer = { .map = map };
	unsigned long adopted = 0, refused = 0;
	time_t end = time(NULL) + 8;
	struct adopt_info info;
	pthread_t thread;

	writer.file = open(copy_to(FILE_OF("/tmp")), O_RDONLY);
	writer.mem = open("/proc/self/mem", O_RDWR);
	range.image_address += PAGE;
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_again, &writer));
	while (time(NULL) < end) {
		if (backend_kernel.adopt(&range, &info, &self->err))
			refused++;
		else
			adopted += info.adopted;
	}
	writer.stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(0, writer.lost) {
		TH_LOG("%u of %u; %lu pages adopted, %lu times refused", writer.lost, writer.writes,
		       adopted, refused);
	}
	EXPECT_GT(adopted, 0);
	close(writer.mem);
	close(writer.file);
	munmap(map, ACTOR_PAGES * PAGE);
}

/* In a process of its own, with a connection of its own. */
static pid_t adopt_beside(pid_t pid)
{
	char number[16];
	pid_t child;

	snprintf(number, sizeof(number), "%d", pid);
	child = fork();
	if (child)
		return child;
	execl("/proc/self/exe", "adopt_test", "--adopt", number, NULL);
	_exit(127);
}

static int adopt_main(pid_t pid)
{
	struct adopt_result result;
	struct adopter adopter;
	struct error err;

	if (!adopter_open(&adopter, &backend_kernel, GROUP, &err) &&
	    !adopt_process(&adopter, pid, &result, &err))
		return 0;
	fprintf(stderr, "# %s\n", err.text);
	return 1;
}

TEST_F_TIMEOUT(adopt, adoptions_side_by_side, SLOW)
{
	struct actor actors[2];
	pid_t adopters[6];
	int i;

	copy_to(FILE_OF("/tmp"));
	START(actors[0], FILE_OF("/tmp"), 1);
	START(actors[1], FILE_OF("/tmp"), 1);
	for (i = 0; i < 6; i++)
		adopters[i] = adopt_beside(actors[i % 2].pid);
	for (i = 0; i < 6; i++)
		EXPECT_EQ(0, stage_wait(adopters[i]));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(ACTOR_PAGES * 4, actor_usage(actors[i].pid, "coppice:").size);
		EXPECT_EQ(1, actor_do(&actors[i], ACTOR_CHECK));
	}
	EXPECT_EQ(2, stage_tasks(GROUP));
	EXPECT_EQ(0, actor_end(&actors[0]));
	EXPECT_EQ(0, actor_end(&actors[1]));
}

/* Who reads the list of mappings gets all of it, however long the names. */
TEST_F_TIMEOUT(adopt, long_names_of_images_and_files, SLOW)
{
	const char *name = "an-image-with-a-name-that-has-as-many-characters-as-are-allowed";
	struct adopt_range range;
	struct adopt_info info;
	char path[] = "/tmp/coppice-a-library-with-a-name-that-is-longer-than-all-others.so";
	char *map;
	int fd;

	ASSERT_EQ(0, actor_load(name, &self->err)) { TH_LOG("%s", self->err.text); }
	ASSERT_EQ(0, add_group("long", name, 0, 0, &self->err));
	fd = open(copy_to(path), O_RDONLY);
	unlink(path);
	map = mmap(NULL, ACTOR_PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	populate(map);
	range = range_at(map, 1);
	range.group = "long";
	EXPECT_EQ(0, backend_kernel.adopt(&range, &info, &self->err)) { TH_LOG("%s", self->err.text); }
	EXPECT_EQ(1, info.adopted);
	EXPECT_EQ(4, actor_usage(getpid(), "anon_inode:coppice:an-image-with").size);
	munmap(map, ACTOR_PAGES * PAGE);
	EXPECT_TRUE(stage_settles("long", 0));
	EXPECT_EQ(0, backend_kernel.group_delete("long", &self->err));
	EXPECT_EQ(0, backend_kernel.image_delete(name, &self->err));
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--adopt"))
		return adopt_main(atoi(argv[2]));
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
