// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into the controller: one of its allocations, or of its calls of the system, fails.
 *
 * COPPICE_FAILING is KIND:NUMBER:FILE. What is counted is what happens from main() on, in the process and
 * those that it forks, as they share FILE: the number so far, once one has failed, where that was, and where
 * a signal then ended it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FRAMES 24

enum kind { KIND_MALLOC, KIND_CALL };

/* The frames, the innermost first: relative to the program, and of which file each is, without its directory. */
struct place {
	unsigned long nr;
	unsigned long frames[FRAMES];
	char files[FRAMES][16];
};

struct shared {
	unsigned long count;
	struct place failed, crashed;
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

static struct shared *shared;
static enum kind wanted;
static unsigned long number;
static unsigned long base;

static void remember_file(const void *frame, char file[16])
{
	const char *slash;
	Dl_info info;

	if (!dladdr(frame, &info) || !info.dli_fname)
		return;
	slash = strrchr(info.dli_fname, '/');
	strncpy(file, slash ? slash + 1 : info.dli_fname, 15);
}

static void remember_place(struct place *place)
{
	void *frames[FRAMES];
	int i, n;

	n = backtrace(frames, FRAMES);
	for (i = 0; i < n; i++) {
		place->frames[i] = (unsigned long)frames[i] - base;
		remember_file(frames[i], place->files[i]);
	}
	place->nr = n;
}

/* Once: what raised it is done again, or raises it again, and that ends the process. */
static void crash(int number_of_signal)
{
	(void)number_of_signal;
	remember_place(&shared->crashed);
}

static void watch_crashes(void)
{
	const struct sigaction action = { .sa_handler = crash, .sa_flags = SA_RESETHAND };
	static const int signals[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

/* Is it the turn of this one? */
static int fails(enum kind kind)
{
	if (!shared || kind != wanted)
		return 0;
	if (__atomic_add_fetch(&shared->count, 1, __ATOMIC_RELAXED) != number)
		return 0;
	remember_place(&shared->failed);
	return 1;
}

void *malloc(size_t size)
{
	if (!fails(KIND_MALLOC))
		return __libc_malloc(size);
	errno = ENOMEM;
	return NULL;
}

void *calloc(size_t n, size_t size)
{
	if (!fails(KIND_MALLOC))
		return __libc_calloc(n, size);
	errno = ENOMEM;
	return NULL;
}

void *realloc(void *old, size_t size)
{
	if (!fails(KIND_MALLOC))
		return __libc_realloc(old, size);
	errno = ENOMEM;
	return NULL;
}

/*
 * CALL(what it returns, when it fails, name, errno, parameters, arguments): the next one of that name, unless
 * it fails. Those with a variable number of arguments find them where fixed ones are.
 */
#define CALL(type, failed, name, code, parameters, arguments)		\
type failing_##name parameters __asm__(#name);				\
type failing_##name parameters						\
{									\
	static type (*real) parameters;					\
									\
	if (fails(KIND_CALL)) {						\
		errno = code;						\
		return failed;						\
	}								\
	if (!real)							\
		real = dlsym(RTLD_NEXT, #name);				\
	return real arguments;						\
}

CALL(int, -1, open, EMFILE, (const char *path, int flags, mode_t mode), (path, flags, mode))
CALL(int, -1, openat, EMFILE, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode))
CALL(FILE *, NULL, fopen, EMFILE, (const char *path, const char *mode), (path, mode))
CALL(ssize_t, -1, write, ENOSPC, (int fd, const void *data, size_t len), (fd, data, len))
CALL(ssize_t, -1, pwrite, ENOSPC, (int fd, const void *data, size_t len, off_t at), (fd, data, len, at))
CALL(void *, MAP_FAILED, mmap, ENOMEM, (void *at, size_t len, int prot, int flags, int fd, off_t offset),
     (at, len, prot, flags, fd, offset))
CALL(int, -1, fsync, EIO, (int fd), (fd))
CALL(int, -1, ftruncate, ENOSPC, (int fd, off_t len), (fd, len))
CALL(int, -1, memfd_create, EMFILE, (const char *name, unsigned int flags), (name, flags))
CALL(int, -1, rename, ENOSPC, (const char *from, const char *to), (from, to))
CALL(int, -1, renameat2, ENOSPC, (int from_dir, const char *from, int to_dir, const char *to, unsigned int flags),
     (from_dir, from, to_dir, to, flags))
CALL(int, -1, mkdir, ENOSPC, (const char *path, mode_t mode), (path, mode))
CALL(int, -1, mkdirat, ENOSPC, (int dir, const char *path, mode_t mode), (dir, path, mode))
CALL(int, -1, symlink, ENOSPC, (const char *to, const char *path), (to, path))
CALL(int, -1, symlinkat, ENOSPC, (const char *to, int dir, const char *path), (to, dir, path))
CALL(pid_t, -1, fork, EAGAIN, (void), ())
CALL(int, -1, pipe2, EMFILE, (int ends[2], int flags), (ends, flags))

static struct shared *map_shared(const char *path)
{
	int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	void *at;

	if (fd < 0)
		abort();
	at = (void *)syscall(SYS_mmap, NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		abort();
	syscall(SYS_close, fd);
	return at;
}

static int (*real_main)(int argc, char **argv, char **envp);

/* What the libraries do before is not the controller's, nor are the programs that it starts. */
static int counted_main(int argc, char **argv, char **envp)
{
	char what[32], path[256];
	const char *asked = getenv("COPPICE_FAILING");
	void *frames[FRAMES];
	Dl_info info;

	if (!asked || sscanf(asked, "%31[^:]:%lu:%255s", what, &number, path) != 3)
		abort();
	wanted = strcmp(what, "malloc") ? KIND_CALL : KIND_MALLOC;
	unsetenv("LD_PRELOAD");
	unsetenv("COPPICE_FAILING");
	/* The first one loads what it needs. */
	backtrace(frames, FRAMES);
	if (dladdr(real_main, &info))
		base = (unsigned long)info.dli_fbase;
	shared = map_shared(path);
	watch_crashes();
	return real_main(argc, argv, envp);
}

int __libc_start_main(int (*main)(int argc, char **argv, char **envp), int argc, char **argv,
		      void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	int (*real)(int (*main)(int argc, char **argv, char **envp), int argc, char **argv,
		    void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

	real = dlsym(RTLD_NEXT, "__libc_start_main");
	real_main = main;
	return real(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}
