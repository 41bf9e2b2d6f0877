// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that know libraries of their kind: interpreters, the dynamic linker. Library code runs in
 * them, so they run as the tasks' user, with no network, little time and nothing of ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "json_read.h"
#include "library_parts.h"
#include "spawn.h"

#define SECONDS		120
#define OUTPUT_MAX	(16UL << 20)

static int mounts_of(const struct library *library, struct task_mounts *mounts, struct error *err)
{
	const json_t *mount_;
	size_t i;

	json_array_foreach(json_object_get(library->record, "mounts"), i, mount_)
		if (task_mounts_add(mounts, json_string_value(json_object_get(mount_, "source")),
				    json_string_value(json_object_get(mount_, "target")), err))
			return -1;
	return 0;
}

static int arrange(int output)
{
	int null = open("/dev/null", O_RDWR), none = -1;
	struct error ignored;

	return null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
	       dup2(output, STDOUT_FILENO) < 0 || spawn_close_others(&none, 1, &ignored) ? -1 : 0;
}

static void __attribute__((noreturn))
child(const struct library *library, const struct task_mounts *mounts, char *const *argv,
      char *const *envp, int output)
{
	const struct rlimit seconds = { SECONDS, SECONDS };
	struct error ignored;
	sigset_t none;

	spawn_reset_signals();
	setsid();
	sigemptyset(&none);
	if (unshare(CLONE_NEWNET) || task_mounts_enter(mounts, &ignored) || arrange(output) ||
	    setrlimit(RLIMIT_CPU, &seconds) || chdir("/") ||
	    user_become(library->request->user, &ignored) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) || sigprocmask(SIG_SETMASK, &none, NULL))
		_exit(126);
	execvpe(argv[0], argv, envp);
	_exit(127);
}

static char *read_all(int fd, struct error *err)
{
	struct pollfd wait_ = { .fd = fd, .events = POLLIN };
	time_t end = time(NULL) + SECONDS;
	size_t len = 0, room = 65536;
	char *text = malloc(room), *more;
	ssize_t got = 1;

	while (text && got > 0 && len < OUTPUT_MAX && time(NULL) < end) {
		if (poll(&wait_, 1, 1000) != 1)
			continue;
		got = read(fd, text + len, room - len - 1);
		len += got > 0 ? got : 0;
		if (len + 1 < room)
			continue;
		more = realloc(text, room *= 2);
		if (!more)
			break;
		text = more;
	}
	if (text && got == 0) {
		text[len] = '\0';
		return text;
	}
	free(text);
	error_set(err, ETIMEDOUT, "the libraries cannot be compared: loading them takes more than %d seconds, or says too much",
		  SECONDS);
	return NULL;
}

static int check_status(const char *program, int status, struct error *err)
{
	if (!status)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_set(err, ENOENT, "%s cannot be run, which compares libraries of this kind: install it", program);
	if (WIFEXITED(status))
		return error_set(err, ECHILD, "%s failed with status %d while it loaded the libraries", program,
				 WEXITSTATUS(status));
	return error_set(err, ECHILD, "%s was killed by signal %d while it loaded the libraries", program,
			 WTERMSIG(status));
}

static char *run(const struct library *library, const struct task_mounts *mounts,
		 char *const *argv, char *const *envp, struct error *err)
{
	int ends[2], status;
	siginfo_t info;
	char *text;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC)) {
		error_set(err, errno, "no pipe: %s", strerror(errno));
		return NULL;
	}
	pid = spawn_fork(-1, err);
	if (!pid)
		child(library, mounts, argv, envp, ends[1]);
	close(ends[1]);
	text = pid > 0 ? read_all(ends[0], err) : NULL;
	close(ends[0]);
	if (pid < 0)
		return NULL;
	if (!text)
		kill(pid, SIGKILL);
	/* What the library's code may have started, too, before the number of its group is free. */
	waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (text && !check_status(argv[0], status, err))
		return text;
	free(text);
	return NULL;
}

char *library_output(const struct library *library, char *const *argv, char *const *envp,
		     bool merged, struct error *err)
{
	struct task_mounts mounts = {};
	char *text = NULL;

	if (!merged || !mounts_of(library, &mounts, err))
		text = run(library, &mounts, argv, envp, err);
	task_mounts_free(&mounts);
	return text;
}

json_t *library_ask(const struct library *library, char *const *argv, bool merged,
		    struct error *err)
{
	char *envp[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent", "LC_ALL=C.UTF-8",
			 NULL };
	autofree char *text = library_output(library, argv, envp, merged, err);
	json_t *answer = text ? json_read_text(text, strlen(text), 0, NULL) : NULL;
	const char *refused = json_string_value(json_object_get(answer, "refused"));

	if (json_is_object(answer) && !refused)
		return answer;
	if (refused)
		error_set(err, EINVAL, "%.400s", refused);
	else if (text)
		error_set(err, EPROTO, "%s gave no answer about the libraries: they print or end while they are loaded",
			  argv[0]);
	json_decref(answer);
	return NULL;
}
