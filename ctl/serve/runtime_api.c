// SPDX-License-Identifier: GPL-2.0
/*
 * The cloud's Runtime API, by which a program asks for its events: an endpoint of each task's
 * own, on which nobody is served whose socket is not held in the task's cgroup.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "peer.h"
#include "reply.h"
#include "task_parts.h"
#include "task_record.h"

#define PREFIX	"/2018-06-01/runtime/"

static bool admit(const struct listener *listener, int fd)
{
	const struct task *task = listener->data;
	struct peer peer;

	return peer_find(&task->pool->coordinator->peers, fd, &peer) &&
	       peer_is_in(&peer, task->cgroup);
}

static struct task *task_of(const struct exchange *exchange)
{
	const struct listener *listener = exchange->connection->listener;

	return listener ? listener->data : NULL;
}

/*
 * The next event.
 */

static void next_gone(struct exchange *exchange)
{
	struct task *task = exchange->data;

	if (task->next != exchange)
		return;
	task->next = NULL;
	task_record_ask(task, -1);
}

/* One that asks again instead of answering has lost its event. */
static void take_next(struct exchange *exchange, struct task *task)
{
	if (task->state == TASK_BUSY) {
		reply_error(exchange, MHD_HTTP_FORBIDDEN, "InvalidStateTransition",
			    "the last event has no answer yet");
		return;
	}
	if (task->next)
		reply_error(task->next, MHD_HTTP_GONE, "InvalidStateTransition",
			    "there is a later request for an event");
	asked_close(&task->asked);
	exchange->data = task;
	exchange->gone = next_gone;
	task->next = exchange;
	task_record_ask(task, exchange->connection->fd);
	exchange_wait(exchange);
	task_record_unsettle(task, false);
	if (task->state == TASK_STARTING || task->state == TASK_TIDYING)
		task_is_ready(task);
}

bool runtime_api_waits(struct task *task)
{
	/* The library does not look at a connection that waits. */
	return task->next ? connection_waits(task->next->connection->fd) : asked_waits(&task->asked);
}

