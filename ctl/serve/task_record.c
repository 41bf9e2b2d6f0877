// SPDX-License-Identifier: GPL-2.0
/* What the next coordinator has to know of a task. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "task_parts.h"
#include "task_record.h"

static struct shelf *shelf_of(const struct task *task)
{
	return &task->pool->coordinator->shelf;
}

static void name_of(const struct task *task, const char *suffix, char name[SHELF_NAME_SIZE])
{
	snprintf(name, SHELF_NAME_SIZE, SHELF_PREFIX "%llu%s", (unsigned long long)task->number,
		 suffix);
}

struct task_record *task_record_map(int fd)
{
	struct task_record *record = shelf_map(fd, sizeof(*record));

	if (!record)
		return NULL;
	if (record->version == TASK_RECORD_VERSION && record->size == sizeof(*record))
		return record;
	task_record_unmap(record);
	return NULL;
}

void task_record_unmap(struct task_record *record)
{
	munmap(record, sizeof(*record));
}

static int make(void)
{
	const struct task_record record = {
		.version = TASK_RECORD_VERSION, .size = sizeof(record), .state = TASK_ENDING,
	};
	int fd = memfd_create("coppice-task", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, &record, sizeof(record)) == sizeof(record))
		return fd;
	cleanup_close(&fd);
	return -1;
}

static void fill(const struct task *task)
{
	const struct pool *pool = task->pool;
	struct task_record *record = task->record;

	snprintf(record->function, sizeof(record->function), "%s", pool->function.name);
	snprintf(record->group, sizeof(record->group), "%s", pool->group);
	snprintf(record->cgroup, sizeof(record->cgroup), "%s", task->cgroup);
	record->stamp = pool->stamp.time;
	record->grants = pool->grants;
	record->pid = task->pid;
}

static void drop_connection(struct task *task)
{
	char name[SHELF_NAME_SIZE];

	if (!task->connection)
		return;
	name_of(task, TASK_CONNECTION_SUFFIX, name);
	shelf_drop(shelf_of(task), name);
	task->connection = 0;
}

/* A client that keeps its connection has it there already, one that doesn't has a new one each time. */
void task_record_ask(struct task *task, int fd)
{
	char name[SHELF_NAME_SIZE];
	struct stat stat_ = {};

	if (!task->record)
		return;
	if (fd >= 0 && !fstat(fd, &stat_) && stat_.st_ino != task->connection) {
		drop_connection(task);
		name_of(task, TASK_CONNECTION_SUFFIX, name);
		(void)shelf_put(shelf_of(task), name, &fd, 1);
		task->connection = stat_.st_ino;
	}
	task->record->connection = stat_.st_ino;
}

void task_record_put(struct task *task)
{
	bool by_endpoint = task->channel.watch.fd < 0;
	const int fds[] = {
		task->record_fd, task->exit.fd, task->output.fd,
		by_endpoint ? task->endpoint.watch.fd : task->channel.watch.fd,
	};
	char name[SHELF_NAME_SIZE];

	if (!task->record)
		return;
	name_of(task, "", name);
	(void)shelf_put(shelf_of(task), name, fds, sizeof(fds) / sizeof(fds[0]));
	task->connection = 0;
	if (task->next || task->asked.watch.fd >= 0)
		task_record_ask(task, task->next ? task->next->connection->fd : task->asked.watch.fd);
}

/*
 * What ends by its status, which the next coordinator is not told, has to end with this one. A
 * spare does so, too: nothing says yet whose it is.
 */
void task_record_begin(struct task *task)
{
	if (task->channel.plain || task->spare || shelf_of(task)->fd < 0)
		return;
	task->record_fd = make();
	task->record = task_record_map(task->record_fd);
	if (!task->record)
		return;
	fill(task);
	task_record_put(task);
}

void task_record_end(struct task *task)
{
	char name[SHELF_NAME_SIZE];

	if (task->record) {
		task->record->state = TASK_ENDING;
		drop_connection(task);
		name_of(task, "", name);
		shelf_drop(shelf_of(task), name);
		task_record_unmap(task->record);
		task->record = NULL;
	}
	cleanup_close(&task->record_fd);
	task->record_fd = -1;
}

/* The state comes last: it says what the rest means. */
void task_record_note(struct task *task)
{
	struct task_record *record = task->record;

	if (!record)
		return;
	if (task->request) {
		memcpy(record->request, task->request->id, sizeof(record->request));
		record->begun = task->request->begun;
	}
	record->since = task->since;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	record->state = task->state;
}

void task_record_unsettle(struct task *task, bool unsettled)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (task->record)
		task->record->unsettled = unsettled;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
