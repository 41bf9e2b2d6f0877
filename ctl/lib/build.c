// SPDX-License-Identifier: GPL-2.0
/*
 * Building an image.
 *
 * The build's cgroup directory is locked while its controller lives, so that what a
 * killed one left can be told from what is at work.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "build.h"
#include "build_child.h"
#include "cgroup.h"
#include "cleanup.h"
#include "device_grants.h"

/* What exists while a template runs. */
struct site {
	char group[sizeof(CGROUP_BUILD) + IMAGE_NAME_MAX];	/* name of its overrides' group */
	char cgroup[sizeof(CGROUP_PARENT) + sizeof(CGROUP_BUILD) + IMAGE_NAME_MAX + 1];
	int fd;			/* of the cgroup's directory, locked */
	pid_t pid;		/* of the template, or 0 */
	int record;		/* the pipe's end, or -1 */
	int signals;		/* signalfd, or -1 */
};

static int lock_cgroup(struct site *site, const char *name, struct error *err)
{
	site->fd = cgroup_open(site->cgroup, err);
	if (site->fd < 0)
		return -1;
	if (!flock(site->fd, LOCK_EX | LOCK_NB))
		return 0;
	close(site->fd);
	site->fd = -1;
	return error_set(err, EALREADY, "an image %s is being built already: wait for that build, or choose another name",
			 name);
}

/* Once more if one was left by a build whose controller was killed. */
static int take_cgroup(struct site *site, const char *name, struct error *err)
{
	const struct cgroup_limits none = {};
	struct error second;
	bool made;

	do {
		if (cgroup_make(site->cgroup, &none, &made, err))
			return -1;
		if (lock_cgroup(site, name, err)) {
			if (made)
				(void)!cgroup_remove(site->cgroup, &second);
			return -1;
		}
		if (made)
			return 0;
		close(site->fd);
		site->fd = -1;
	} while (!build_prune(site->group, err));
	return -1;
}

static int open_site(const struct build *build, struct site *site, struct error *err)
{
	autoclose int lock = cgroup_lock(err);

	*site = (struct site) { .fd = -1, .record = -1, .signals = -1 };
	snprintf(site->group, sizeof(site->group), CGROUP_BUILD "%s", build->name);
	snprintf(site->cgroup, sizeof(site->cgroup), CGROUP_PARENT "/%s", site->group);
	return lock < 0 ? -1 : take_cgroup(site, build->name, err);
}

static int restrict_devices(const struct build *build, const struct site *site, struct error *err)
{
	char path[PATH_MAX];

	if (!build->grants)
		return 0;
	return cgroup_path(site->cgroup, path, err) ? -1 :
	       device_grants_set(site->group, path, build->grants, err);
}

static int add_overrides(const struct build *build, const struct site *site,
			 struct error *err)
{
	char path[PATH_MAX];

	if (!build->nr_overrides)
		return 0;
	if (cgroup_path(site->cgroup, path, err) || redirect_attach(site->group, path, err))
		return -1;
	return overrides_add(site->group, build->overrides, build->nr_overrides, err);
}

/* All of it, as far as it was made. The first failure is told if there was none before. */
static int close_site(const struct build *build, struct site *site, struct error *err)
{
	autoclose int lock = cgroup_lock(err);
	int ret = 0;

	if (site->pid)
		kill(site->pid, SIGKILL);
	if (build->nr_overrides)
		ret = overrides_forget(site->group, err);
	if (build->grants && !ret)
		ret = device_grants_forget(site->group, err);
	if (site->fd >= 0 && !ret)
		ret = cgroup_destroy(site->cgroup, err);
	if (site->pid)
		waitpid(site->pid, NULL, 0);
	cleanup_close(&site->signals);
	cleanup_close(&site->record);
	cleanup_close(&site->fd);
	return lock < 0 ? -1 : ret;
}

/*
 * The wait for the record.
 */

static int watch_signals(struct site *site, sigset_t *before, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, before);
	site->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (site->signals < 0)
		return error_set(err, errno, "signals cannot be waited for: %s", strerror(errno));
	return 0;
}

