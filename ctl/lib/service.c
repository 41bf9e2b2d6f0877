// SPDX-License-Identifier: GPL-2.0
/* Services, as those see them who want one to run: the supervisor is in service_run.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "cleanup.h"
#include "file.h"
#include "program.h"
#include "service.h"
#include "spawn.h"

#define WAIT_MS		30000
#define PAUSE_MS	20

const struct service *const services[] = { &service_responder, &service_terminator, NULL };

const struct service *service_find(const char *name, struct error *err)
{
	const struct service *const *service;

	for (service = services; *service; service++)
		if (!strcmp((*service)->name, name))
			return *service;
	error_usage(err, "'%.80s' is no service: there are responder and terminator", name);
	return NULL;
}

/* The lock, not the file, says whether the number in it is anybody's. */
pid_t service_pid(const struct service *service, struct error *err)
{
	struct flock lock = { .l_type = F_WRLCK };
	char path[PATH_MAX], text[16] = "";
	autoclose int fd = -1;

	snprintf(path, sizeof(path), SERVICE_DIRECTORY "/%s.lock", service->name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock))
		return error_set(err, errno, "whether the %s runs cannot be told: %s: %s", service->name, path,
				 strerror(errno));
	if (lock.l_type == F_UNLCK || read(fd, text, sizeof(text) - 1) < 0)
		return 0;
	return atoi(text);
}

static void pause_shortly(void)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000 * 1000 };

	nanosleep(&pause, NULL);
}

static bool connects(const struct endpoint *at)
{
	struct sockaddr_storage to;
	socklen_t len = endpoint_sockaddr(at, &to);
	autoclose int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && !connect(fd, (struct sockaddr *)&to, len);
}

static bool becomes(bool listening, const struct endpoint *at)
{
	int left = WAIT_MS / PAUSE_MS;

	while (connects(at) != listening) {
		if (!left--)
			return false;
		pause_shortly();
	}
	return true;
}

bool service_listens(const struct endpoint *at)
{
	return becomes(true, at);
}

bool service_is_silent(const struct endpoint *at)
{
	return becomes(false, at);
}

/*
 * Starting.
 */

/* In the child: all that is left of the controller is its program. */
static void __attribute__((noreturn)) become(const struct service *service)
{
	char *argv[] = { "coppice", "service", "run", (char *)service->name, NULL };
	char *envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL };
	int null = open("/dev/null", O_RDWR), log;
	char path[PATH_MAX];
	sigset_t none;

	snprintf(path, sizeof(path), SERVICE_DIRECTORY "/%s.log", service->name);
	log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	spawn_reset_signals();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setsid() < 0 || null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 ||
	    dup2(log, 2) < 0 || close_range(3, ~0U, 0) || chdir("/"))
		_exit(EXIT_REFUSED);
	execve("/proc/self/exe", argv, envp);
	_exit(EXIT_REFUSED);
}

/* Its last line. */
static void read_log(const struct service *service, char *line, size_t size)
{
	char path[PATH_MAX];
	struct error ignored;
	size_t len = 0;
	autofree char *text = NULL;
	char *last;

	snprintf(path, sizeof(path), SERVICE_DIRECTORY "/%s.log", service->name);
	text = file_read(path, &len, &ignored);
	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	last = text ? strrchr(text, '\n') : NULL;
	snprintf(line, size, "%.200s", last ? last + 1 : len ? text : "it says nothing");
}

static int wait_ready(const struct service *service, pid_t supervisor, struct error *err)
{
	int left = WAIT_MS / PAUSE_MS, status;
	struct endpoint at;
	char line[256];

	for (; left--; pause_shortly()) {
		if (service->listens_at(&at) && connects(&at))
			return 0;
		if (waitpid(supervisor, &status, WNOHANG) == supervisor)
			break;
	}
	read_log(service, line, sizeof(line));
	return error_set(err, EIO, "the %s does not run: %s (" SERVICE_DIRECTORY "/%s.log)",
			 service->name, line, service->name);
}

static int open_cgroup(struct error *err)
{
	const struct cgroup_limits none = {};
	bool made;

	return cgroup_make(SERVICE_CGROUP, &none, &made, err) ? -1 :
		cgroup_open(SERVICE_CGROUP, err);
}

int service_start(const struct service *service, struct error *err)
{
	autoclose int cgroup = -1;
	char path[PATH_MAX];
	pid_t pid = service_pid(service, err);

	if (pid)
		return pid < 0 ? -1 : 0;
	if (program_find(service->program, service->package, path, sizeof(path), err) ||
	    file_make_directory(SERVICE_DIRECTORY, 0755, err))
		return -1;
	cgroup = open_cgroup(err);
	if (cgroup < 0)
		return -1;
	pid = spawn_fork(cgroup, err);
	if (!pid)
		become(service);
	return pid < 0 ? -1 : wait_ready(service, pid, err);
}

/* Where that cannot be told, it is taken to. */
static bool runs(const struct service *service, pid_t pid)
{
	struct error ignored;
	pid_t now = service_pid(service, &ignored);

	return now == pid || now < 0;
}

int service_stop(const struct service *service, struct error *err)
{
	int left = WAIT_MS / PAUSE_MS;
	pid_t pid = service_pid(service, err);

	if (pid <= 0)
		return pid;
	if (kill(pid, SIGTERM) && errno != ESRCH)
		return error_set(err, errno, "the %s cannot be ended: %s", service->name,
				 strerror(errno));
	while (runs(service, pid) && left--)
		pause_shortly();
	if (runs(service, pid))
		return error_set(err, ETIMEDOUT, "the %s (process %d) does not end", service->name,
				 pid);
	return 0;
}

int service_refresh(const struct service *service, struct error *err)
{
	pid_t pid = service_pid(service, err);

	if (!pid)
		return service_start(service, err);
	return pid < 0 ? -1 : service->refresh(pid, err);
}