static void each_header(const struct task *task, void (*add)(void *to, const char *name, const char *value),
			void *to)
{
	const struct request *request = task->request;
	const struct function *function = &task->pool->function;
	char deadline[32], arn[160];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(deadline, sizeof(deadline), "%lld",
		 (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000 + function->timeout * 1000LL);
	snprintf(arn, sizeof(arn), "arn:aws:lambda:local:000000000000:function:%s", function->name);
	add(to, "Lambda-Runtime-Aws-Request-Id", request->id);
	add(to, "Lambda-Runtime-Deadline-Ms", deadline);
	add(to, "Lambda-Runtime-Invoked-Function-Arn", arn);
	add(to, "Lambda-Runtime-Trace-Id", request->trace);
	if (request->context)
		add(to, "Lambda-Runtime-Client-Context", request->context);
}

static void add_to_exchange(void *to, const char *name, const char *value)
{
	exchange_add(to, name, value);
}

static void send_to_exchange(struct task *task)
{
	const struct request *request = task->request;
	struct exchange *exchange = task->next;
	char *body = malloc(request->len + 1);

	if (body)
		memcpy(body, request->payload, request->len);
	task->next = NULL;
	exchange_answer(exchange, body ? MHD_HTTP_OK : MHD_HTTP_INTERNAL_SERVER_ERROR,
			"application/json", body, body ? request->len : 0);
	each_header(task, add_to_exchange, exchange);
	exchange_send(exchange);
}

static void add_to_text(void *to, const char *name, const char *value)
{
	fprintf(to, "%s: %s\r\n", name, value);
}

static void send_by_hand(struct task *task)
{
	const struct request *request = task->request;
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (to) {
		fprintf(to, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n"
			"Content-Length: %zu\r\n", request->len);
		each_header(task, add_to_text, to);
		fputs("\r\n", to);
		fwrite(request->payload, 1, request->len, to);
		if (fclose(to)) {
			free(text);
			text = NULL;
		}
	}
	asked_answer(&task->asked, text, len);
}

void runtime_api_send(struct task *task)
{
	task_record_ask(task, -1);
	if (task->next)
		send_to_exchange(task);
	else
		send_by_hand(task);
}

/*
 * What came of it.
 */

static void accepted(struct exchange *exchange)
{
	exchange_answer(exchange, MHD_HTTP_ACCEPTED, "application/json", strdup("{\"status\":\"OK\"}"), 15);
	exchange_send(exchange);
}

static void take_answer(struct exchange *exchange, struct task *task, enum outcome_kind kind)
{
	size_t len;
	char *body = exchange_take_body(exchange, &len);

	accepted(exchange);
	task_answered(task, kind, body, len);
}

static void take_init_error(struct exchange *exchange, struct task *task)
{
	task_print(task, "%.*s\n", exchange->len < 400 ? (int)exchange->len : 400,
		   exchange->body ? exchange->body : "");
	accepted(exchange);
}

/* "invocation/ID/response" and so on, for the ID of the event that the task has. */
static bool is_about_event(const struct task *task, const char *path, const char **verb)
{
	size_t len;

	if (task->state != TASK_BUSY || strncmp(path, "invocation/", 11))
		return false;
	len = strlen(task->request->id);
	if (strncmp(path + 11, task->request->id, len) || path[11 + len] != '/')
		return false;
	*verb = path + 12 + len;
	return true;
}

static void post(struct exchange *exchange, struct task *task, const char *path)
{
	const char *verb = "";

	if (!strcmp(path, "init/error"))
		take_init_error(exchange, task);
	else if (!is_about_event(task, path, &verb))
		reply_error(exchange, MHD_HTTP_BAD_REQUEST, "InvalidRequestID",
			    "this is not the event that the task has");
	else if (!strcmp(verb, "response"))
		take_answer(exchange, task, OUTCOME_RESULT);
	else if (!strcmp(verb, "error"))
		take_answer(exchange, task, OUTCOME_ERROR);
	else
		reply_error(exchange, MHD_HTTP_NOT_FOUND, "UnknownOperation", "there is no such path");
}

static void request(struct exchange *exchange)
{
	struct task *task = task_of(exchange);
	const char *path = exchange->path + strlen(PREFIX);

	if (!task) {
		reply_status(exchange, MHD_HTTP_GONE);
		return;
	}
	if (strncmp(exchange->path, PREFIX, strlen(PREFIX)))
		reply_error(exchange, MHD_HTTP_NOT_FOUND, "UnknownOperation", "there is no such path");
	else if (!strcmp(exchange->method, "GET") && !strcmp(path, "invocation/next"))
		take_next(exchange, task);
	else if (!strcmp(exchange->method, "POST"))
		post(exchange, task, path);
	else
		reply_error(exchange, MHD_HTTP_NOT_FOUND, "UnknownOperation", "there is no such path");
}

/* The event ends with it, as in the cloud. */
static void too_large(struct exchange *exchange)
{
	struct task *task = task_of(exchange);
	struct outcome outcome = {};

	reply_error(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "RequestEntityTooLarge",
		    "Exceeded maximum allowed payload size (%lu bytes).", PAYLOAD_MAX);
	if (!task || task->state != TASK_BUSY)
		return;
	outcome_error(&outcome, "Function.ResponseSizeTooLarge",
		      "Response payload size exceeded maximum allowed payload size (%lu bytes).", PAYLOAD_MAX);
	task_answered(task, OUTCOME_CRASH, outcome.body, outcome.len);
}

static void too_many(struct exchange *exchange)
{
	reply_error(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "ServiceUnavailable",
		    "there is no memory for the answer: send it again");
}

/*
 * The next coordinator gets no connection in the middle of a request or of an answer, but that on
 * which there is nothing but a request for an event.
 */

static void begin(struct exchange *exchange)
{
	struct task *task = task_of(exchange);

	if (task)
		task_record_unsettle(task, true);
}

static void completed(struct exchange *exchange)
{
	struct task *task = task_of(exchange);

	if (task)
		task_record_unsettle(task, false);
}

static void asked_ended(struct asked *asked)
{
	task_record_unsettle(container_of(asked, struct task, asked), false);
}

static const struct http_service service = {
	.body_max = PAYLOAD_MAX,
	.connections_max = 16,
	.admit = admit,
	.begin = begin,
	.request = request,
	.too_large = too_large,
	.too_many = too_many,
	.completed = completed,
};

int runtime_api_open(struct task *task, unsigned int *port, struct error *err)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(in);

	if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof(in)) || listen(fd, 16) ||
	    getsockname(fd, (struct sockaddr *)&in, &len)) {
		error_set(err, errno, "a task's endpoint cannot be opened: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*port = ntohs(in.sin_port);
	return runtime_api_take_over(task, fd, -1, false, err);
}

int runtime_api_take_over(struct task *task, int fd, int connection, bool asks, struct error *err)
{
	if (listener_open(&task->endpoint, &task->pool->coordinator->http, fd, &service, task, err)) {
		cleanup_close(&connection);
		return -1;
	}
	if (connection >= 0 && asks)
		return asked_open(&task->asked, task_loop(task), connection, asked_ended, err);
	if (connection >= 0)
		listener_adopt(&task->endpoint, connection);
	return 0;
}

void runtime_api_close(struct task *task)
{
	struct exchange *next = task->next;

	task->next = NULL;
	asked_close(&task->asked);
	listener_close(&task->endpoint);
	if (next)
		reply_status(next, MHD_HTTP_GONE);
}
