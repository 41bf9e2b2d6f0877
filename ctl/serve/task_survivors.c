// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks of an earlier coordinator. Their descriptors and records are on the shelf; whether there
 * is such a task, and of which group, is asked of the kernel. What is not as it should be is ended:
 * an asynchronous event is then run again, as it is still on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "log.h"
#include "task_parts.h"
#include "task_record.h"
#include "task_survivors.h"

struct survivor {
	char name[SHELF_NAME_SIZE];
	unsigned long long number;
	int record_fd, exit, output, channel, endpoint, connection;	/* -1: it has none */
	struct task_record *record;
	TAILQ_ENTRY(survivor) link;
};

/*
 * What is on the shelf.
 */

static struct survivor *find(struct survivors *survivors, const char *name)
{
	unsigned long long number = strtoull(name + strlen(SHELF_PREFIX), NULL, 10);
	struct survivor *survivor;

	TAILQ_FOREACH(survivor, &survivors->list, link)
		if (survivor->number == number)
			return survivor;
	survivor = calloc(1, sizeof(*survivor));
	if (!survivor)
		return NULL;
	snprintf(survivor->name, sizeof(survivor->name), SHELF_PREFIX "%llu", number);
	survivor->number = number;
	survivor->record_fd = survivor->exit = survivor->output = -1;
	survivor->channel = survivor->endpoint = survivor->connection = -1;
	TAILQ_INSERT_TAIL(&survivors->list, survivor, link);
	return survivor;
}

/* Descriptors of one name have no order, but no two of a kind. */
static int *place_of(struct survivor *survivor, const char *name, int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);
	struct stat stat_;

	if (strcmp(name, survivor->name))
		return &survivor->connection;
	if (!getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len))
		return listens ? &survivor->endpoint : &survivor->channel;
	if (fcntl(fd, F_GET_SEALS) >= 0)
		return &survivor->record_fd;
	if (!fstat(fd, &stat_) && S_ISFIFO(stat_.st_mode))
		return &survivor->output;
	return &survivor->exit;
}

static int *place_for(struct survivors *survivors, const char *name, int fd)
{
	struct survivor *survivor;

	if (!strcmp(name, ENDED_NAME))
		return &survivors->ended;
	survivor = find(survivors, name);
	return survivor ? place_of(survivor, name, fd) : NULL;
}

void survivors_add(const char *name, int fd, void *data)
{
	int *place = place_for(data, name, fd);

	if (place && *place < 0)
		*place = fd;
	else
		close(fd);
}

/*
 * What the kernel has.
 */

static int is_pid(const struct task_info *info, void *data)
{
	return info->pid == *(const pid_t *)data;
}

static bool is_in_cgroup(const struct task_record *record)
{
	autofree pid_t *pids = NULL;
	struct error ignored;
	size_t nr, i;

	if (cgroup_pids(record->cgroup, &pids, &nr, &ignored))
		return false;
	for (i = 0; i < nr; i++)
		if (pids[i] == record->pid)
			return true;
	return false;
}

/* One that starts may not have entered its image yet. One that has ended may have answered before. */
static bool is_task(const struct pool *pool, const struct survivor *survivor)
{
	struct pollfd process = { .fd = survivor->exit, .events = POLLIN };
	struct task_record *record = survivor->record;
	struct error ignored;

	if (poll(&process, 1, 0) == 1)
		return true;
	if (!is_in_cgroup(record))
		return false;
	return record->state == TASK_STARTING || pool->function.mode != FUNCTION_IMAGE ||
	       pool->coordinator->backend->task_each(record->group, is_pid, &record->pid,
						     &ignored) == 1;
}

/*
 * Those that stay.
 */

/* Whoever asked has gone with the last coordinator. */
static void ended_unasked(struct request *request, struct outcome *outcome)
{
	(void)outcome;
	log_event(LOG_INFO, "invoke", "function", request->pool->function.name, "request",
		  request->id, "type", "RequestResponse", "status", "unasked", NULL);
	request_free(request);
}

static struct request *request_of(struct pool *pool, const struct task_record *record)
{
	struct request *request = queue_claim(&pool->coordinator->queue, pool, record->request);

	if (!request) {
		request = request_new(NULL, 0);
		if (!request)
			return NULL;
		snprintf(request->id, sizeof(request->id), "%s", record->request);
		request->ended = ended_unasked;
	}
	request->pool = pool;
	request->begun = record->begun;
	return request;
}

static bool same_start(const struct pool *pool, const struct task_record *record)
{
	return !memcmp(&pool->stamp.time, &record->stamp, sizeof(record->stamp)) &&
	       !memcmp(&pool->grants, &record->grants, sizeof(record->grants)) &&
	       !strcmp(pool->group, record->group);
}

/* NULL, or why it can't go on. */
static const char *objection(struct coordinator *coordinator, struct survivor *survivor,
			     struct pool **pool)
{
	struct task_record *record = survivor->record;
	struct error err;

	if (!record || survivor->exit < 0 || survivor->output < 0 ||
	    (survivor->channel < 0) == (survivor->endpoint < 0))
		return "it is of another version, or not whole";
	if (record->state == TASK_ENDING)
		return "it was being ended";
	if (record->unsettled)
		return "a message was under way";
	*pool = pool_find(coordinator, record->function, &err);
	if (!*pool)
		return "the function is gone";
	if (!is_task(*pool, survivor))
		return "the kernel has no such task";
	if (record->state != TASK_BUSY && !same_start(*pool, record))
		return "the function was changed";
	return NULL;
}

