// SPDX-License-Identifier: GPL-2.0
/* What the kernel and the C library keep about a template is there again in each task. */
#include <errno.h>
#include <fenv.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "lib/launch_table.h"
#include "runtime/coppice.h"
#include "stage.h"

extern char **environ;

#define SA_RESTORER 0x04000000	/* the C library's own */

static char altstack[64 * 1024];
static volatile int handled, on_altstack;
static __thread int per_thread = 1;
static void *template_break;
static int prepared, forked_child, restored_order[2], restored;

static void on_usr1(int sig, siginfo_t *info, void *context)
{
	char here;

	handled += info->si_pid == getpid();
	on_altstack = &here >= altstack && &here < altstack + sizeof(altstack);
}

static void count_prepare(void) { prepared++; }
static void count_child(void) { forked_child++; }
static void count_restored(void *which) { restored_order[restored++] = *(int *)which; }

/* In the template, before its checkpoint. */
/*
 * For what libc allocates until the checkpoint: the last of some pieces is free, and none of
 * them is in a gap that what a library's constructor has freed may have left.
 */
static void leave_room_below_break(void)
{
	static void *pieces[8];
	size_t i;

	for (i = 0; i < 8; i++)
		pieces[i] = malloc(64 << 10);
	free(pieces[7]);
}

/* What a library may have open: each under a number that is not the next free one. */
static const struct {
	const char *path;
	int number, flags;
	bool cloexec;
} devices[] = {
	{ "/dev/urandom", 24, O_RDONLY | O_NONBLOCK, true },
	{ "/dev/null", 28, O_WRONLY | O_APPEND, false },
	{ "/dev/zero", 27, O_RDWR, true },
	{ "/dev/random", 62, O_RDONLY, false },
	{ "/dev/full", 30, O_WRONLY, false },
};

#define NR_DEVICES (sizeof(devices) / sizeof(*devices))

static void open_devices(void)
{
	size_t i;
	int fd;

	for (i = 0; i < NR_DEVICES; i++) {
		fd = open(devices[i].path, devices[i].flags);
		if (dup3(fd, devices[i].number, devices[i].cloexec ? O_CLOEXEC : 0) < 0)
			exit(94);
		close(fd);
	}
}

static void prepare(void)
{
	struct sigaction action = { .sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	stack_t stack = { .ss_sp = altstack, .ss_size = sizeof(altstack) };
	static int first = 1, second = 2;
	sigset_t mask;

	sigaddset(&action.sa_mask, SIGWINCH);
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigaltstack(&stack, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	per_thread = 42;
	fesetround(FE_UPWARD);
	prctl(PR_SET_NAME, "of-template");
	pthread_atfork(count_prepare, NULL, count_child);
	coppice_after_restore(count_restored, &first);
	coppice_after_restore(count_restored, &second);
	srandom(1);
	srand48(1);
	open_devices();
	leave_room_below_break();
	template_break = sbrk(0);
}

static int play_signals(int argc, char **argv)
{
	struct sigaction action;
	sigset_t mask;
	stack_t stack;

	if (sigaction(SIGUSR1, NULL, &action) || action.sa_sigaction != on_usr1 ||
	    (action.sa_flags & ~SA_RESTORER) != (SA_SIGINFO | SA_ONSTACK | SA_RESTART) ||
	    !sigismember(&action.sa_mask, SIGWINCH))
		return 1;
	if (sigaction(SIGPIPE, NULL, &action) || action.sa_handler != SIG_IGN)
		return 2;
	if (sigaction(SIGHUP, NULL, &action) || action.sa_handler != SIG_DFL)
		return 6;
	if (sigprocmask(SIG_SETMASK, NULL, &mask) || !sigismember(&mask, SIGUSR2) ||
	    sigismember(&mask, SIGUSR1) || sigismember(&mask, SIGTERM))
		return 3;
	if (sigaltstack(NULL, &stack) || stack.ss_sp != altstack || stack.ss_size != sizeof(altstack))
		return 4;
	kill(getpid(), SIGUSR1);
	return handled == 1 && on_altstack ? 0 : 5;
}

static void *thread(void *arg)
{
	/* A new thread has the variable's initial value, not the main thread's. */
	return (void *)(long)(per_thread == 1 && gettid() != getpid());
}

static int play_threads(int argc, char **argv)
{
	void *result = NULL;
	pthread_t id;

	if (per_thread != 42 || gettid() != getpid())
		return 1;
	errno = 0;
	if (close(-1) != -1 || errno != EBADF)
		return 2;
	if (pthread_create(&id, NULL, thread, NULL) || pthread_join(id, &result) || !result)
		return 3;
	/* Of the cached id: a mutex that checks its owner. */
	pthread_mutexattr_t attributes;
	pthread_mutex_t mutex;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&mutex, &attributes);
	return !pthread_mutex_lock(&mutex) && pthread_mutex_lock(&mutex) == EDEADLK &&
	       mutex.__data.__owner == getpid() ? 0 : 4;
}

/* A task that dies with a robust mutex leaves it to be taken over. */
static int play_robust(int argc, char **argv)
{
	pthread_mutex_t *mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attributes;
	void *head = NULL;
	size_t len = 0;
	pid_t child;

	if (syscall(SYS_get_robust_list, 0, &head, &len) || !head || len != 24)
		return 1;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(mutex, &attributes);
	child = fork();
	if (!child) {
		pthread_mutex_lock(mutex);
		_exit(0);
	}
	stage_wait(child);
	return pthread_mutex_lock(mutex) == EOWNERDEAD ? 0 : 2;
}

static int play_rseq(int argc, char **argv)
{
	struct rseq *area = (void *)((char *)__builtin_thread_pointer() + __rseq_offset);
	cpu_set_t one;
	int cpu;

	if (!__rseq_size)
		return 0;
	/* Registered already, at the address where the C library reads it. */
	if (syscall(SYS_rseq, area, 32, 0, RSEQ_SIG) != -1 || errno != EBUSY)
		return 1;
	for (cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (!sched_setaffinity(0, sizeof(one), &one) &&
		    (sched_getcpu() != cpu || (int)area->cpu_id != cpu))
			return 2;
	}
	return 0;
}

static int play_break(int argc, char **argv)
{
	char *before = sbrk(0), *more = sbrk(1 << 20);

	if (before != template_break)
		return 1;
	if (more != before)
		return 2;
	memset(more, 1, 1 << 20);
	return sbrk(-(1 << 20)) == before + (1 << 20) && sbrk(0) == before ? 0 : 3;
}

static bool mapped(const char *name, unsigned long *start)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[512];

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = strstr(line, name) && sscanf(line, "%lx", start) == 1;
	if (maps)
		fclose(maps);
	return found;
}

