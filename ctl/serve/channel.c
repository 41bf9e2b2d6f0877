// SPDX-License-Identifier: GPL-2.0
/*
 * The socket over which a task of an image gets events and answers. What comes is from a task,
 * which is hostile: it can only end its own request, and wrongly.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "coordinator.h"
#include "lib/cleanup.h"
#include "task_record.h"
#include "lib/json_read.h"

#define PIECE	65536

static struct loop *loop_of(const struct task *task)
{
	return &task->pool->coordinator->loop;
}

static void forget_message(struct channel *channel)
{
	free(channel->body);
	channel->body = NULL;
	channel->body_len = channel->body_total = channel->line_len = 0;
	channel->in_body = false;
}

/*
 * To the task.
 */

static void set_events(struct task *task)
{
	struct channel *channel = &task->channel;

	loop_change(loop_of(task), &channel->watch,
		    EPOLLIN | (channel->sent < channel->total ? EPOLLOUT : 0));
}

/* Half a message can't be gone on with by the next coordinator. */
static void settle(struct task *task)
{
	const struct channel *channel = &task->channel;

	task_record_unsettle(task, channel->sent < channel->total || channel->line_len ||
			     channel->in_body);
}

static void send_more(struct task *task)
{
	struct channel *channel = &task->channel;
	const char *from;
	ssize_t len;

	while (channel->sent < channel->total) {
		bool head = channel->sent < channel->head_len;

		from = head ? channel->head + channel->sent :
			      channel->payload + channel->sent - channel->head_len;
		len = send(channel->watch.fd, from,
			   (head ? channel->head_len : channel->total) - channel->sent,
			   MSG_NOSIGNAL | MSG_DONTWAIT);
		if (len <= 0)
			break;
		channel->sent += len;
	}
	if (channel->plain && channel->total && channel->sent == channel->total)
		shutdown(channel->watch.fd, SHUT_WR);
	settle(task);
	set_events(task);
}

static void send_plain(struct task *task)
{
	struct channel *channel = &task->channel;

	channel->payload = task->request->payload;
	channel->total = task->request->len;
	channel->head_len = channel->sent = 0;
	send_more(task);
}

static void send_message(struct task *task)
{
	const struct request *request = task->request;
	const struct function *function = &task->pool->function;
	uint64_t deadline = request->begun + function->timeout * NS_PER_S;
	struct channel *channel = &task->channel;
	autojson json_t *head = NULL;

	head = json_pack("{s:s, s:s, s:s, s:s+, s:I, s:I, s:I}", "id", request->id,
			 "trace", request->trace, "function", function->name,
			 "arn", "arn:aws:lambda:local:000000000000:function:", function->name,
			 "memory", (json_int_t)function->memory,
			 "deadline_ns", (json_int_t)deadline,
			 "length", (json_int_t)request->len);
	channel->head_len = json_dumpb(head, channel->head, sizeof(channel->head) - 1,
				       JSON_COMPACT);
	channel->head[channel->head_len++] = '\n';
	channel->payload = request->payload;
	channel->total = channel->head_len + request->len;
	channel->sent = 0;
	send_more(task);
}

void channel_send(struct task *task)
{
	if (task->channel.plain)
		send_plain(task);
	else
		send_message(task);
}

/*
 * From the task.
 */

static int kind_of(const char *type)
{
	static const char *const types[] = {
		[OUTCOME_RESULT] = "result", [OUTCOME_ERROR] = "error",
		[OUTCOME_INVALID] = "invalid",
	};
	size_t i;

	for (i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i] && !strcmp(types[i], type))
			return i;
	return -1;
}

static void too_large(struct task *task, json_int_t length)
{
	struct outcome outcome = {};

	outcome_error(&outcome, "Function.ResponseSizeTooLarge",
		      "Response payload size (%lld bytes) exceeded maximum allowed payload size (%lu bytes).",
		      (long long)length, PAYLOAD_MAX);
	task_answered(task, OUTCOME_CRASH, outcome.body, outcome.len);
	task_end(task, "its answer was too large");
}

/* The head of an answer: true if a body follows. */
static bool take_answer(struct task *task, const json_t *head)
{
	const char *id = json_string_value(json_object_get(head, "id"));
	json_int_t length = json_integer_value(json_object_get(head, "length"));
	int kind = kind_of(json_string_value(json_object_get(head, "type")));
	struct channel *channel = &task->channel;

	if (task->state != TASK_BUSY || !id || strcmp(id, task->request->id) || kind < 0 ||
	    length <= 0) {
		task_misbehaved(task, "it sent what it was not asked for");
		return false;
	}
	if (length > (json_int_t)PAYLOAD_MAX) {
		too_large(task, length);
		return false;
	}
	channel->body = malloc(length);
	if (!channel->body) {
		task_misbehaved(task, "there is no memory for its answer");
		return false;
	}
	channel->kind = kind;
	channel->body_total = length;
	channel->in_body = true;
	return true;
}

