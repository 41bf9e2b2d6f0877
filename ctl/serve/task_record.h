/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the next coordinator has to know of a task and the kernel does not tell: in memory that is
 * on the shelf with the task's descriptors, so that noting it costs nothing and kill -9 loses nothing.
 */
#ifndef COPPICE_TASK_RECORD_H
#define COPPICE_TASK_RECORD_H

#include <time.h>

#include "lib/grants.h"
#include "task.h"

/* Of the name under which a task's connection is on the shelf, behind the task's. */
#define TASK_CONNECTION_SUFFIX	".next"

/* Of this meaning of the fields. */
#define TASK_RECORD_VERSION	1

struct task_record {
	uint32_t version, size;
	char function[IMAGE_NAME_MAX + 1];
	char group[IMAGE_NAME_MAX + 1];
	char cgroup[TASK_CGROUP_SIZE];
	struct timespec stamp;	/* of the manifest that it was started by */
	struct grants_stamp grants;
	pid_t pid;
	uint32_t state;		/* enum task_state */
	uint64_t since;
	/* A message to it or from it is under way: nobody else can go on with that. */
	bool unsettled;
	char request[REQUEST_ID_SIZE];	/* of the event, while it is busy */
	uint64_t begun;
	uint64_t connection;	/* the inode of that on which it asked for an event; 0: none */
};

/* Begin it, and put the task on the shelf. */
void task_record_begin(struct task *task);
/* Map that of descriptor @fd, which stays the caller's; NULL if it is none of this version. */
struct task_record *task_record_map(int fd);
void task_record_unmap(struct task_record *record);
/* Put the task there again: who held it has ended. */
void task_record_put(struct task *task);
/* Put the connection on which it asks for an event there, too; -1: it does not ask any more. */
void task_record_ask(struct task *task, int fd);
/* Take the task off the shelf. */
void task_record_end(struct task *task);

/* What has changed. */
void task_record_note(struct task *task);
void task_record_unsettle(struct task *task, bool unsettled);

#endif /* COPPICE_TASK_RECORD_H */