static int play_vdso(int argc, char **argv)
{
	struct timespec by_vdso, by_call, later;
	unsigned long start;

	if (!mapped(" [vdso]", &start) || start != getauxval(AT_SYSINFO_EHDR))
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &by_vdso);
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &by_call);
	clock_gettime(CLOCK_MONOTONIC, &later);
	return by_vdso.tv_sec <= by_call.tv_sec && by_call.tv_sec <= later.tv_sec &&
	       later.tv_sec - by_vdso.tv_sec < 60 && time(NULL) > 1000000000 ? 0 : 2;
}

static bool file_is(const char *path, const char *content, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t got = read(fd, text, sizeof(text));

	close(fd);
	return got == (ssize_t)len && !memcmp(text, content, len);
}

static int play_args(int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[2], "of-task") || argv[3])
		return 1;
	if (!getenv("STAGE_VARIABLE") || strcmp(getenv("STAGE_VARIABLE"), "of task"))
		return 2;
	if (getenv("COPPICE_TEMPLATE_FD"))
		return 3;
	if (!file_is("/proc/self/cmdline", "state\0args\0of-task", 19))
		return 4;
	return file_is("/proc/self/comm", "of-template\n", 12) ? 0 : 5;
}

static int play_hooks(int argc, char **argv)
{
	return prepared == 1 && forked_child == 1 && restored == 2 &&
	       restored_order[0] == 1 && restored_order[1] == 2 ? 0 : 1;
}

static int play_float(int argc, char **argv)
{
	volatile double one = 1, three = 3;

	return fegetround() == FE_UPWARD && one / three > 0.33333333333333331 ? 0 : 1;
}

static int eat(int bytes)
{
	volatile char page[4096];

	page[0] = bytes;
	return bytes <= 0 ? page[0] : eat(bytes - (int)sizeof(page)) + page[0] * 0;
}

/* Stacks grow to 8 MiB; a template's was a few pages. */
static int play_stack(int argc, char **argv)
{
	eat(6 << 20);
	return 0;
}

static int play_random(int argc, char **argv)
{
	printf("%ld %ld\n", random(), lrand48());
	return fflush(stdout);
}

static int play_children(int argc, char **argv)
{
	int status = system("exit 7");

	return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : 1;
}

static bool device_is_open(size_t i)
{
	const int mask = O_ACCMODE | O_APPEND | O_NONBLOCK;
	int fd = devices[i].number;
	struct stat open, wanted;

	return !fstat(fd, &open) && !stat(devices[i].path, &wanted) &&
	       open.st_rdev == wanted.st_rdev &&
	       (fcntl(fd, F_GETFL) & mask) == devices[i].flags &&
	       fcntl(fd, F_GETFD) == (devices[i].cloexec ? FD_CLOEXEC : 0);
}

