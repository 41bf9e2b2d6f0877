// SPDX-License-Identifier: GPL-2.0
/* Processes that can be adopted. */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "lib/backend.h"

#define PAGE ACTOR_PAGE
#define DIRTY 20	/* data pages that commands change */
#define PROTECTED 30
#define IN 200		/* an actor's descriptors */
#define OUT 201

/* In an actor: */
static unsigned char *base;
static volatile bool mistaken, ending;
static volatile bool frozen;	/* threads stay away from the data */
static volatile int resting;
static pthread_t *threads;
static int nr_threads;
static bool dirty, protected;

static unsigned char *data_page(int page)
{
	return base + (ACTOR_DATA + page) * PAGE;
}

static bool text_right(int page)
{
	int (*function)(void) = (void *)(base + (1 + page) * PAGE);

	return function() == page;
}

static bool data_right(int page)
{
	uint32_t number;

	memcpy(&number, data_page(page), sizeof(number));
	if ((dirty && page == DIRTY) || (protected && page == PROTECTED))
		return number == 0xdddddddd;
	return number == (uint32_t)page && data_page(page)[PAGE - 1] == 0x5a;
}

static bool all_right(void)
{
	int i;

	for (i = 0; i < ADOPT_TEXT_PAGES; i++)
		if (!text_right(i))
			return false;
	for (i = 0; i < ADOPT_DATA_PAGES; i++)
		if (!data_right(i))
			return false;
	return !memcmp(base, "\177ELF", 4);
}

static void *hammer(void *arg)
{
	unsigned int seed = (uintptr_t)arg;

	while (!ending) {
		if (!text_right(rand_r(&seed) % ADOPT_TEXT_PAGES))
			mistaken = true;
		if (frozen) {
			__atomic_add_fetch(&resting, 1, __ATOMIC_SEQ_CST);
			while (frozen)
				usleep(100);
			__atomic_sub_fetch(&resting, 1, __ATOMIC_SEQ_CST);
		}
		if (!data_right(rand_r(&seed) % ADOPT_DATA_PAGES))
			mistaken = true;
	}
	return NULL;
}

static void freeze(void)
{
	frozen = true;
	while (resting < nr_threads)
		usleep(100);
}

static void thaw(void)
{
	frozen = false;
	while (resting)
		usleep(100);
}

static int do_fork(void)
{
	pid_t child = fork();

	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!all_right())
		_exit(1);
	pause();
	_exit(2);
}

static int do_dirty(void)
{
	unsigned char *page = data_page(DIRTY);

	freeze();
	if (mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE))
		return 0;
	memset(page, 0xdd, 4);
	((volatile unsigned char *)page)[PAGE] = page[PAGE];
	dirty = true;
	if (mprotect(page, 2 * PAGE, PROT_READ))
		return 0;
	thaw();
	return 1;
}

static int do_protect(void)
{
	freeze();
	if (mprotect(data_page(0), ADOPT_DATA_PAGES * PAGE, PROT_READ | PROT_WRITE))
		return 0;
	memset(data_page(PROTECTED), 0xdd, 4);
	protected = true;
	if (mprotect(data_page(0), ADOPT_DATA_PAGES * PAGE, PROT_READ))
		return 0;
	thaw();
	return 1;
}

