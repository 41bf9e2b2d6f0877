// SPDX-License-Identifier: GPL-2.0
/* Templates and tasks for tests. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/coppice.h"
#include "stage.h"

#define RECORD_FD 9
#define TEMPLATE_ARGUMENT "--stage-template"
#define PAGEMAP_FILE	(1ULL << 61)
#define PAGEMAP_PRESENT	(1ULL << 63)

extern char **environ;

unsigned char stage_data[STAGE_PAGES * STAGE_PAGE] __attribute__((aligned(4096)));
unsigned char *stage_mapping;
/* In the program's read-only data, not zero pages. */
const unsigned char stage_text[STAGE_PAGES * STAGE_PAGE]
	__attribute__((aligned(4096))) = { [0 ... STAGE_PAGES * STAGE_PAGE - 1] = 0x5a };

void (*stage_prepare)(void);

static void fill(unsigned char *prop, unsigned char salt)
{
	size_t i;

	for (i = 0; i < STAGE_PAGES * STAGE_PAGE; i++)
		prop[i] = salt + i / STAGE_PAGE * 7 + i % 251;
}

static bool filled(const unsigned char *prop, unsigned char salt)
{
	size_t i;

	for (i = 0; i < STAGE_PAGES * STAGE_PAGE; i++)
		if (prop[i] != (unsigned char)(salt + i / STAGE_PAGE * 7 + i % 251))
			return false;
	return true;
}

bool stage_intact(void)
{
	size_t i;

	for (i = 0; i < sizeof(stage_text); i++)
		if (((const volatile unsigned char *)stage_text)[i] != 0x5a)
			return false;
	return filled(stage_data, STAGE_DATA_SALT) && filled(stage_mapping, 97);
}

void stage_scribble(void)
{
	memset(stage_data, 0xee, sizeof(stage_data));
	memset(stage_mapping, 0xdd, STAGE_PAGES * STAGE_PAGE);
}

static int play(int argc, char **argv)
{
	const struct role *role;

	for (role = roles; role->name; role++)
		if (argc > 1 && !strcmp(role->name, argv[1]))
			return role->play(argc, argv);
	fprintf(stderr, "# no role %s\n", argc > 1 ? argv[1] : "given");
	return 99;
}

void stage_main(int argc, char **argv)
{
	char **task_argv = NULL;
	int task_argc;

	if (argc != 2 || strcmp(argv[1], TEMPLATE_ARGUMENT))
		return;
	fill(stage_data, STAGE_DATA_SALT);
	stage_mapping = mmap(NULL, STAGE_PAGES * STAGE_PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stage_mapping == MAP_FAILED)
		exit(98);
	fill(stage_mapping, 97);
	if (stage_prepare)
		stage_prepare();
	if (coppice_checkpoint() != COPPICE_TASK)
		exit(97);
	task_argc = coppice_args(&task_argv);
	exit(play(task_argc, task_argv));
}

static void template_exec(int record)
{
	char *argv[] = { "stage", TEMPLATE_ARGUMENT, NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(record, RECORD_FD) < 0 || close_range(3, RECORD_FD - 1, 0) ||
	    close_range(RECORD_FD + 1, ~0U, 0) || setenv("COPPICE_TEMPLATE_FD", "9", 1))
		_exit(96);
	execv("/proc/self/exe", argv);
	_exit(95);
}

static int template_start(struct coppice_record *record, pid_t *pid, struct error *err)
{
	int pipefd[2];
	ssize_t got;

	if (pipe2(pipefd, O_CLOEXEC))
		return error_set(err, errno, "no pipe");
	*pid = fork();
	if (!*pid)
		template_exec(pipefd[1]);
	close(pipefd[1]);
	got = read(pipefd[0], record, sizeof(*record));
	close(pipefd[0]);
	if (got == sizeof(*record) && !record->error)
		return 0;
	return error_set(err, EIO, "the template did not checkpoint: %s",
			 got == sizeof(*record) ? record->reason : "it ended");
}

int stage_build(struct image *image, struct error *err)
{
	struct coppice_record record;
	pid_t pid = -1;
	int ret = -1;

	if (!template_start(&record, &pid, err))
		ret = image_capture(image, pid, &record, RECORD_FD, err);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return ret;
}

int stage_set(const char *name, uid_t owner, struct image *image, struct error *err)
{
	struct group_info group = { .owner = owner };

	snprintf(group.name, sizeof(group.name), "%s", name);
	snprintf(group.image, sizeof(group.image), "%s", name);
	if (stage_build(image, err) || backend_kernel.image_load(name, owner, image, err))
		return -1;
	return backend_kernel.group_add(&group, err);
}

int stage_clear(const char *name, struct error *err)
{
	stage_settles(name, 0);
	if (backend_kernel.group_delete(name, err))
		return -1;
	return backend_kernel.image_delete(name, err);
}

