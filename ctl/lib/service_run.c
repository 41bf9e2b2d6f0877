// SPDX-License-Identifier: GPL-2.0
/* The supervisor of a service. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "program.h"
#include "service.h"

#define RENEW_MS	30000	/* from one look at what may have changed to the next */
#define DELAY_MIN_MS	100	/* before a program that has ended is started again */
#define DELAY_MAX_MS	10000

struct supervisor {
	const struct service *service;
	char path[128];		/* of the program */
	pid_t program;		/* or 0: it is to be started in delay_ms */
	int delay_ms;
	pid_t background;	/* or 0 */
	int lock, signals;
};

static int take_lock(const struct service *service, struct error *err)
{
	struct flock lock = { .l_type = F_WRLCK };
	char path[PATH_MAX];
	int fd;

	if (file_make_directory(SERVICE_DIRECTORY, 0755, err))
		return -1;
	snprintf(path, sizeof(path), SERVICE_DIRECTORY "/%s.lock", service->name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && !fcntl(fd, F_OFD_SETLK, &lock) && !ftruncate(fd, 0) &&
	    dprintf(fd, "%d\n", getpid()) > 0)
		return fd;
	if (errno == EAGAIN || errno == EACCES)
		error_set(err, EBUSY, "the %s has a supervisor already: stop it first",
			  service->name);
	else
		error_set(err, errno, "%s cannot be locked: %s", path, strerror(errno));
	cleanup_close(&fd);
	return -1;
}

static int watch_signals(struct error *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd >= 0 ? fd : error_set(err, errno, "signals cannot be waited for: %s",
					strerror(errno));
}

/* A program without supervisor would keep the next one from its ports. */
static void __attribute__((noreturn)) become(char **argv, pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!prctl(PR_SET_PDEATHSIG, SIGKILL) && getppid() == parent)
		execv(argv[0], argv);
	_exit(EXIT_REFUSED);
}

static int start(struct supervisor *supervisor, struct error *err)
{
	char *argv[SERVICE_WORDS + 2] = { supervisor->path };
	pid_t parent = getpid();

	if (supervisor->service->configure(argv + 1, err))
		return -1;
	supervisor->program = fork();
	if (!supervisor->program)
		become(argv, parent);
	if (supervisor->program < 0) {
		supervisor->program = 0;
		return error_set(err, errno, "no process for %s: %s", supervisor->path,
				 strerror(errno));
	}
	return 0;
}

static void say(const struct supervisor *supervisor, const char *text)
{
	fprintf(stderr, "coppice: %s: %s\n", supervisor->service->name, text);
}

/* Started again ever more slowly, until it has lived for a while. */
static void reap(struct supervisor *supervisor)
{
	char text[64];
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == supervisor->background)
			supervisor->background = 0;
		if (pid != supervisor->program)
			continue;
		supervisor->program = 0;
		snprintf(text, sizeof(text), "the program ended with status %#x", status);
		say(supervisor, text);
	}
}

/* One at a time. It ends with the supervisor, whose lock it does not hold. */
static void start_background(struct supervisor *supervisor)
{
	struct error err = {};
	pid_t parent = getpid();

	if (!supervisor->service->background || supervisor->background)
		return;
	supervisor->background = fork();
	if (supervisor->background)
		return;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(EXIT_REFUSED);
	close(supervisor->lock);
	if (supervisor->service->background(&err))
		say(supervisor, err.text);
	_exit(EXIT_OK);
}

static void attend(struct supervisor *supervisor)
{
	struct error err = {};
	int failed = 0;

	if (!supervisor->program) {
		failed = start(supervisor, &err);
		supervisor->delay_ms *= 2;
		if (supervisor->delay_ms > DELAY_MAX_MS)
			supervisor->delay_ms = DELAY_MAX_MS;
	} else {
		supervisor->delay_ms = DELAY_MIN_MS;
		failed = supervisor->service->renew(supervisor->program, &err);
		start_background(supervisor);
	}
	if (failed)
		say(supervisor, err.text);
}

static void reload(struct supervisor *supervisor)
{
	struct error err;

	if (supervisor->program && supervisor->service->reload(supervisor->program, &err))
		say(supervisor, err.text);
	start_background(supervisor);
}

/* Returns false once it is to end. */
static bool answer_signal(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	if (read(supervisor->signals, &info, sizeof(info)) != sizeof(info))
		return true;
	if (info.ssi_signo == SIGCHLD)
		reap(supervisor);
	else if (info.ssi_signo == SIGHUP)
		reload(supervisor);
	else
		return false;
	return true;
}

static void supervise(struct supervisor *supervisor)
{
	struct pollfd wait = { .fd = supervisor->signals, .events = POLLIN };
	int ready;

	do {
		ready = poll(&wait, 1, supervisor->program ? RENEW_MS : supervisor->delay_ms);
		if (!ready)
			attend(supervisor);
	} while (ready <= 0 || answer_signal(supervisor));
}

static void end(const struct supervisor *supervisor)
{
	int status;

	if (!supervisor->program)
		return;
	kill(supervisor->program, SIGTERM);
	waitpid(supervisor->program, &status, 0);
}

int service_run(const struct service *service, struct error *err)
{
	struct supervisor supervisor = { .service = service, .delay_ms = DELAY_MIN_MS };
	autoclose int lock = -1, signals = -1;

	if (program_find(service->program, service->package, supervisor.path,
			 sizeof(supervisor.path), err))
		return -1;
	lock = take_lock(service, err);
	signals = lock < 0 ? -1 : watch_signals(err);
	if (signals < 0)
		return -1;
	supervisor.lock = lock;
	supervisor.signals = signals;
	/* What is wrong at once is for who started it; later failures are tried again. */
	if (start(&supervisor, err))
		return -1;
	start_background(&supervisor);
	supervise(&supervisor);
	end(&supervisor);
	return EXIT_OK;
}
