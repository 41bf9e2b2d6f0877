// SPDX-License-Identifier: GPL-2.0
/*
 * One process that handles events. Its states:
 *
 *	STARTING -> IDLE -> BUSY -> TIDYING -> IDLE …, and ENDING from each of them.
 *
 * Whatever happens, a request that a task has ends exactly once: by its answer, at its
 * deadline, or when the process is gone.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"
#include "spare.h"
#include "task_parts.h"
#include "task_record.h"
#include "waiting.h"

#define TIDY_NS		(10 * NS_PER_S)	/* to be ready for the next event */
#define REMOVE_NS	(5 * NS_PER_MS)	/* from one try to remove the cgroup to the next */

struct loop *task_loop(const struct task *task)
{
	return &task->pool->coordinator->loop;
}

static void count(struct task *task, int by)
{
	struct pool *pool = task->pool;

	if (task->spare) {
		pool->nr_spares += task->state != TASK_ENDING ? by : 0;
		pool->nr_idle_spares += task->state == TASK_IDLE ? by : 0;
		return;
	}
	pool->nr_starting += task->state == TASK_STARTING ? by : 0;
	pool->nr_idle += task->state == TASK_IDLE ? by : 0;
	pool->nr_tasks += task->state != TASK_ENDING ? by : 0;
}

void task_enter(struct task *task, enum task_state state, uint64_t limit_ns)
{
	count(task, -1);
	task->state = state;
	count(task, 1);
	task->since = loop_now();
	loop_cancel(task_loop(task), &task->timer);
	if (limit_ns)
		loop_at(task_loop(task), &task->timer, task->since + limit_ns);
	task_record_note(task);
}

void task_move(struct task *task, struct pool *pool)
{
	count(task, -1);
	TAILQ_REMOVE(&task->pool->tasks, task, link);
	task->pool = pool;
	task->spare = false;
	TAILQ_INSERT_HEAD(&pool->tasks, task, link);
	count(task, 1);
	task_record_begin(task);
	task_record_note(task);
}

/*
 * The end.
 */

static void release(struct task *task)
{
	struct loop *loop = task_loop(task);

	task_record_end(task);
	channel_close(&task->channel, loop);
	runtime_api_close(task);
	task_output_close(task);
	report_close(&task->report);
}

static void forget_spent(struct task *task)
{
	if (task->spent)
		TAILQ_REMOVE(&task->pool->coordinator->spent, task, spent_link);
	task->spent = NULL;
}

static void remove_task(struct task *task)
{
	struct pool *pool = task->pool;

	if (!task_cgroup_remove(task)) {
		task_cgroup_kill(task);
		loop_at(task_loop(task), &task->timer, loop_now() + REMOVE_NS);
		return;
	}
	loop_unwatch(task_loop(task), &task->exit);
	loop_cancel(task_loop(task), &task->timer);
	TAILQ_REMOVE(&pool->tasks, task, link);
	pool->coordinator->changed = true;
	memory_forget();
	free(task);
}

static void end_request(struct task *task, struct outcome *outcome)
{
	struct request *request = task->request;

	/* Its answer is not to be waited for again. */
	if (task->record)
		task->record->state = TASK_TIDYING;
	task->request = NULL;
	outcome->log = task->tail;
	outcome->log_len = task->tail_len;
	request->ended(request, outcome);
	free(outcome->body);
}

/* What the cloud says at the end of each event. */
static void print_report(struct task *task, uint64_t duration)
{
	const char *id = task->request->id;

	task_print(task, "END RequestId: %s\n", id);
	task_print(task, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %llu ms\tMemory Size: %u MB\n",
		   id, (double)duration / NS_PER_MS,
		   (unsigned long long)((duration + NS_PER_MS - 1) / NS_PER_MS),
		   task->pool->function.memory);
}

static void finish(struct task *task, struct outcome *outcome)
{
	uint64_t duration = loop_now() - task->request->begun;
	struct pool *pool = task->pool;

	pool_measure(pool, duration);
	pool->errors += outcome->kind == OUTCOME_ERROR;
	pool->crashes += outcome->kind == OUTCOME_CRASH;
	print_report(task, duration);
	end_request(task, outcome);
}

