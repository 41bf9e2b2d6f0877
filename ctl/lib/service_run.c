// SPDX-License-Identifier: GPL-2.0
/* The supervisor of a service. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
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
	pid_t companion;	/* or 0 */
	time_t companion_since;
	int companion_socket;	/* or -1 */
	bool ready;		/* to be told something */
	bool changed;		/* and there is something */
	int lock, signals;
	int notify;		/* where the program tells that it is ready, or -1 */
};

static void notify_path(const struct service *service, struct sockaddr_un *address)
{
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), SERVICE_DIRECTORY "/%s.notify",
		 service->name);
}

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

static int open_notify(const struct service *service, struct error *err)
{
	struct sockaddr_un address = {};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	notify_path(service, &address);
	unlink(address.sun_path);
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	error_set(err, errno, "%s cannot be made: %s", address.sun_path, strerror(errno));
	cleanup_close(&fd);
	return -1;
}

/* A program without supervisor would keep the next one from its ports. */
static void __attribute__((noreturn)) become(const struct service *service, char **argv, pid_t parent)
{
	struct sockaddr_un address = {};
	sigset_t none;

	notify_path(service, &address);
	if (service->notifies)
		setenv("NOTIFY_SOCKET", address.sun_path, 1);
	else
		unsetenv("NOTIFY_SOCKET");
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

	supervisor->ready = !supervisor->service->notifies;
	supervisor->changed = false;
	if (supervisor->service->configure(argv + 1, err))
		return -1;
	supervisor->program = fork();
	if (!supervisor->program)
		become(supervisor->service, argv, parent);
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

/* A process of this one's, with which it ends, and whose lock it does not hold; true in that. */
static bool start_child(const struct supervisor *supervisor, pid_t *child)
{
	pid_t parent = getpid();
	sigset_t none;

	*child = fork();
	if (*child)
		return false;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(EXIT_REFUSED);
	close(supervisor->lock);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return true;
}

static time_t uptime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void start_companion(struct supervisor *supervisor)
{
	if (supervisor->companion_socket < 0 || supervisor->companion > 0)
		return;
	supervisor->companion_since = uptime();
	if (start_child(supervisor, &supervisor->companion))
		supervisor->service->companion(supervisor->companion_socket);
}

/* At once, unless it does nothing but end: then with the next look at what may have changed. */
static void reap_companion(struct supervisor *supervisor)
{
	say(supervisor, "the companion ended");
	supervisor->companion = 0;
	if (uptime() - supervisor->companion_since > 1)
		start_companion(supervisor);
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
		if (pid == supervisor->companion)
			reap_companion(supervisor);
		if (pid != supervisor->program)
			continue;
		supervisor->program = 0;
		snprintf(text, sizeof(text), "the program ended with status %#x", status);
		say(supervisor, text);
	}
}

/* One at a time. */
static void start_background(struct supervisor *supervisor)
{
	struct error err = {};

	if (!supervisor->service->background || supervisor->background > 0 ||
	    !start_child(supervisor, &supervisor->background))
		return;
	if (supervisor->service->background(&err))
		say(supervisor, err.text);
	_exit(EXIT_OK);
}

/* What comes before it is ready is told then. */
static void reload(struct supervisor *supervisor)
{
	struct error err;

	supervisor->changed = !supervisor->ready;
	if (!supervisor->program || supervisor->changed)
		return;
	if (supervisor->service->reload(supervisor->program, &err))
		say(supervisor, err.text);
	else
		supervisor->ready = !supervisor->service->notifies;
}

static void take_notice(struct supervisor *supervisor)
{
	char text[512];
	ssize_t len;

	while ((len = recv(supervisor->notify, text, sizeof(text) - 1, 0)) >= 0) {
		text[len] = '\0';
		if (strstr(text, "READY=1"))
			supervisor->ready = true;
	}
	if (supervisor->ready && supervisor->changed)
		reload(supervisor);
}

static void restart(struct supervisor *supervisor)
{
	struct error err;

	if (start(supervisor, &err))
		say(supervisor, err.text);
	supervisor->delay_ms *= 2;
	if (supervisor->delay_ms > DELAY_MAX_MS)
		supervisor->delay_ms = DELAY_MAX_MS;
}

static void renew(struct supervisor *supervisor)
{
	struct error err;
	int changed = supervisor->service->renew(&err);

	supervisor->delay_ms = DELAY_MIN_MS;
	if (changed < 0)
		say(supervisor, err.text);
	else if (changed)
		reload(supervisor);
	start_companion(supervisor);
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
	else if (info.ssi_signo != SIGHUP)
		return false;
	if (info.ssi_signo == SIGHUP) {
		reload(supervisor);
		start_background(supervisor);
	}
	return true;
}

static void supervise(struct supervisor *supervisor)
{
	struct pollfd waits[] = {
		{ .fd = supervisor->signals, .events = POLLIN },
		{ .fd = supervisor->notify, .events = POLLIN },
	};
	int ready;

	do {
		ready = poll(waits, 2, supervisor->program ? RENEW_MS : supervisor->delay_ms);
		if (!ready && supervisor->program)
			renew(supervisor);
		else if (!ready)
			restart(supervisor);
		if (ready > 0 && waits[1].revents)
			take_notice(supervisor);
	} while (ready <= 0 || !waits[0].revents || answer_signal(supervisor));
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
	autoclose int lock = -1, signals = -1, notify = -1, companion = -1;

	if (program_find(service->program, service->package, supervisor.path,
			 sizeof(supervisor.path), err))
		return -1;
	lock = take_lock(service, err);
	notify = lock < 0 ? -1 : open_notify(service, err);
	signals = notify < 0 ? -1 : watch_signals(err);
	if (signals < 0)
		return -1;
	if (service->companion_open) {
		companion = service->companion_open(err);
		if (companion < 0)
			return -1;
	}
	supervisor.companion_socket = companion;
	supervisor.notify = notify;
	supervisor.lock = lock;
	supervisor.signals = signals;
	/* What is wrong at once is for who started it; later failures are tried again. */
	if (start(&supervisor, err))
		return -1;
	start_companion(&supervisor);
	start_background(&supervisor);
	supervise(&supervisor);
	end(&supervisor);
	return EXIT_OK;
}