static int open_endpoint(struct task *task, struct survivor *survivor, struct error *err)
{
	int endpoint = survivor->endpoint, connection = survivor->connection;
	struct stat stat_ = {};

	survivor->endpoint = survivor->connection = -1;
	if (connection >= 0 && !fstat(connection, &stat_))
		task->connection = stat_.st_ino;
	return runtime_api_take_over(task, endpoint, connection,
				     task->record->connection == task->connection, err);
}

/* What it has becomes the task's, closed with it. */
static int open_parts(struct task *task, struct survivor *survivor, struct error *err)
{
	task->record = survivor->record;
	task->record_fd = survivor->record_fd;
	survivor->record = NULL;
	survivor->record_fd = -1;
	if (loop_watch(task_loop(task), &task->exit, survivor->exit, EPOLLIN, err))
		return -1;
	survivor->exit = -1;
	if (task_output_open(task, survivor->output, err))
		return -1;
	survivor->output = -1;
	if (survivor->endpoint >= 0)
		return open_endpoint(task, survivor, err);
	if (channel_open(&task->channel, task_loop(task), survivor->channel, err))
		return -1;
	survivor->channel = -1;
	return 0;
}

/* The latest first: see pool_idle(). */
static void put_in(struct task *task)
{
	struct tasks *tasks = &task->pool->tasks;
	struct task *after;

	TAILQ_FOREACH(after, tasks, link)
		if (after->since <= task->since)
			break;
	if (after)
		TAILQ_INSERT_BEFORE(after, task, link);
	else
		TAILQ_INSERT_TAIL(tasks, task, link);
}

static int take_over(struct pool *pool, struct survivor *survivor, struct error *err)
{
	const struct task_record *record = survivor->record;
	struct task *task = malloc(sizeof(*task));

	if (!task)
		return error_set(err, ENOMEM, "out of memory");
	task_init(task, pool);
	task->pid = record->pid;
	task->number = survivor->number;
	task->outdated = !same_start(pool, record);
	task->since = record->since;
	snprintf(task->cgroup, sizeof(task->cgroup), "%s", record->cgroup);
	if (open_parts(task, survivor, err)) {
		task_undo(task);
		return -1;
	}
	if (record->state == TASK_BUSY) {
		task->request = request_of(pool, record);
		if (!task->request) {
			task_undo(task);
			return error_set(err, ENOMEM, "out of memory");
		}
	}
	put_in(task);
	task_resume(task, record->state);
	return 0;
}

/*
 * Those that don't.
 */

static void end_survivor(struct coordinator *coordinator, struct survivor *survivor,
			 const char *reason)
{
	const struct task_record *record = survivor->record;
	char name[SHELF_NAME_SIZE + 8];
	struct error err;

	log_event(LOG_NOTICE, "task-not-kept", "task", survivor->name, "function",
		  record ? record->function : NULL, "reason", reason, NULL);
	if (survivor->exit >= 0)
		(void)!pidfd_send_signal(survivor->exit, SIGKILL, NULL, 0);
	if (record && record->cgroup[0] && cgroup_destroy(record->cgroup, &err))
		log_event(LOG_ERR, "stray-stays", "cgroup", record->cgroup, "reason", err.text, NULL);
	snprintf(name, sizeof(name), "%s" TASK_CONNECTION_SUFFIX, survivor->name);
	shelf_drop(&coordinator->shelf, name);
	shelf_drop(&coordinator->shelf, survivor->name);
}

static void free_survivor(struct survivor *survivor)
{
	cleanup_close(&survivor->exit);
	cleanup_close(&survivor->output);
	cleanup_close(&survivor->channel);
	cleanup_close(&survivor->endpoint);
	cleanup_close(&survivor->connection);
	if (survivor->record)
		task_record_unmap(survivor->record);
	cleanup_close(&survivor->record_fd);
	free(survivor);
}

static bool keep(struct coordinator *coordinator, struct survivor *survivor)
{
	struct pool *pool = NULL;
	const char *reason;
	struct error err;

	if (survivor->record_fd >= 0)
		survivor->record = task_record_map(survivor->record_fd);
	reason = objection(coordinator, survivor, &pool);
	if (!reason && take_over(pool, survivor, &err))
		reason = err.text;
	if (reason)
		end_survivor(coordinator, survivor, reason);
	return !reason;
}

void survivors_keep(struct coordinator *coordinator, struct survivors *survivors)
{
	unsigned int kept = 0, nr = 0;
	struct survivor *survivor;
	char texts[2][16];

	while ((survivor = TAILQ_FIRST(&survivors->list))) {
		TAILQ_REMOVE(&survivors->list, survivor, link);
		if (coordinator->tasks <= survivor->number)
			coordinator->tasks = survivor->number + 1;
		nr++;
		kept += keep(coordinator, survivor);
		free_survivor(survivor);
	}
	if (!nr)
		return;
	snprintf(texts[0], sizeof(texts[0]), "%u", kept);
	snprintf(texts[1], sizeof(texts[1]), "%u", nr - kept);
	log_event(LOG_NOTICE, "tasks-kept", "kept", texts[0], "ended", texts[1], NULL);
}