/* Mapping by mapping: mremap() moves no more than one at a time. */
static int do_move(void)
{
	int half = ADOPT_DATA_PAGES / 2;
	void *there;

	freeze();
	there = mremap(data_page(half), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	if (there == MAP_FAILED || memcmp(there, &half, sizeof(half)))
		return 0;
	if (mremap(there, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, data_page(half)) !=
	    data_page(half))
		return 0;
	thaw();
	return 1;
}

static int do_unmap(void)
{
	int i;

	ending = true;
	for (i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	return !munmap(base, (ACTOR_DATA + 5) * PAGE) &&
	       !munmap(data_page(6), (ADOPT_DATA_PAGES - 6) * PAGE) && data_right(5);
}

static int do_executable(void)
{
	return !mprotect(data_page(0), PAGE, PROT_READ | PROT_EXEC) ||
	       mprotect(data_page(0), PAGE, PROT_READ);
}

static int obey(enum actor_command command)
{
	switch (command) {
	case ACTOR_CHECK:
		return all_right() && !mistaken;
	case ACTOR_FORK:
		return do_fork();
	case ACTOR_EXEC:
		execl("/bin/sleep", "sleep", "600", NULL);
		return -1;
	case ACTOR_DIRTY:
		return do_dirty();
	case ACTOR_PROTECT:
		return do_protect();
	case ACTOR_MOVE:
		return do_move();
	case ACTOR_UNMAP:
		return do_unmap();
	case ACTOR_EXECUTABLE:
		return do_executable();
	}
	return -1;
}

static void start_hammering(int count)
{
	threads = calloc(count, sizeof(*threads));
	for (; threads && nr_threads < count; nr_threads++)
		if (pthread_create(&threads[nr_threads], NULL, hammer, (void *)(nr_threads + 1L)))
			break;
	if (nr_threads < count)
		_exit(91);
}

static void act(const char *path, int count, int from, int to)
{
	void *library = dlopen(path, RTLD_NOW);
	unsigned char *text = library ? dlsym(library, "adopt_text") : NULL;
	enum actor_command command;
	int answer;

	if (!text) {
		fprintf(stderr, "# %s\n", dlerror());
		_exit(90);
	}
	base = text - PAGE;
	start_hammering(count);
	if (write(to, &base, sizeof(base)) != sizeof(base))
		_exit(92);
	while (read(from, &command, sizeof(command)) == sizeof(command)) {
		answer = obey(command);
		if (write(to, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(mistaken);
}

/* Beside the test. */
const char *actor_library(void)
{
	static char library[PATH_MAX];

	if (readlink("/proc/self/exe", library, sizeof(library) - 1) < 0)
		abort();
	strcpy(strrchr(library, '/'), "/adopt_lib.so");
	return library;
}

int actor_load(const char *name, struct error *err)
{
	const char *paths[] = { actor_library() };
	struct image image;
	int ret;

	if (image_from_elf(&image, paths, 1, err))
		return -1;
	ret = backend_kernel.image_load(name, 0, &image, err);
	image_free(&image);
	return ret;
}

int actor_start(struct actor *actor, uid_t uid, const char *path, int threads)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return -1;
	actor->pid = fork();
	if (!actor->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Others' pipes end when the test closes its ends. */
		if (dup2(to[0], IN) < 0 || dup2(from[1], OUT) < 0 ||
		    close_range(STDERR_FILENO + 1, IN - 1, 0) || close_range(OUT + 1, ~0U, 0))
			_exit(94);
		if (uid && (setgid(uid) || setuid(uid)))
			_exit(93);
		act(path, threads, IN, OUT);
	}
	close(to[0]);
	close(from[1]);
	actor->to = to[1];
	actor->from = from[0];
	return read(actor->from, &actor->base, sizeof(actor->base)) == sizeof(actor->base) ? 0 : -1;
}

int actor_let(struct actor *actor, enum actor_command command)
{
	return write(actor->to, &command, sizeof(command)) == sizeof(command) ? 0 : -1;
}

int actor_answer(struct actor *actor)
{
	int answer;

	return read(actor->from, &answer, sizeof(answer)) == sizeof(answer) ? answer : -1;
}

int actor_do(struct actor *actor, enum actor_command command)
{
	if (actor_let(actor, command))
		return -1;
	return command == ACTOR_EXEC ? 0 : actor_answer(actor);
}

int actor_end(struct actor *actor)
{
	int status;

	close(actor->to);
	close(actor->from);
	if (waitpid(actor->pid, &status, 0) != actor->pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void add_field(struct actor_usage *usage, const char *line)
{
	unsigned long kib;

	if (sscanf(line, "Size: %lu", &kib) == 1)
		usage->size += kib;
	else if (sscanf(line, "Rss: %lu", &kib) == 1)
		usage->rss += kib;
	else if (sscanf(line, "Pss: %lu", &kib) == 1)
		usage->pss += kib;
	else if (!strncmp(line, "VmFlags:", 8))
		usage->dontfork = strstr(line, " dc");
}

struct actor_usage actor_usage(pid_t pid, const char *word)
{
	struct actor_usage usage = {};
	unsigned long start, end;
	bool counted = false;
	char line[1024];
	FILE *smaps;
	int at;

	snprintf(line, sizeof(line), "/proc/%d/smaps", pid);
	smaps = fopen(line, "re");
	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx %*s %*x %*s %*u %n", &start, &end, &at) != 2) {
			if (counted)
				add_field(&usage, line);
			continue;
		}
		counted = strstr(line, word);
		if (!counted)
			continue;
		usage.mappings++;
		snprintf(usage.name, sizeof(usage.name), "%.*s", (int)strcspn(line + at, "\n"), line + at);
	}
	if (smaps)
		fclose(smaps);
	return usage;
}