static void crash(struct task *task)
{
	struct outcome outcome = {};
	const char *id = task->request->id;

	if (task->killed_for)
		outcome_error(&outcome, "Runtime.ExitError", "RequestId: %s Error: Runtime was ended: %s",
			      id, task->killed_for);
	else if (task->status < 0)
		outcome_error(&outcome, "Runtime.ExitError", "RequestId: %s Error: Runtime exited without providing a reason",
			      id);
	else if (WIFSIGNALED(task->status))
		outcome_error(&outcome, "Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: signal: %s",
			      id, sigdescr_np(WTERMSIG(task->status)));
	else
		outcome_error(&outcome, "Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: exit status %d",
			      id, WEXITSTATUS(task->status));
	finish(task, &outcome);
}

void task_end(struct task *task, const char *reason)
{
	if (task->state == TASK_ENDING)
		return;
	forget_spent(task);
	task->killed_for = reason;
	if (task->request)
		crash(task);
	task_enter(task, TASK_ENDING, 0);
	release(task);
	task_cgroup_kill(task);
	if (task->exited)
		remove_task(task);
}

/* After its answer has been sent. Another coordinator is to take it for ended from now on. */
static void end_soon(struct task *task, const char *reason)
{
	task_enter(task, TASK_TIDYING, TIDY_NS);
	if (task->record)
		task->record->state = TASK_ENDING;
	task->outdated = true;
	task->spent = reason;
	TAILQ_INSERT_TAIL(&task->pool->coordinator->spent, task, spent_link);
}

void task_end_spent(struct coordinator *coordinator)
{
	struct task *task;

	while ((task = TAILQ_FIRST(&coordinator->spent)))
		task_end(task, task->spent);
}

void task_interrupt(struct task *task)
{
	struct outcome outcome = { .kind = OUTCOME_UNAVAILABLE, .reason = "the coordinator is ending" };

	if (task->request)
		end_request(task, &outcome);
	task_end(task, "the coordinator ends");
}

void task_misbehaved(struct task *task, const char *what)
{
	log_event(LOG_WARNING, "task-misbehaved", "function", task->pool->function.name,
		  "request", task->request ? task->request->id : NULL, "reason", what, NULL);
	task_end(task, what);
}

static void say_end(const struct task *task, struct error *err)
{
	char how[32] = "";

	if (task->status >= 0)
		snprintf(how, sizeof(how), " with %s %d", WIFSIGNALED(task->status) ? "signal" : "status",
			 WIFSIGNALED(task->status) ? WTERMSIG(task->status) : WEXITSTATUS(task->status));
	error_set(err, 0, "the function's task ended%s before it asked for an event: see "
		  FUNCTION_LOG_DIRECTORY "/%s.log", how, task->pool->function.name);
}

/* It ended before it could take an event. Whoever waits has waited for it. */
static void start_failed(struct task *task)
{
	struct error err;

	if (!report_failed(&task->report, &err))
		say_end(task, &err);
	log_event(LOG_ERR, "start-failed", "function", task->pool->function.name, "reason",
		  err.text, NULL);
	pool_rest(task->pool);
	if (!task->spare)
		waiting_fail(task->pool, err.text);
}

/* False if it has not ended. The child of an earlier coordinator is reaped by others, who learn how it ended. */
static bool reap(struct task *task)
{
	siginfo_t info = {};

	if (waitid(P_PIDFD, task->exit.fd, &info, WEXITED | WNOHANG)) {
		task->status = -1;
		return errno == ECHILD;
	}
	task->status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status;
	return info.si_pid;
}

static void on_exit_(struct watch *watch, uint32_t events)
{
	struct task *task = container_of(watch, struct task, exit);

	(void)events;
	if (!reap(task))
		return;
	loop_change(task_loop(task), watch, 0);
	if (task->state != TASK_ENDING) {
		/* What it said last counts. */
		task_output_drain(task);
		if (task->channel.watch.fd >= 0)
			(void)channel_receive(task);
	}
	if (task->state == TASK_STARTING || (task->state == TASK_IDLE && task->channel.plain))
		start_failed(task);
	else if (task->state == TASK_BUSY && task->channel.plain && !task->status)
		channel_finish(task);
	/* Whoever ends a task that waits, to delete its group, wants no other in its place. */
	else if (task->state == TASK_IDLE)
		pool_rest(task->pool);
	task_end(task, NULL);
	task->exited = true;
	remove_task(task);
}

/*
 * Events.
 */

static void time_out(struct task *task)
{
	unsigned int seconds = task->pool->function.timeout;
	struct outcome outcome = {};

	task->pool->timeouts++;
	outcome_error(&outcome, "Sandbox.Timedout", "RequestId: %s Error: Task timed out after %u.00 seconds",
		      task->request->id, seconds);
	task_output_drain(task);
	task_print(task, "%s Task timed out after %u.00 seconds\n\n", task->request->id, seconds);
	finish(task, &outcome);
	task_end(task, "it timed out");
}

