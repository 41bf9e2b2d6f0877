// SPDX-License-Identifier: GPL-2.0
/*
 * How the controller learns that a task has entered its image.
 *
 * A pipe that closes on exec does not tell: entering closes nothing. But it replaces all
 * memory, so the child has a memfd mapped, shared and writable: as long as it is
 * mapped, the kernel refuses to seal the file against writing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "spawn.h"

#define PAUSE_MAX_NS	(5 * 1000 * 1000)
#define SLOT_SIZE	4096UL

_Static_assert(sizeof(struct error) <= SLOT_SIZE, "an error fits a slot");

static struct error *shared;	/* of the child that is being forked, or this one */

int report_open(struct report *report, unsigned int slots, struct error *err)
{
	report->slot = 0;
	report->fd = memfd_create("coppice-report", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (report->fd >= 0 && !ftruncate(report->fd, slots * SLOT_SIZE))
		return 0;
	error_set(err, errno, "no memory for a report: %s", strerror(errno));
	report_close(report);
	return -1;
}

void report_close(struct report *report)
{
	if (report->fd >= 0)
		close(report->fd);
	report->fd = -1;
}

int report_attach(const struct report *report, struct error *err)
{
	shared = mmap(NULL, SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, report->fd,
		      report->slot * SLOT_SIZE);
	if (shared != MAP_FAILED)
		return 0;
	shared = NULL;
	return error_set(err, errno, "no memory for a report: %s", strerror(errno));
}

void report_detach(void)
{
	munmap(shared, SLOT_SIZE);
	shared = NULL;
}

void report_fail(const struct error *err)
{
	*shared = *err;
	_exit(EXIT_RUN);
}

bool report_failed(const struct report *report, struct error *err)
{
	struct error found;

	if (pread(report->fd, &found, sizeof(found), report->slot * SLOT_SIZE) != sizeof(found) ||
	    !found.text[0])
		return false;
	*err = found;
	err->text[sizeof(err->text) - 1] = '\0';
	return true;
}

static bool replaced(const struct report *report)
{
	return !fcntl(report->fd, F_ADD_SEALS, F_SEAL_WRITE);
}

/* Ended, but not reaped. */
static bool ended(pid_t pid)
{
	siginfo_t info = {};

	return !waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid == pid;
}

int report_wait(const struct report *report, pid_t pid, struct error *err)
{
	struct timespec pause = { .tv_nsec = 50 * 1000 };

	while (!ended(pid) && !replaced(report)) {
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < PAUSE_MAX_NS)
			pause.tv_nsec *= 2;
	}
	/* The memory also goes with a child that fails, after it has stored why. */
	if (!report_failed(report, err))
		return 0;
	waitpid(pid, NULL, 0);
	return -1;
}