static int play_devices(int argc, char **argv)
{
	char bytes[2][16] = {};
	size_t i;

	for (i = 0; i < NR_DEVICES; i++)
		if (!device_is_open(i))
			return 1 + i;
	if (read(24, bytes[0], 16) != 16 || read(62, bytes[1], 16) != 16 ||
	    !memcmp(bytes[0], bytes[1], 16))
		return 10;
	if (write(28, "x", 1) != 1 || write(30, "x", 1) != -1 || errno != ENOSPC)
		return 11;
	return read(27, bytes[0], 1) == 1 && !bytes[0][0] ? 0 : 12;
}

const struct role roles[] = {
	{ "signals", play_signals },
	{ "threads", play_threads },
	{ "robust", play_robust },
	{ "rseq", play_rseq },
	{ "break", play_break },
	{ "vdso", play_vdso },
	{ "args", play_args },
	{ "hooks", play_hooks },
	{ "float", play_float },
	{ "stack", play_stack },
	{ "random", play_random },
	{ "children", play_children },
	{ "devices", play_devices },
	{}
};

#define NAME "state"

FIXTURE(state) {
	struct image image;
	struct launch launch;	/* without the module: of a memfd */
	bool module;
	struct error err;
};

/* The image's content in a file, as the memfd backend has it. */
static int make_memfd(const struct image *image)
{
	int fd = memfd_create(NAME, MFD_CLOEXEC);
	size_t i;

	for (i = 0; i < image->nr_segments; i++) {
		const struct image_segment *seg = &image->segments[i];

		if (seg->data && write(fd, seg->data, seg->len) != (ssize_t)seg->len)
			return -1;
	}
	return fd;
}

FIXTURE_SETUP(state)
{
	setenv("STAGE_VARIABLE", "of template", 1);
	self->module = backend_kernel.available(&self->err);
	if (self->module) {
		ASSERT_EQ(0, stage_set(NAME, 0, &self->image, &self->err)) {
			TH_LOG("%s", self->err.text);
		}
	} else {
		ASSERT_EQ(0, stage_build(&self->image, &self->err)) {
			TH_LOG("%s", self->err.text);
		}
		ASSERT_EQ(0, launch_fill(&self->launch, &self->image, &self->err));
		self->launch.fd = make_memfd(&self->image);
		ASSERT_GE(self->launch.fd, 0);
	}
	setenv("STAGE_VARIABLE", "of task", 1);
}

FIXTURE_TEARDOWN(state)
{
	if (self->module) {
		EXPECT_EQ(0, stage_clear(NAME, &self->err)) {
			TH_LOG("%s", self->err.text);
		}
	} else {
		launch_free(&self->launch);
	}
	image_free(&self->image);
}

static int play(FIXTURE_DATA(state) *self, const char *role, const char *argument)
{
	pid_t pid;

	if (self->module)
		return stage_play(NAME, role, argument);
	pid = fork();
	if (!pid)
		stage_launch(&self->launch, 0, NAME, role, argument);
	return stage_wait(pid);
}

#define TEST_ROLE(role)								\
	TEST_F(state, role) { EXPECT_EQ(0, play(self, #role, "of-task")); }

/* What the launcher ignores is the task's no more than what it handles. */
TEST_F(state, signals)
{
	signal(SIGHUP, SIG_IGN);
	EXPECT_EQ(0, play(self, "signals", "of-task"));
	signal(SIGHUP, SIG_DFL);
}

TEST_ROLE(threads)
TEST_ROLE(robust)
TEST_ROLE(rseq)
TEST_ROLE(break)
TEST_ROLE(vdso)
TEST_ROLE(args)
TEST_ROLE(hooks)
TEST_ROLE(float)
TEST_ROLE(stack)
TEST_ROLE(children)
TEST_ROLE(devices)

TEST_F(state, random_numbers_of_two_tasks_differ)
{
	long numbers[2][2];
	int pipefd[2], i, out = dup(1);
	FILE *in;

	ASSERT_EQ(0, pipe2(pipefd, O_CLOEXEC));
	in = fdopen(pipefd[0], "r");
	for (i = 0; i < 2; i++) {
		fflush(stdout);
		dup2(pipefd[1], 1);
		EXPECT_EQ(0, play(self, "random", NULL));
		dup2(out, 1);
		ASSERT_EQ(2, fscanf(in, "%ld %ld", &numbers[i][0], &numbers[i][1]));
	}
	/* Each generator's. */
	EXPECT_NE(numbers[0][0], numbers[1][0]);
	EXPECT_NE(numbers[0][1], numbers[1][1]);
	fclose(in);
	close(pipefd[1]);
	close(out);
}

int main(int argc, char **argv)
{
	stage_prepare = prepare;
	stage_main(argc, argv);
	return test_harness_run(argc, argv);
}
