// SPDX-License-Identifier: GPL-2.0
/*
 * Reset: a task is what it was when it entered, and nothing of what it did in between
 * is left. A role plays twice or more: a file, its argument, counts the rounds.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "runtime/coppice.h"
#include "stage.h"

#define BYTES (STAGE_PAGES * STAGE_PAGE)
#define RESETS 200
/* One reset in so many finds out anew what is changed: COPPICE_LEARN_EVERY. */
#define AFRESH 16
/* After so many like each other nothing new is found. */
#define SETTLED 8

/* How often this task has been here, this time included. */
static int round_of(const char *path)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC), count;
	struct stat stat;

	if (fd < 0 || write(fd, "", 1) != 1 || fstat(fd, &stat))
		_exit(90);
	count = stat.st_size;
	close(fd);
	return count;
}

/* Nowhere in the program as it is: each byte is made when it is needed. */
static volatile unsigned char salt = 0x35;
#define SECRET 24

static unsigned char secret_byte(int i)
{
	return salt ^ (i * 37 + 0x91);
}

static void hide(void *at)
{
	unsigned char *to = at;
	int i;

	for (i = 0; i < SECRET; i++)
		to[i] = secret_byte(i);
}

static bool is_secret(const unsigned char *at)
{
	int i;

	for (i = 0; i < SECRET; i++)
		if (at[i] != secret_byte(i))
			return false;
	return true;
}

/* The mappings of the kernel's own can't be read this way and are not the task's. */
static const char *find_in(const char *line, unsigned long start, unsigned long end, int mem)
{
	static unsigned char page[STAGE_PAGE + SECRET];
	unsigned long at;
	size_t i;

	for (at = start; at < end; at += STAGE_PAGE) {
		if (pread(mem, page, STAGE_PAGE, at) != (ssize_t)STAGE_PAGE)
			continue;
		for (i = 0; i + SECRET <= STAGE_PAGE; i++)
			if (is_secret(page + i))
				return line;
	}
	return NULL;
}

/* A line of /proc/self/maps where the secret is, or NULL. */
static const char *find_secret(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	const char *found = NULL;
	unsigned long start, end;
	static char line[512];

	while (!found && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2)
			found = find_in(line, start, end, mem);
	fclose(maps);
	close(mem);
	return found;
}

static __attribute__((noinline)) void hide_on_stack(void)
{
	volatile unsigned char deep[100000];

	hide((void *)(deep + 100));
	hide((void *)(deep + 99000));
}

/* Goes through what the kernel shows of this process's mappings. */
static unsigned long fold_maps(unsigned long value, unsigned long (*take)(unsigned long value, char c))
{
	static char text[1 << 16];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	ssize_t len, i;

	while ((len = read(fd, text, sizeof(text))) > 0)
		for (i = 0; i < len; i++)
			value = take(value, text[i]);
	close(fd);
	return value;
}

static unsigned long add_to_sum(unsigned long sum, char c)
{
	return sum * 33 + c;
}

static unsigned long count_line(unsigned long lines, char c)
{
	return lines + (c == '\n');
}

static unsigned long layout_sum(void)
{
	return add_to_sum(fold_maps(5381, add_to_sum), 0) + (unsigned long)sbrk(0);
}

static unsigned long mappings(void)
{
	return fold_maps(0, count_line);
}

static void handler(int sig)
{
}

/* The mapping around an address. */
static bool find_mapping(unsigned long at, unsigned long *start, unsigned long *end)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[512];

	while (!found && fgets(line, sizeof(line), maps))
		found = sscanf(line, "%lx-%lx", start, end) == 2 && at >= *start && at < *end;
	fclose(maps);
	return found;
}

/* Fresh memory of the image, which it needs no pages for: the rest of the stack. */
static void name_stack(void)
{
	unsigned long start, end;

	if (find_mapping((unsigned long)__builtin_frame_address(0) - 400000, &start, &end))
		prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, start, end - start, "left behind");
}

/* Everywhere that a program can leave something without another mapping of the image. */
static void hide_everywhere(char **argv)
{
	unsigned char *made;
	int i;

	for (i = 0; i < STAGE_PAGES; i += 5) {
		hide(stage_data + i * STAGE_PAGE + 77);
		hide(stage_mapping + i * STAGE_PAGE + 1999);
	}
	hide(sbrk(1 << 20));
	hide(malloc(300000));
	made = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	hide(made + 4000);
	hide_on_stack();
	name_stack();
	if (strlen(argv[2]) > SECRET)
		hide(argv[2]);
}

