// SPDX-License-Identifier: GPL-2.0
/* Programs of the hub that the controller runs to their end. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

static const char *const directories[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

int program_find(const char *name, const char *package, char *path, size_t size,
		 struct error *err)
{
	size_t i;

	for (i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(path, size, "%s/%s", directories[i], name);
		if (!access(path, X_OK))
			return 0;
	}
	return error_set(err, ENOENT, "the program %s is missing: install Debian's package %s",
			 name, package);
}

static int start(char *const *argv, int out, pid_t *pid)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C.UTF-8";
	char *environment[] = { path, locale, NULL };
	posix_spawn_file_actions_t actions;
	int failed = posix_spawn_file_actions_init(&actions);

	if (failed)
		return failed;
	failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!failed)
		failed = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!failed)
		failed = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	if (!failed)
		failed = posix_spawn(pid, argv[0], &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

/* To the end, whatever fits: nobody is to be blocked by a full pipe. */
static void read_all(int fd, char *output, size_t size)
{
	char rest[512];
	size_t len = 0;
	ssize_t got;

	do {
		bool full = len + 1 >= size;

		got = full ? read(fd, rest, sizeof(rest)) : read(fd, output + len, size - len - 1);
		if (got > 0 && !full)
			len += got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	output[len] = '\0';
	if (len && output[len - 1] == '\n')
		output[len - 1] = '\0';
}

static int check_end(const char *program, pid_t pid, const char *output, struct error *err)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	/* Programs say first what is wrong, and then more of it. */
	return error_set(err, EIO, "%s failed: %.*s", program,
			 (int)strcspn(output, "\n") < 300 ? (int)strcspn(output, "\n") : 300, output);
}

int program_run(char *const *argv, char *output, size_t size, struct error *err)
{
	int ends[2], failed;
	pid_t pid;

	output[0] = '\0';
	if (pipe2(ends, O_CLOEXEC))
		return error_set(err, errno, "%s cannot be run: %s", argv[0], strerror(errno));
	failed = start(argv, ends[1], &pid);
	close(ends[1]);
	if (!failed)
		read_all(ends[0], output, size);
	close(ends[0]);
	if (failed)
		return error_set(err, failed, "%s cannot be run: %s", argv[0], strerror(failed));
	return check_end(argv[0], pid, output, err);
}
