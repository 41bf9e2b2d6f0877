// SPDX-License-Identifier: GPL-2.0
/* Keepers of memfd images. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "keeper.h"
#include "proc.h"

#define STOP_MS	10000

/* In the child: nothing but the two descriptors is left of the controller. */
static void become(int memfd, int commit, const char *image)
{
	char *argv[] = { KEEPER_COMM, "keep", (char *)image, NULL };
	char *envp[] = { NULL };
	sigset_t none;
	int null = open("/dev/null", O_RDWR), high[2];

	setsid();
	/* Out of the way of the numbers that they shall have. */
	high[0] = fcntl(memfd, F_DUPFD, 16);
	high[1] = fcntl(commit, F_DUPFD, 16);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
	    dup2(high[0], KEEPER_FD) < 0 || dup2(high[1], KEEPER_COMMIT) < 0 ||
	    close_range(KEEPER_COMMIT + 1, ~0U, 0) || chdir("/"))
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve("/proc/self/exe", argv, envp);
	_exit(1);
}

int keeper_start(int memfd, const char *image, struct keeper *keeper, int *commit,
		 struct error *err)
{
	struct proc_stat process;
	struct stat st;
	int ends[2];

	if (fstat(memfd, &st) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return error_set(err, errno, "no keeper can be started: %s", strerror(errno));
	keeper->inode = st.st_ino;
	keeper->pid = fork();
	if (!keeper->pid) {
		close(ends[1]);
		become(memfd, ends[0], image);
	}
	close(ends[0]);
	if (keeper->pid < 0 || !proc_stat(keeper->pid, &process)) {
		close(ends[1]);
		return error_set(err, errno, "no keeper can be started: %s", strerror(errno));
	}
	keeper->start = process.start;
	*commit = ends[1];
	return 0;
}

int keeper_commit(int commit, struct error *err)
{
	char byte = 0;

	if (send(commit, &byte, 1, MSG_NOSIGNAL) == 1 && read(commit, &byte, 1) == 1)
		return 0;
	return error_set(err, EIO, "the process that shall keep the image in memory ended: free memory and try again");
}

int keeper_main(void)
{
	char byte;

	prctl(PR_SET_NAME, KEEPER_COMM);
	if (read(KEEPER_COMMIT, &byte, 1) != 1)
		return EXIT_REFUSED;
	/* Who waits for the answer may be gone, and then it was in vain: the record is there. */
	(void)!send(KEEPER_COMMIT, &byte, 1, MSG_NOSIGNAL);
	close(KEEPER_COMMIT);
	for (;;)
		pause();
}

/* 1 if it does, 0 if not; -1 with errno set if that can't be told. */
static int lives(const struct keeper *keeper)
{
	struct proc_stat process;

	if (!proc_stat(keeper->pid, &process))
		return errno == ENOENT || errno == ESRCH ? 0 : -1;
	return process.start == keeper->start && process.state != 'Z' && process.state != 'X';
}

bool keeper_alive(const struct keeper *keeper)
{
	return lives(keeper);
}

int keeper_open(const struct keeper *keeper, struct error *err)
{
	struct stat st;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", keeper->pid, KEEPER_FD);
	fd = keeper_alive(keeper) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0 && !fstat(fd, &st) && st.st_ino == keeper->inode)
		return fd;
	cleanup_close(&fd);
	return error_set(err, ESTALE, "the process that kept the image in memory is gone: load the image again");
}

int keeper_stop(const struct keeper *keeper, struct error *err)
{
	autoclose int fd = syscall(SYS_pidfd_open, keeper->pid, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int alive;

	if (fd < 0 && errno == ESRCH)
		return 0;
	/* Opened before it is checked: from here on the number can't change its meaning. */
	alive = fd < 0 ? -1 : lives(keeper);
	if (!alive)
		return 0;
	if (alive < 0 || syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0))
		return error_set(err, errno, "the image's keeper, process %d, cannot be ended: %s",
				 keeper->pid, strerror(errno));
	if (poll(&poll_fd, 1, STOP_MS) == 1)
		return 0;
	return error_set(err, ETIMEDOUT, "the image's keeper, process %d, does not end: try again",
			 keeper->pid);
}

/* The third word of its command line. */
static bool image_of(pid_t pid, char *image, size_t size)
{
	autofclose FILE *file = NULL;
	char text[256], path[64];
	const char *word = text;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	file = fopen(path, "re");
	len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	text[len] = '\0';
	if (strcmp(word, KEEPER_COMM))
		return false;
	word += strlen(word) + 1;
	word += word < text + len ? strlen(word) + 1 : 0;
	snprintf(image, size, "%s", word < text + len ? word : "");
	return true;
}

/* Fills in @keeper if @pid is one. Anybody may take the name; only root has such a memfd. */
static bool is_keeper(pid_t pid, struct keeper *keeper, char *image, size_t size)
{
	struct proc_stat process;
	char path[64], target[64] = "";
	struct stat st;

	if (!proc_stat(pid, &process) || strcmp(process.comm, KEEPER_COMM) ||
	    !image_of(pid, image, size))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, KEEPER_FD);
	if (readlink(path, target, sizeof(target) - 1) < 0 ||
	    strncmp(target, "/memfd:coppice:", 15) || stat(path, &st) || st.st_uid)
		return false;
	*keeper = (struct keeper) { .pid = pid, .start = process.start, .inode = st.st_ino };
	return true;
}

int keeper_each(keeper_fn fn, void *data, struct error *err)
{
	autoclosedir DIR *dir = opendir("/proc");
	const struct dirent *entry;
	struct keeper keeper;
	char image[256];
	int result;

	if (!dir)
		return error_set(err, errno, "/proc cannot be read: %s", strerror(errno));
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !is_keeper(atoi(entry->d_name), &keeper, image, sizeof(image)))
			continue;
		result = fn(&keeper, image, data);
		if (result)
			return result;
	}
	return 0;
}