static void take_line(struct task *task)
{
	struct channel *channel = &task->channel;
	autojson json_t *head = json_read_text(channel->line, channel->line_len, 0, NULL);
	const char *type = json_string_value(json_object_get(head, "type"));

	channel->line_len = 0;
	if (!type || strcmp(type, "next"))
		(void)take_answer(task, head);
	else if (task->state == TASK_STARTING || task->state == TASK_TIDYING)
		task_is_ready(task);
	else
		task_misbehaved(task, "it asked for an event that it was not to have");
}

static size_t take_line_bytes(struct task *task, const char *data, size_t len)
{
	struct channel *channel = &task->channel;
	const char *end = memchr(data, '\n', len);
	size_t taken = end ? (size_t)(end - data) : len;

	if (channel->line_len + taken > sizeof(channel->line)) {
		task_misbehaved(task, "it sent a line that is too long");
		return len;
	}
	memcpy(channel->line + channel->line_len, data, taken);
	channel->line_len += taken;
	if (!end)
		return taken;
	take_line(task);
	return taken + 1;
}

static size_t take_body_bytes(struct task *task, const char *data, size_t len)
{
	struct channel *channel = &task->channel;
	size_t left = channel->body_total - channel->body_len;
	char *body = channel->body;

	if (len > left)
		len = left;
	memcpy(body + channel->body_len, data, len);
	channel->body_len += len;
	if (len == left) {
		size_t total = channel->body_total;

		channel->body = NULL;
		forget_message(channel);
		task_answered(task, channel->kind, body, total);
	}
	return len;
}

static void take_plain(struct task *task, const char *data, size_t len)
{
	struct channel *channel = &task->channel;
	size_t room = channel->body_total ? channel->body_total : 4096;
	char *body = channel->body;

	if (task->state != TASK_BUSY || channel->body_len + len > PAYLOAD_MAX) {
		too_large(task, channel->body_len + len);
		return;
	}
	while (room < channel->body_len + len)
		room *= 2;
	if (room > channel->body_total || !body)
		body = realloc(channel->body, room);
	if (!body) {
		task_misbehaved(task, "there is no memory for its answer");
		return;
	}
	channel->body = body;
	channel->body_total = room;
	memcpy(body + channel->body_len, data, len);
	channel->body_len += len;
}

void channel_finish(struct task *task)
{
	struct channel *channel = &task->channel;
	size_t len = channel->body_len;
	char *body = channel->body;

	channel->body = NULL;
	forget_message(channel);
	while (len && body[len - 1] == '\n')
		len--;
	task_answered(task, OUTCOME_RESULT, body, len);
}

static void take(struct task *task, const char *data, size_t len)
{
	if (task->channel.plain) {
		take_plain(task, data, len);
		return;
	}
	size_t taken;

	for (; len && task->state != TASK_ENDING; data += taken, len -= taken)
		taken = task->channel.in_body ? take_body_bytes(task, data, len) :
						take_line_bytes(task, data, len);
}

bool channel_receive(struct task *task)
{
	static char data[PIECE];
	ssize_t len;

	while (task->state != TASK_ENDING) {
		task_record_unsettle(task, true);
		len = recv(task->channel.watch.fd, data, sizeof(data), MSG_DONTWAIT);
		if (len <= 0) {
			settle(task);
			return len < 0 && (errno == EAGAIN || errno == EINTR);
		}
		take(task, data, len);
	}
	return true;
}

static void on_channel(struct watch *watch, uint32_t events)
{
	struct channel *channel = container_of(watch, struct channel, watch);
	struct task *task = container_of(channel, struct task, channel);

	if (events & EPOLLOUT)
		send_more(task);
	/* At its end the process' own is near, and says more. */
	if (events & ~EPOLLOUT && !channel_receive(task))
		loop_change(loop_of(task), watch, 0);
}

int channel_open(struct channel *channel, struct loop *loop, int fd, struct error *err)
{
	channel->watch = (struct watch) { .fd = -1, .ready = on_channel };
	return loop_watch(loop, &channel->watch, fd, EPOLLIN, err);
}

void channel_close(struct channel *channel, struct loop *loop)
{
	forget_message(channel);
	loop_unwatch(loop, &channel->watch);
}