/* The template has ended without a record that says more, as one that learns does. */
static int explain_end(const struct build *build, struct site *site, struct error *err)
{
	int status;

	waitpid(site->pid, &status, 0);
	site->pid = 0;
	if (WIFSIGNALED(status))
		return error_set(err, ECHILD, "the template was killed by signal %d (%s) before its checkpoint",
				 WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		return error_set(err, ECHILD, "the template failed with status %d before its checkpoint: its own messages say why",
				 WEXITSTATUS(status));
	if (build->learns)
		return 0;
	return error_set(err, ECHILD, "the template ended without a checkpoint: it has to call coppice_checkpoint(), or to read standard input with --checkpoint-on stdin");
}

static int check_record(struct coppice_record *record, struct error *err)
{
	if (record->magic != COPPICE_RECORD_MAGIC || record->size != sizeof(*record))
		return error_set(err, EPROTO, "the template's libcoppice is of another version: install controller and library together");
	record->reason[sizeof(record->reason) - 1] = '\0';
	if (record->error)
		return error_set(err, record->error, "this process cannot be a template: %s",
				 record->reason);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

#define END_MS	2000	/* from the pipe's end to the process's */

enum { WAIT_RECORD, WAIT_END, WAIT_SIGNAL, NR_WAITS };

static int wait_event(struct pollfd *waits, unsigned int timeout, struct error *err)
{
	int64_t end = now_ms() + timeout * 1000LL, left;
	int ready;

	do {
		left = end - now_ms();
		ready = left > 0 ? poll(waits, NR_WAITS, left > 60000 ? 60000 : left) : 0;
		if (ready < 0 && errno != EINTR)
			return error_set(err, errno, "the template cannot be waited for: %s",
					 strerror(errno));
	} while (ready <= 0 && left > 0);
	if (ready <= 0)
		return error_set(err, ETIMEDOUT, "the template did not reach its checkpoint in %u seconds: find out what it waits for, or raise --timeout",
				 timeout);
	if (waits[WAIT_SIGNAL].revents)
		return error_set(err, EINTR, "the build was interrupted: nothing of it is left");
	return 0;
}

static int wait_record(const struct build *build, struct site *site,
		       struct coppice_record *record, struct error *err)
{
	autoclose int pidfd = syscall(SYS_pidfd_open, site->pid, 0);
	struct pollfd waits[NR_WAITS] = {
		[WAIT_RECORD] = { .fd = site->record, .events = POLLIN },
		[WAIT_END] = { .fd = pidfd, .events = POLLIN },
		[WAIT_SIGNAL] = { .fd = site->signals, .events = POLLIN },
	};

	if (wait_event(waits, build->timeout, err))
		return -1;
	/* A record comes in one piece, and counts also if the template ended after it. */
	if (waits[WAIT_RECORD].revents & POLLIN) {
		if (read(site->record, record, sizeof(*record)) == sizeof(*record))
			return check_record(record, err);
		return error_set(err, EPROTO, "the template's record is cut off: install controller and library together");
	}
	/* The pipe is closed before the process counts as ended. */
	if (poll(&waits[WAIT_END], 1, END_MS) == 1)
		return explain_end(build, site, err);
	return error_set(err, EBADF, "the template closed the descriptor in " COPPICE_ENV_TEMPLATE ", so it cannot tell of its checkpoint: let it keep its descriptors");
}

static int run_template(const struct build *build, struct site *site, struct image *image,
			struct error *err)
{
	struct coppice_record record;

	if (restrict_devices(build, site, err) || add_overrides(build, site, err) ||
	    build_start(build, site->fd, &site->pid, &site->record, err)) {
		site->pid = 0;
		return -1;
	}
	if (wait_record(build, site, &record, err))
		return -1;
	if (build->learns)
		return 0;
	return image_capture(image, site->pid, &record, BUILD_RECORD_FD, err);
}

static void forget_signals(void)
{
	const struct timespec none = {};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	while (sigtimedwait(&set, NULL, &none) > 0)
		;
}

int build_image(const struct build *build, struct image *image, struct error *err)
{
	struct site site;
	struct error second;
	sigset_t before;
	int ret;

	*image = (struct image) {};
	if (open_site(build, &site, err))
		return -1;
	ret = watch_signals(&site, &before, err);
	if (!ret)
		ret = run_template(build, &site, image, err);
	if (close_site(build, &site, ret ? &second : err) && !ret) {
		image_free(image);
		ret = -1;
	}
	/* A signal that was answered by an error is not to kill us before it is printed. */
	if (ret && err->code == EINTR)
		forget_signals();
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ret;
}

/*
 * What a killed controller left.
 */

static void abandoned_cgroup(const char *name, char cgroup[PATH_MAX])
{
	snprintf(cgroup, PATH_MAX, CGROUP_PARENT "/%s", name);
}

bool build_abandoned(const char *cgroup_name)
{
	char cgroup[PATH_MAX];
	struct error ignored;
	autoclose int fd = -1;

	abandoned_cgroup(cgroup_name, cgroup);
	fd = cgroup_open(cgroup, &ignored);
	return fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB);
}

int build_prune(const char *cgroup_name, struct error *err)
{
	char cgroup[PATH_MAX];

	abandoned_cgroup(cgroup_name, cgroup);
	return overrides_forget(cgroup_name, err) || device_grants_forget(cgroup_name, err) ||
	       cgroup_destroy(cgroup, err) ? -1 : 0;
}