void stage_launch(struct launch *launch, uid_t owner, const char *group, const char *role,
		  const char *argument)
{
	char *argv[] = { (char *)group, (char *)role, (char *)argument, NULL };
	struct error err;

	launch->argv = argv;
	launch->envp = environ;
	if (owner && (setgid(owner) || setuid(owner)))
		_exit(94);
	if (!launch_plan(launch, &err))
		(void)!launch_enter(launch, &err);
	fprintf(stderr, "# %s\n", err.text);
	_exit(125);
}

pid_t stage_enter(const char *group, const char *role, const char *argument, struct error *err)
{
	struct launch launch = {};
	struct group_info info;
	pid_t pid;

	if (backend_kernel.group_get(group, &info, err) ||
	    backend_kernel.launch_open(group, &launch, err))
		return -1;
	pid = fork();
	if (!pid)
		stage_launch(&launch, info.owner, group, role, argument);
	backend_kernel.launch_close(&launch);
	return pid;
}

int stage_wait(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int stage_play(const char *group, const char *role, const char *argument)
{
	struct error err;
	pid_t pid = stage_enter(group, role, argument, &err);

	if (pid < 0)
		fprintf(stderr, "# %s\n", err.text);
	return stage_wait(pid);
}

static bool same_segment(const struct image_segment *a, const struct image_segment *b)
{
	return a->start == b->start && a->len == b->len && a->prot == b->prot &&
	       !a->data == !b->data && (!a->data || !memcmp(a->data, b->data, a->len));
}

bool stage_image_intact(const char *name, const struct image *image, struct error *err)
{
	struct image now = {};
	bool same;
	size_t i;

	if (backend_kernel.image_read(name, &now, err))
		return false;
	same = now.nr_segments == image->nr_segments;
	for (i = 0; same && i < now.nr_segments; i++)
		same = same_segment(&now.segments[i], &image->segments[i]);
	image_free(&now);
	return same;
}

int stage_tasks(const char *group)
{
	struct group_info info;
	struct error err;

	return backend_kernel.group_get(group, &info, &err) ? -1 : (int)info.tasks;
}

static int take_id(const struct task_info *info, void *data)
{
	*(uint64_t *)data = info->id;
	return 0;
}

uint64_t stage_task_id(const char *group)
{
	struct error err;
	uint64_t id = 0;

	backend_kernel.task_each(group, take_id, &id, &err);
	return id;
}

bool stage_settles(const char *group, int tasks)
{
	int i;

	for (i = 0; i < 500; i++) {
		if (stage_tasks(group) == tasks)
			return true;
		usleep(10000);
	}
	return false;
}

static bool same_store(const struct store_info *a, const struct store_info *b)
{
	return a->store_pages == b->store_pages && a->image_pages == b->image_pages &&
	       a->huge_pages == b->huge_pages && a->domains == b->domains &&
	       a->images == b->images && a->unsealed == b->unsealed &&
	       a->groups == b->groups && a->tasks == b->tasks;
}

bool stage_leaves(const struct store_info *before, struct error *err)
{
	struct store_info now;
	int i;

	for (i = 0; i < 500; i++) {
		if (backend_kernel.status(&now, err))
			return false;
		if (same_store(before, &now))
			return true;
		usleep(10000);
	}
	error_set(err, 0, "left: %ld pages, %ld of images, %ld huge, %d domains, %d images, %d unsealed, %d groups, %d tasks",
		  (long)(now.store_pages - before->store_pages),
		  (long)(now.image_pages - before->image_pages),
		  (long)(now.huge_pages - before->huge_pages),
		  (int)(now.domains - before->domains), (int)(now.images - before->images),
		  (int)(now.unsealed - before->unsealed), (int)(now.groups - before->groups),
		  (int)(now.tasks - before->tasks));
	return false;
}

bool stage_unused(void)
{
	FILE *file;
	int i, used = -1;

	for (i = 0; i < 300 && used; i++) {
		file = fopen("/sys/module/coppice/refcnt", "re");
		if (!file || fscanf(file, "%d", &used) != 1)
			return false;
		fclose(file);
		if (used)
			usleep(10000);
	}
	return !used;
}

int stage_private_pages(const void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), nr = 0;
	uint64_t entries[STAGE_PAGES];
	size_t i;

	if (pread(fd, entries, sizeof(entries), (uintptr_t)at / STAGE_PAGE * 8) != sizeof(entries))
		return -1;
	close(fd);
	for (i = 0; i < STAGE_PAGES; i++)
		nr += (entries[i] & PAGEMAP_PRESENT) && !(entries[i] & PAGEMAP_FILE);
	return nr;
}

bool stage_stops(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
}

int stage_ends(pid_t pid)
{
	kill(pid, SIGCONT);
	return stage_wait(pid);
}

void *stage_map_low(size_t len, int flags)
{
	uintptr_t at;

	for (at = 256UL << 20; at < 1UL << 31; at += 1UL << 20) {
		void *memory = mmap((void *)at, len, PROT_READ | PROT_WRITE,
				    flags | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (memory != MAP_FAILED)
			return memory;
	}
	return NULL;
}