static void on_timer(struct timer *timer)
{
	struct task *task = container_of(timer, struct task, timer);

	switch (task->state) {
	case TASK_BUSY:
		time_out(task);
		break;
	case TASK_ENDING:
		remove_task(task);
		break;
	case TASK_STARTING:
		if (!task->spare)
			waiting_fail(task->pool, "the function's task did not ask for an event in time");
		task_end(task, "it did not get as far as to ask for an event");
		break;
	default:
		task_end(task, "it was not ready for the next event in time");
	}
}

bool task_takes_events(struct task *task)
{
	if (task->channel.watch.fd >= 0 || runtime_api_waits(task))
		return true;
	task_enter(task, TASK_TIDYING, TIDY_NS);
	return false;
}

void task_give(struct task *task, struct request *request)
{
	struct pool *pool = task->pool;

	pool->invocations++;
	pool->last_event = loop_now();
	pool->rests = false;
	task_record_unsettle(task, true);
	task->request = request;
	task->events++;
	request->begun = loop_now();
	task->printed = task->tail_len = 0;
	task_print(task, "START RequestId: %s Version: $LATEST\n", request->id);
	task_enter(task, TASK_BUSY, pool->function.timeout * NS_PER_S);
	spare_note_use(pool);
	if (task->channel.watch.fd >= 0)
		channel_send(task);
	else
		runtime_api_send(task);
}

/* The clock is the same, and so is its deadline. What it said while nobody listened counts first. */
static void resume_busy(struct task *task)
{
	uint64_t deadline = task->request->begun + task->pool->function.timeout * NS_PER_S;
	uint64_t now = loop_now();

	task_enter(task, TASK_BUSY, deadline > now ? deadline - now : 1);
	if (task->channel.watch.fd >= 0)
		(void)channel_receive(task);
}

void task_resume(struct task *task, enum task_state state)
{
	uint64_t since = task->since;

	if (state == TASK_BUSY) {
		resume_busy(task);
	} else if (state == TASK_STARTING) {
		task_enter(task, TASK_STARTING, TASK_START_NS);
	} else if (state == TASK_TIDYING || (task->channel.watch.fd < 0 && !runtime_api_waits(task))) {
		/* If it had asked, that has gone: it has to ask again. */
		task_enter(task, TASK_TIDYING, TIDY_NS);
	} else {
		task_enter(task, TASK_IDLE, 0);
		task->since = since;
		task_record_note(task);
	}
}

void task_answered(struct task *task, enum outcome_kind kind, char *body, size_t len)
{
	struct outcome outcome = { .kind = kind, .body = body, .len = len };

	task_output_drain(task);
	finish(task, &outcome);
	if (task->outdated)
		end_soon(task, "the function was changed");
	else if (pool_is_fresh(task->pool))
		end_soon(task, "it is for one event");
	else
		task_enter(task, TASK_TIDYING, TIDY_NS);
}

void task_is_ready(struct task *task)
{
	struct pool *pool = task->pool;

	if (task->state == TASK_STARTING)
		pool->cold_starts += !task->spare;
	else if (pool->function.reuse == FUNCTION_RESET)
		pool->resets++;
	if (task->outdated || (pool->coordinator->draining && !pool->coordinator->leaving && !pool->nr_waiting)) {
		task_end(task, "it is not wanted any more");
		return;
	}
	/* A reset puts back one process. */
	if (pool->function.reuse == FUNCTION_RESET && task_cgroup_has_others(task)) {
		task_end(task, "it left processes behind");
		return;
	}
	task_enter(task, TASK_IDLE, 0);
	TAILQ_REMOVE(&pool->tasks, task, link);
	TAILQ_INSERT_HEAD(&pool->tasks, task, link);
	pool->coordinator->changed = true;
	pool->coordinator->standing_due |= task->spare;
}

/* Its process is there already. */
void task_init(struct task *task, struct pool *pool)
{
	*task = (struct task) {
		.pool = pool, .state = TASK_ENDING, .pid = -1, .report.fd = -1, .record_fd = -1,
		.exit = { .fd = -1, .ready = on_exit_ }, .output.fd = -1,
		.channel.watch.fd = -1, .asked.watch.fd = -1, .timer.fire = on_timer,
	};
}
