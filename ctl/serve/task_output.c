// SPDX-License-Identifier: GPL-2.0
/* What a task prints: to its function's log, and the end of it to who asked. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "task_parts.h"

#define PIECE		65536
/* Of one event; what goes beyond is dropped, and read slowly, so that it slows down its task. */
#define PRINTED_MAX	(1UL << 20)
#define THROTTLE_NS	(20 * NS_PER_MS)
#define DRAIN_MAX	8

static void keep_tail(struct task *task, const char *data, size_t len)
{
	size_t keep = task->tail_len;

	if (len > TASK_TAIL) {
		data += len - TASK_TAIL;
		len = TASK_TAIL;
	}
	if (keep + len > TASK_TAIL) {
		keep = TASK_TAIL - len;
		memmove(task->tail, task->tail + task->tail_len - keep, keep);
	}
	memcpy(task->tail + keep, data, len);
	task->tail_len = keep + len;
}

void task_print(struct task *task, const char *format, ...)
{
	char text[512];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	function_log_write(&task->pool->log, text, len);
	keep_tail(task, text, len);
}

static void take(struct task *task, const char *data, size_t len)
{
	static const char notice[] = "\n[coppice: more than 1 MiB in one event, what follows is dropped]\n";

	keep_tail(task, data, len);
	if (task->printed <= PRINTED_MAX) {
		function_log_write(&task->pool->log, data, len);
		if (task->printed + len > PRINTED_MAX)
			function_log_write(&task->pool->log, notice, sizeof(notice) - 1);
	}
	task->printed += len;
}

/* False if there is no more, for now or at all. */
static bool read_piece(struct task *task)
{
	static char data[PIECE];
	ssize_t len = read(task->output.fd, data, sizeof(data));

	if (len > 0)
		take(task, data, len);
	else if (!len || errno != EAGAIN)
		loop_change(task_loop(task), &task->output, 0);
	return len > 0;
}

static void on_output(struct watch *watch, uint32_t events)
{
	struct task *task = container_of(watch, struct task, output);

	(void)events;
	if (!read_piece(task) || task->printed <= PRINTED_MAX)
		return;
	loop_change(task_loop(task), watch, 0);
	loop_at(task_loop(task), &task->throttle, loop_now() + THROTTLE_NS);
}

static void on_throttle(struct timer *timer)
{
	struct task *task = container_of(timer, struct task, throttle);

	loop_change(task_loop(task), &task->output, EPOLLIN);
}

void task_output_drain(struct task *task)
{
	int i;

	for (i = 0; task->output.fd >= 0 && i < DRAIN_MAX; i++)
		if (!read_piece(task))
			break;
}

int task_output_open(struct task *task, int fd, struct error *err)
{
	task->output.ready = on_output;
	task->throttle.fire = on_throttle;
	return loop_watch(task_loop(task), &task->output, fd, EPOLLIN, err);
}

void task_output_close(struct task *task)
{
	loop_cancel(task_loop(task), &task->throttle);
	loop_unwatch(task_loop(task), &task->output);
}