static void rearrange(void)
{
	mprotect((void *)stage_text, BYTES, PROT_READ | PROT_WRITE);
	hide((void *)(stage_text + 8192));
	munmap(stage_mapping, 3 * STAGE_PAGE);
	mprotect(stage_data, 5 * STAGE_PAGE, PROT_READ);
	madvise(stage_data + 10 * STAGE_PAGE, STAGE_PAGE, MADV_DONTFORK);
}

/* With nothing like it beside it, so that it is a segment of its own. */
static unsigned char *lonely;

/* In the template. */
static void prepare(void)
{
	const struct sigaction action = { .sa_handler = handler, .sa_flags = SA_NODEFER };

	signal(SIGTTOU, SIG_IGN);
	sigaction(SIGTTIN, &action, NULL);
	lonely = mmap(NULL, 3 * STAGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (lonely == MAP_FAILED)
		exit(94);
	lonely += STAGE_PAGE;
	mprotect(lonely, STAGE_PAGE, PROT_READ | PROT_WRITE);
	*lonely = 'l';
}

static bool actions_restored(void)
{
	struct sigaction action;

	if (sigaction(SIGUSR1, NULL, &action) || action.sa_handler != SIG_DFL)
		return false;
	if (sigaction(SIGTTOU, NULL, &action) || action.sa_handler != SIG_IGN)
		return false;
	return !sigaction(SIGTTIN, NULL, &action) && action.sa_handler == handler &&
	       action.sa_flags & SA_NODEFER;
}

static void leave_much_behind(void)
{
	struct sigaction action = { .sa_handler = handler };
	struct itimerval interval = { .it_value.tv_sec = 1000 };
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	timer_t timer;
	sigset_t all;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	signal(SIGTTOU, SIG_DFL);
	signal(SIGTTIN, SIG_IGN);
	sigaltstack(&stack, NULL);
	setitimer(ITIMER_REAL, &interval, NULL);
	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	raise(SIGUSR1);
	raise(SIGRTMIN);
	dup2(0, 40);
	open("/dev/null", O_RDONLY);
}

static bool kernel_state_clean(void)
{
	struct itimerval interval;
	sigset_t pending, mask;
	char timers[8];
	stack_t stack;
	int fd, left;

	if (!actions_restored())
		return false;
	if (sigpending(&pending) || sigismember(&pending, SIGUSR1) || sigismember(&pending, SIGRTMIN))
		return false;
	if (sigprocmask(SIG_SETMASK, NULL, &mask) || sigismember(&mask, SIGUSR2))
		return false;
	for (left = ITIMER_REAL; left <= ITIMER_PROF; left++)
		if (getitimer(left, &interval) || interval.it_value.tv_sec)
			return false;
	fd = open("/proc/self/timers", O_RDONLY | O_CLOEXEC);
	left = read(fd, timers, sizeof(timers));
	close(fd);
	if (left > 0 || sigaltstack(NULL, &stack) || !(stack.ss_flags & SS_DISABLE))
		return false;
	return fcntl(40, F_GETFD) < 0 && fcntl(200, F_GETFD) < 0 && fcntl(0, F_GETFD) >= 0;
}

/* Each alone: what the module says is clean is not looked after. */
static int play_alone(int argc, char **argv)
{
	const struct itimerval interval = { .it_value.tv_sec = 1000 };
	int count = round_of(argv[2]);
	timer_t timer;
	sigset_t all;

	if (count > 1 && !kernel_state_clean())
		return 10 + count;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	switch (count) {
	case 1:
		raise(SIGUSR1);
		break;
	case 2:
		kill(getpid(), SIGUSR1);
		break;
	case 3 ... 5:
		setitimer(ITIMER_REAL + count - 3, &interval, NULL);
		break;
	case 6:
		timer_create(CLOCK_MONOTONIC, NULL, &timer);
		break;
	case 7:
		dup2(0, 40);
		break;
	case 8:
		/* Behind those that the module tells apart. */
		dup2(0, 200);
		break;
	default:
		return 0;
	}
	coppice_reset();
	return 3;
}

static int lowest_free(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void note(const char *path, unsigned long layout, int free)
{
	char text[100];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	snprintf(text, sizeof(text), "%lx %d\n", layout, free);
	if (write(fd, text, strlen(text)) < 0)
		_exit(91);
	close(fd);
}

static bool noted(const char *path, unsigned long layout, int free)
{
	char text[100] = "", now[100];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (read(fd, text, sizeof(text) - 1) < 0)
		_exit(91);
	close(fd);
	snprintf(now, sizeof(now), "%lx %d\n", layout, free);
	return !strcmp(text, now);
}

static int what_is_left(const char *path, unsigned long layout)
{
	const char *found = find_secret();

	if (found) {
		fprintf(stderr, "# the secret is in %s", found);
		return 4;
	}
	if (!stage_intact())
		return 5;
	if (!kernel_state_clean())
		return 6;
	return noted(path, layout, lowest_free()) ? 0 : 7;
}

/*
 * argv[2]: the file that counts, with a name long enough to hide something in. The first
 * reset has segments to map anew, the second drops pages, the third overwrites them.
 */
#define SECRETS 3

static int play_secret(int argc, char **argv)
{
	unsigned long layout = layout_sum();
	int count = round_of(argv[2]), left;
	char path[200];

	snprintf(path, sizeof(path), "%s.layout", argv[2]);
	left = count > 1 ? what_is_left(path, layout) : 0;
	if (left || count > SECRETS)
		return left;
	if (count == 1)
		note(path, layout, lowest_free());
	hide_everywhere(argv);
	if (count == 1)
		rearrange();
	if (!find_secret())
		return 2;
	leave_much_behind();
	coppice_reset();
	return 3;
}

/* One mapping more, and a segment less: as many as before. */
static int play_exchanged(int argc, char **argv)
{
	unsigned long before = mappings();
	unsigned char *made;

	if (round_of(argv[2]) > 1)
		return find_secret() ? 4 : *lonely == 'l' ? 0 : 5;
	munmap(lonely, STAGE_PAGE);
	made = mmap(NULL, 2 * STAGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	hide(made);
	mprotect(made, 2 * STAGE_PAGE, PROT_READ);
	if (mappings() != before)
		return 2;
	coppice_reset();
	return 3;
}

/* Memory that has become one mapping with the arguments, which stay. */
static int play_grown(int argc, char **argv)
{
	unsigned long before = mappings();
	unsigned long start, end;
	unsigned char *made;

	if (round_of(argv[2]) > 1)
		return find_secret() ? 4 : 0;
	if (!find_mapping((unsigned long)argv[2], &start, &end))
		return 2;
	made = mmap((void *)(start - BYTES), BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (made == MAP_FAILED || mappings() != before)
		return 3;
	hide(made);
	coppice_reset();
	return 5;
}

static long locked_kib(void)
{
	char text[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	const char *line;

	if (read(fd, text, sizeof(text) - 1) < 0)
		_exit(93);
	close(fd);
	line = strstr(text, "\nVmLck:");
	return line ? atol(line + 7) : -1;
}

static bool locked_when_mapped(void)
{
	long before = locked_kib();

	mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return locked_kib() > before;
}

/* All memory and what will be mapped; what will be mapped alone; a part of what a reset keeps. */
static int play_locked(int argc, char **argv)
{
	int count = round_of(argv[2]);

	if (locked_kib() || locked_when_mapped())
		return 2;
	if (count > 3)
		return 0;
	if (count < 3 && mlockall(count == 1 ? MCL_CURRENT | MCL_FUTURE : MCL_FUTURE))
		return 3;
	if (count == 3 && mlock(argv[2], 1))
		return 4;
	if (count == 2 ? !locked_when_mapped() : !locked_kib())
		return 5;
	coppice_reset();
	return 6;
}

/* A page here and there, and nothing mapped between them: what is read would be mapped with what lies around it. */
#define SPARSE 9

static int play_sparse(int argc, char **argv)
{
	bool first = round_of(argv[2]) == 1;
	size_t i;

	for (i = 0; i < STAGE_PAGES; i += SPARSE) {
		if (!first && is_secret(stage_mapping + i * STAGE_PAGE))
			return 2;
		if (first)
			hide(stage_mapping + i * STAGE_PAGE);
	}
	if (!first)
		return stage_intact() ? 0 : 3;
	coppice_reset();
	return 4;
}

static void *wait_for_ever(void *data)
{
	pause();
	return NULL;
}

static int play_threads(int argc, char **argv)
{
	pthread_t thread;

	stage_scribble();
	pthread_create(&thread, NULL, wait_for_ever, NULL);
	if (coppice_reset() != -1 || errno != EBUSY || stage_data[3] != 0xee)
		return 2;
	return 0;
}

static int play_forked(int argc, char **argv)
{
	pid_t child = fork();

	if (!child) {
		stage_scribble();
		_exit(coppice_reset() != -1 || errno != EINVAL || stage_data[3] != 0xee);
	}
	return stage_wait(child);
}

/* A child keeps what it got by fork, whatever its parent does. */
static int play_parent(int argc, char **argv)
{
	int go[2];
	pid_t child;
	char byte;

	if (round_of(argv[2]) > 1) {
		int status;

		return wait(&status) < 0 || !WIFEXITED(status) ? 3 : WEXITSTATUS(status);
	}
	stage_scribble();
	if (pipe(go))
		return 2;
	child = fork();
	if (!child) {
		close(go[1]);
		/* Until the parent's end is closed, by its reset. */
		if (read(go[0], &byte, 1) != 0)
			_exit(5);
		_exit(stage_data[9] != 0xee || stage_mapping[99] != 0xdd);
	}
	coppice_reset();
	return 4;
}

/*
 * What was changed once goes, what was changed before stays, also what was copied a moment ago and
 * is in a processor's batch; and every sixteenth time all of it goes.
 */
static int play_changed(int argc, char **argv)
{
	int count = round_of(argv[2]), left = stage_private_pages(stage_mapping);

	if (!stage_intact())
		return 2;
	if (count == 2 || count == AFRESH + 1) {
		if (left)
			return 3;
	} else if (count > 1 && left < (int)STAGE_PAGES) {
		return 4;
	}
	if (count > AFRESH)
		return 0;
	stage_scribble();
	coppice_reset();
	return 5;
}

static int child_status(void)
{
	int status;

	return wait(&status) > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static bool all(const unsigned char *prop, unsigned char byte, size_t len)
{
	size_t i;

	for (i = 0; i < len && prop[i] == byte; i++)
		;
	return i == len;
}

/* In a child: until the parent's end is closed, by its reset. */
static void wait_for_reset(int go[2])
{
	char byte;

	close(go[1]);
	if (read(go[0], &byte, 1))
		_exit(5);
}

/* As "parent", of pages that a reset overwrites where nobody else has them. */
static int play_parent_again(int argc, char **argv)
{
	int count = round_of(argv[2]), go[2];

	if (!stage_intact())
		return 2;
	if (count == 3)
		return child_status();
	stage_scribble();
	if (count == 2) {
		if (pipe(go))
			return 3;
		if (!fork()) {
			wait_for_reset(go);
			_exit(!all(stage_data, 0xee, BYTES) || !all(stage_mapping, 0xdd, BYTES));
		}
		/* A copy for the parent alone, beside what the child has. */
		memset(stage_data, 0xcc, BYTES / 2);
	}
	coppice_reset();
	return 4;
}

/* A pipe that the pages were given to has what they held then. */
static int play_piped(int argc, char **argv)
{
	struct iovec iov = { stage_mapping, 2 * STAGE_PAGE };
	static unsigned char copy[2 * STAGE_PAGE];
	int count = round_of(argv[2]), go[2], data[2];

	if (!stage_intact())
		return 2;
	if (count == 3)
		return child_status();
	if (count == 2 && (pipe(go) || pipe(data)))
		return 3;
	if (count == 2 && !fork()) {
		wait_for_reset(go);
		_exit(read(data[0], copy, sizeof(copy)) != sizeof(copy) ||
		      !all(copy, 0xdd, sizeof(copy)));
	}
	stage_scribble();
	if (count == 2 && vmsplice(data[1], &iov, 1, 0) != sizeof(copy))
		return 4;
	coppice_reset();
	return 5;
}

static int play_many(int argc, char **argv)
{
	int count = round_of(argv[2]);

	if (!stage_intact())
		return 2;
	if (count > RESETS)
		return 0;
	memset(stage_data + count % 60 * STAGE_PAGE, count, 3 * STAGE_PAGE);
	memset(malloc(count * 1000), 1, count * 1000);
	coppice_reset();
	return 3;
}

/*
 * When all that events change is known, the page tables are not looked through for more, unless the kernel's count
 * says that there is: on a page that no event has written to before.
 */
static int play_settled(int argc, char **argv)
{
	int count = round_of(argv[2]);

	if (!stage_intact())
		return 2;
	if (count > SETTLED + 1)
		return find_secret() ? 4 : 0;
	memset(stage_data, count, 3 * STAGE_PAGE);
	if (count > SETTLED)
		hide(stage_data + 40 * STAGE_PAGE);
	coppice_reset();
	return 3;
}

/* Until it was reset as often as the round says, from outside. */
#define OUTSIDE 20

static int play_outside(int argc, char **argv)
{
	int count = round_of(argv[2]);

	if (!stage_intact())
		return 2;
	if (count > OUTSIDE)
		return 0;
	stage_scribble();
	/* In user mode, in a system call that ends early, and in one that is restarted. */
	if (count % 3 == 0)
		for (;;)
			stage_data[0]++;
	if (count % 3 == 1)
		pause();
	return read(0, stage_data, 1) < 0 ? 4 : 5;
}

static int play_stopped(int argc, char **argv)
{
	if (round_of(argv[2]) > 1)
		return stage_intact() ? 0 : 2;
	stage_scribble();
	raise(SIGSTOP);
	return 3;
}

/* The mapping that /proc/self/maps calls so. */
static bool find_named(const char *name, unsigned long *start, unsigned long *end)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[512];

	while (!found && fgets(line, sizeof(line), maps))
		found = strstr(line, name) && sscanf(line, "%lx-%lx", start, end) == 2;
	fclose(maps);
	return found;
}

/* Of an ELF file's first bytes nobody reads this one. */
#define VDSO_UNUSED 9

/* Code of the kernel's that the task calls, and may make writable. */
static int play_patched(int argc, char **argv)
{
	unsigned long start, end;
	unsigned char *vdso;

	if (!find_named("[vdso]", &start, &end))
		return 2;
	vdso = (unsigned char *)start;
	if (round_of(argv[2]) > 1)
		return vdso[VDSO_UNUSED] ? 3 : 0;
	if (mprotect(vdso, end - start, PROT_READ | PROT_WRITE | PROT_EXEC))
		return 4;
	vdso[VDSO_UNUSED] = 0x5c;
	mprotect(vdso, end - start, PROT_READ | PROT_EXEC);
	coppice_reset();
	return 5;
}

/* Tells the test that it may come, and waits for it. */
static int await_reset(const char *path)
{
	round_of(path);
	pause();
	return 6;
}

static int play_writable(int argc, char **argv)
{
	unsigned long start, end;

	if (round_of(argv[2]) > 1)
		return 2;
	if (!find_named("[vdso]", &start, &end))
		return 3;
	mprotect((void *)start, end - start, PROT_READ | PROT_WRITE | PROT_EXEC);
	return await_reset(argv[2]);
}

/* Memory of its own, with the same content, where something was that stays. */
static int replace(const char *path, unsigned long start, unsigned long end, int prot)
{
	static unsigned char copy[64 * STAGE_PAGE];

	if (round_of(path) > 1)
		return 2;
	if (end - start > sizeof(copy))
		return 3;
	memcpy(copy, (void *)start, end - start);
	if (mmap((void *)start, end - start, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return 4;
	memcpy((void *)start, copy, end - start);
	mprotect((void *)start, end - start, prot);
	return await_reset(path);
}

static int play_own_vdso(int argc, char **argv)
{
	unsigned long start, end;

	if (!find_named("[vdso]", &start, &end))
		return 7;
	return replace(argv[2], start, end, PROT_READ | PROT_EXEC);
}

static int play_own_arguments(int argc, char **argv)
{
	unsigned long start = (unsigned long)argv & -STAGE_PAGE;

	return replace(argv[2], start, start + STAGE_PAGE, PROT_READ);
}

/* They are believed after a reset, and lie in memory that the task may write to, or have another in its place. */
static int play_arguments(int argc, char **argv)
{
	char *start = (char *)((unsigned long)argv & -STAGE_PAGE), *end = start + STAGE_PAGE, *at;
	static char copy[STAGE_PAGE];

	for (at = end; at > start && !at[-1]; at--)
		;
	if (end - at < 16)
		return 2;
	switch (round_of(argv[2])) {
	case 1:
		break;
	case 2:
		memcpy(copy, start, STAGE_PAGE);
		if (mmap(start, STAGE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != start)
			return 3;
		memcpy(start, copy, STAGE_PAGE);
		break;
	default:
		return 0;
	}
	strcpy(end - 16, "a secret");
	memset(argv[1], 'x', strlen(argv[1]));
	argv[2] = NULL;
	coppice_reset();
	return 4;
}

/* So much memory takes a moment to fork, and the task of the child is there from its first mapping on. */
#define FORKS 20
#define FORK_BYTES (64UL << 20)

static int play_forking(int argc, char **argv)
{
	int i;

	if (mmap(NULL, FORK_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
		return 2;
	for (i = 0; i < FORKS; i++) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		if (stage_wait(child))
			return 3;
	}
	return 0;
}

const struct role roles[] = {
	{ "secret", play_secret },
	{ "alone", play_alone },
	{ "sparse", play_sparse },
	{ "exchanged", play_exchanged },
	{ "grown", play_grown },
	{ "locked", play_locked },
	{ "threads", play_threads },
	{ "forked", play_forked },
	{ "parent", play_parent },
	{ "changed", play_changed },
	{ "parent again", play_parent_again },
	{ "piped", play_piped },
	{ "many", play_many },
	{ "settled", play_settled },
	{ "outside", play_outside },
	{ "stopped", play_stopped },
	{ "patched", play_patched },
	{ "writable", play_writable },
	{ "own vdso", play_own_vdso },
	{ "own arguments", play_own_arguments },
	{ "arguments", play_arguments },
	{ "forking", play_forking },
	{}
};

FIXTURE(reset) {
	struct image image;
	struct error err;
	char counter[64];
};

FIXTURE_SETUP(reset)
{
	strcpy(self->counter, "/tmp/coppice-reset-test-counter-XXXXXX");
	close(mkstemp(self->counter));
	ASSERT_EQ(0, stage_set("stage", 0, &self->image, &self->err)) { TH_LOG("%s", self->err.text); }
}

FIXTURE_TEARDOWN(reset)
{
	char layout[80];

	snprintf(layout, sizeof(layout), "%s.layout", self->counter);
	unlink(layout);
	unlink(self->counter);
	EXPECT_TRUE(stage_image_intact("stage", &self->image, &self->err));
	EXPECT_EQ(0, stage_clear("stage", &self->err)) { TH_LOG("%s", self->err.text); }
	image_free(&self->image);
}

#define PLAY(name, role) \
	TEST_F_TIMEOUT(reset, name, 300) { EXPECT_EQ(0, stage_play("stage", role, self->counter)); }

PLAY(nothing_is_left, "secret")
PLAY(what_is_left_alone_is_not_left, "alone")
PLAY(single_pages_go, "sparse")
PLAY(what_is_mapped_for_a_segment_goes, "exchanged")
PLAY(what_has_grown_shrinks, "grown")
PLAY(nothing_stays_locked, "locked")
PLAY(an_event_that_is_not_like_the_others_goes, "settled")
PLAY(threads_are_refused, "threads")
PLAY(forks_are_refused, "forked")
PLAY(children_keep_what_they_have, "parent")
PLAY(what_is_changed_again_stays, "changed")
PLAY(children_keep_what_is_changed_again, "parent again")
PLAY(pipes_keep_what_they_have, "piped")
PLAY(the_kernels_code_is_the_kernels_again, "patched")
PLAY(arguments_are_what_they_were, "arguments")

TEST_F_TIMEOUT(reset, many_times, 300)
{
	struct group_info group;

	EXPECT_EQ(0, stage_play("stage", "many", self->counter));
	ASSERT_EQ(0, backend_kernel.group_get("stage", &group, &self->err));
	EXPECT_EQ(RESETS, group.resets);
}

static bool wait_round(const char *path, int count)
{
	struct stat now;
	int i;

	for (i = 0; i < 1000; i++) {
		if (!stat(path, &now) && now.st_size >= count)
			return true;
		usleep(10000);
	}
	return false;
}

TEST_F_TIMEOUT(reset, from_outside, 300)
{
	int pipefd[2], i, before = dup(0);
	uint64_t id;
	pid_t pid;

	/* Nothing ever comes from it. */
	ASSERT_EQ(0, pipe(pipefd));
	dup2(pipefd[0], 0);
	pid = stage_enter("stage", "outside", self->counter, &self->err);
	for (i = 1; i <= OUTSIDE; i++) {
		ASSERT_TRUE(wait_round(self->counter, i));
		usleep(i % 2 * 20000);
		id = stage_task_id("stage");
		ASSERT_EQ(0, backend_kernel.task_reset(id, &self->err)) {
			TH_LOG("round %d: %s", i, self->err.text);
			kill(pid, SIGKILL);
		}
	}
	EXPECT_EQ(0, stage_wait(pid));
	dup2(before, 0);
}

/* What a reset keeps, the next event trusts: it is what was there, or the task ends. */
TEST_F_TIMEOUT(reset, of_a_task_that_has_changed_what_stays, 300)
{
	static const char *const changes[] = { "writable", "own vdso", "own arguments" };
	size_t i;
	pid_t pid;

	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		ASSERT_EQ(0, truncate(self->counter, 0));
		pid = stage_enter("stage", changes[i], self->counter, &self->err);
		EXPECT_TRUE(wait_round(self->counter, 2));
		EXPECT_EQ(-1, backend_kernel.task_reset(stage_task_id("stage"), &self->err)) {
			TH_LOG("%s", changes[i]);
		}
		EXPECT_NE(NULL, strstr(self->err.text, "in place of what a reset keeps")) {
			TH_LOG("%s", self->err.text);
		}
		EXPECT_EQ(128 + SIGKILL, stage_wait(pid));
	}
}

TEST_F_TIMEOUT(reset, a_stopped_task_when_it_goes_on, 300)
{
	pid_t pid = stage_enter("stage", "stopped", self->counter, &self->err);
	int status;

	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(-1, backend_kernel.task_reset(stage_task_id("stage"), &self->err));
	EXPECT_EQ(ETIMEDOUT, self->err.code);
	EXPECT_STREQ("The task does not run (is it stopped or frozen?): it is reset as soon as it does",
		     self->err.text);
	kill(pid, SIGCONT);
	EXPECT_EQ(0, stage_wait(pid));
}

static int take_fork(const struct task_info *info, void *data)
{
	if (info->forked)
		*(uint64_t *)data = info->id;
	return 0;
}

/* There is no process yet that could be asked, and perhaps there never is. */
TEST_F_TIMEOUT(reset, of_a_task_that_is_being_forked, 300)
{
	pid_t pid = stage_enter("stage", "forking", NULL, &self->err), ended = 0;
	int status = 0, refused = 0;
	uint64_t id;

	while (!ended) {
		id = 0;
		backend_kernel.task_each("stage", take_fork, &id, &self->err);
		if (id) {
			EXPECT_EQ(-1, backend_kernel.task_reset(id, &self->err));
			EXPECT_TRUE(self->err.code == EINVAL || self->err.code == ENOENT) {
				TH_LOG("%s", self->err.text);
			}
			refused += self->err.code == EINVAL;
		}
		ended = waitpid(pid, &status, WNOHANG);
	}
	EXPECT_EQ(0, status);
	EXPECT_GT(refused, 0);
	EXPECT_TRUE(stage_unused());
}

/* A task that dies meanwhile is gone, and takes nothing along. */
TEST_F_TIMEOUT(reset, killed_at_any_moment, 300)
{
	struct error err;
	pid_t pid, killer;
	int i;

	for (i = 0; i < 30; i++) {
		ASSERT_EQ(0, truncate(self->counter, 0));
		pid = stage_enter("stage", "many", self->counter, &self->err);
		ASSERT_TRUE(wait_round(self->counter, 1));
		killer = fork();
		if (!killer) {
			usleep(i * 300);
			kill(pid, SIGKILL);
			_exit(0);
		}
		(void)!backend_kernel.task_reset(stage_task_id("stage"), &err);
		EXPECT_EQ(128 + SIGKILL, stage_wait(pid));
		stage_wait(killer);
		EXPECT_TRUE(stage_settles("stage", 0));
	}
}

TEST_F(reset, no_such_task)
{
	EXPECT_EQ(-1, backend_kernel.task_reset(1ULL << 60, &self->err));
	EXPECT_EQ(ENOENT, self->err.code);
}

int main(int argc, char **argv)
{
	stage_prepare = prepare;
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
