/* SPDX-License-Identifier: GPL-2.0 */
/* Tasks of an earlier coordinator, which are this one's from now on. */
#ifndef COPPICE_TASK_SURVIVORS_H
#define COPPICE_TASK_SURVIVORS_H

#include <sys/queue.h>

struct coordinator;

struct survivors {
	TAILQ_HEAD(survivor_list, survivor) list;
	int ended;		/* that of the queue, or -1 */
};

/* For shelf_open(); @data is a struct survivors of nothing. */
void survivors_add(const char *name, int fd, void *data);
/* Take them over, or end them: each goes on or is gone when this returns. */
void survivors_keep(struct coordinator *coordinator, struct survivors *survivors);

#endif /* COPPICE_TASK_SURVIVORS_H */
