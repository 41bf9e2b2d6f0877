/* SPDX-License-Identifier: MIT */
/* What a task does to its own memory: by the module or, without it, by memfd.c. */
#include <errno.h>
#include <stdbool.h>
#include <sys/ioctl.h>

#include <linux/coppice_dev.h>

#include "coppice.h"
#include "state.h"

static bool ready_deferred;

void coppice_ready_default(void)
{
	if (!ready_deferred)
		coppice_ready();
}

__attribute__((visibility("default")))
void coppice_defer_ready(void)
{
	ready_deferred = true;
}

/* The module counts the first call only. */
__attribute__((visibility("default")))
void coppice_ready(void)
{
	if (coppice_task && coppice_task->flags & COPPICE_ARGS_MODULE)
		ioctl(coppice_task->fd, COPPICE_IOC_READY);
}

static int reshare_module(uint64_t *compared, uint64_t *given_back)
{
	struct coppice_reshare args = {};
	int ret = ioctl(coppice_task->fd, COPPICE_IOC_RESHARE, &args);

	*compared = args.compared;
	*given_back = args.given_back;
	return ret;
}

__attribute__((visibility("default")))
int coppice_reshare(uint64_t *compared, uint64_t *given_back)
{
	*compared = *given_back = 0;
	if (!coppice_task) {
		errno = ESRCH;
		return -1;
	}
	if (coppice_task->flags & COPPICE_ARGS_MODULE)
		return reshare_module(compared, given_back);
	return coppice_memfd_reshare(coppice_task->fd, compared, given_back);
}

/* Without the module there is nobody who could take the stack away under our feet. */
__attribute__((visibility("default")))
int coppice_reset(void)
{
	struct coppice_reset args = {};

	if (!coppice_task || !(coppice_task->flags & COPPICE_ARGS_MODULE)) {
		errno = coppice_task ? EOPNOTSUPP : ESRCH;
		return -1;
	}
	return ioctl(coppice_task->fd, COPPICE_IOC_RESET, &args);
}

__attribute__((visibility("default")))
void coppice_idle(void)
{
	uint64_t compared, given_back;

	if (coppice_task && coppice_task->flags & COPPICE_ARGS_RESHARE_IDLE)
		coppice_reshare(&compared, &given_back);
}
