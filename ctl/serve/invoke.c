// SPDX-License-Identifier: GPL-2.0
/*
 * The cloud's Invoke API: POST /2015-03-31/functions/NAME/invocations. A client may invoke what
 * its user owns, root everything, and a device what the hub says: see admission.c.
 */
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator.h"
#include "invoke.h"
#include "log.h"
#include "metrics.h"
#include "reply.h"
#include "waiting.h"

#define PREFIX	"/2015-03-31/functions/"
#define SUFFIX	"/invocations"

static struct coordinator *coordinator_of(const struct exchange *exchange)
{
	return exchange->connection->listener->data;
}

/*
 * Which function.
 */

static void unknown_function(struct exchange *exchange, const char *name)
{
	reply_error(exchange, MHD_HTTP_NOT_FOUND, "ResourceNotFoundException",
		    "Function not found: arn:aws:lambda:local:000000000000:function:%.140s", name);
}

/* NAME, NAME:QUALIFIER, ACCOUNT:function:NAME or a whole ARN. Cuts @text in place. */
static const char *parse_name(char *text, char **qualifier)
{
	char *name = strstr(text, "function:"), *colon;

	name = name ? name + strlen("function:") : text;
	colon = strchr(name, ':');
	*qualifier = NULL;
	if (colon) {
		*colon = '\0';
		*qualifier = colon + 1;
	}
	return name;
}

static bool is_latest(const char *qualifier)
{
	return !qualifier || !*qualifier || !strcmp(qualifier, "$LATEST");
}

/* Answers itself if there is none. */
static struct pool *find_pool(struct exchange *exchange, char *text)
{
	const char *query = exchange_query(exchange, "Qualifier"), *name;
	struct caller caller;
	struct pool *pool;
	struct error err;
	char *qualifier;

	if (!admission_identify(exchange, &caller))
		return NULL;
	name = parse_name(text, &qualifier);
	pool = pool_find(coordinator_of(exchange), name, &err);
	if (!pool && err.code != ENOENT)
		reply_error(exchange, MHD_HTTP_INTERNAL_SERVER_ERROR, "ServiceException", "%s", err.text);
	else if (!pool && !admission_knows(coordinator_of(exchange), &caller))
		admission_refuse_unknown(exchange);
	else if (!pool || !is_latest(qualifier) || !is_latest(query))
		unknown_function(exchange, name);
	else if (admission_permits(exchange, &caller, pool))
		return pool;
	return NULL;
}

/*
 * What came of it.
 */

static void log_end(const struct request *request, const char *type, unsigned int status)
{
	char ms[32], code[8];

	snprintf(ms, sizeof(ms), "%.2f", (double)(loop_now() - request->received) / NS_PER_MS);
	snprintf(code, sizeof(code), "%u", status);
	log_event(status < 500 ? LOG_INFO : LOG_WARNING, "invoke", "function",
		  request->pool->function.name, "request", request->id, "type", type,
		  "status", code, "ms", ms, NULL);
}

static void add_log(struct exchange *exchange, const struct outcome *outcome)
{
	const gnutls_datum_t data = { (unsigned char *)outcome->log, outcome->log_len };
	gnutls_datum_t text;

	if (gnutls_base64_encode2(&data, &text))
		return;
	exchange_add(exchange, "X-Amz-Log-Result", (char *)text.data);
	gnutls_free(text.data);
}

static bool wants_log(const struct exchange *exchange)
{
	const char *type = exchange_header(exchange, "X-Amz-Log-Type");

	return type && !strcasecmp(type, "Tail");
}

static void reply_outcome(struct exchange *exchange, struct outcome *outcome)
{
	exchange_answer(exchange, MHD_HTTP_OK, "application/json", outcome->body, outcome->len);
	outcome->body = NULL;
	exchange_add(exchange, "X-Amz-Executed-Version", "$LATEST");
	if (outcome->kind != OUTCOME_RESULT)
		exchange_add(exchange, "X-Amz-Function-Error",
			     outcome->kind == OUTCOME_ERROR ? "Handled" : "Unhandled");
	if (outcome->log && wants_log(exchange))
		add_log(exchange, outcome);
}

static void reply_request(struct exchange *exchange, const struct request *request,
			  struct outcome *outcome)
{
	switch (outcome->kind) {
	case OUTCOME_INVALID:
		reply_error(exchange, MHD_HTTP_BAD_REQUEST, "InvalidRequestContentException",
			    "Could not parse request body into json: %.*s", (int)outcome->len,
			    outcome->body ? outcome->body : "");
		return;
	case OUTCOME_THROTTLED:
		reply_error(exchange, MHD_HTTP_TOO_MANY_REQUESTS, "TooManyRequestsException", "%s",
			    outcome->reason);
		return;
	case OUTCOME_UNAVAILABLE:
		reply_error(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "ServiceUnavailableException",
			    "%s", outcome->reason);
		return;
	default:
		reply_outcome(exchange, outcome);
		exchange_add(exchange, "x-amzn-RequestId", request->id);
		exchange_add(exchange, "X-Amzn-Trace-Id", request->trace);
		exchange_send(exchange);
	}
}

static unsigned int status_of(enum outcome_kind kind)
{
	switch (kind) {
	case OUTCOME_INVALID:
		return MHD_HTTP_BAD_REQUEST;
	case OUTCOME_THROTTLED:
		return MHD_HTTP_TOO_MANY_REQUESTS;
	case OUTCOME_UNAVAILABLE:
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	default:
		return MHD_HTTP_OK;
	}
}

static void ended(struct request *request, struct outcome *outcome)
{
	struct exchange *exchange = request->data;

	log_end(request, "RequestResponse", status_of(outcome->kind));
	/* The client may have gone. */
	if (exchange)
		reply_request(exchange, request, outcome);
	request_free(request);
}

static void client_gone(struct exchange *exchange)
{
	struct request *request = exchange->data;

	request->data = NULL;
}

/*
 * Requests.
 */

/* The body becomes the request's; who sends nothing means an empty event. */
static struct request *take_request(struct exchange *exchange)
{
	const char *context = exchange_header(exchange, "X-Amz-Client-Context");
	struct request *request;
	size_t len;
	char *body = exchange_take_body(exchange, &len);

	if (!len) {
		free(body);
		body = strdup("{}");
		len = 2;
	}
	request = body ? request_new(body, len) : NULL;
	if (!request)
		return NULL;
	request->held = &exchange->http->held;
	*request->held += len;
	request_set_trace(request, exchange_header(exchange, "X-Amzn-Trace-Id"));
	request->context = context ? strdup(context) : NULL;
	return request;
}

static void invoke_now(struct exchange *exchange, struct pool *pool, struct request *request)
{
	request->ended = ended;
	request->data = exchange;
	exchange->data = request;
	exchange->gone = client_gone;
	waiting_add(pool, request, false);
	exchange_wait(exchange);
}

/* Answered once it is on the disk. */
static void stored(struct request *request, bool done)
{
	struct exchange *exchange = request->data;

	log_end(request, "Event", done ? MHD_HTTP_ACCEPTED : MHD_HTTP_SERVICE_UNAVAILABLE);
	if (exchange && !done)
		reply_error(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "ServiceUnavailableException",
			    "the event cannot be kept: see the coordinator's log");
	if (exchange && done) {
		exchange_answer(exchange, MHD_HTTP_ACCEPTED, NULL, NULL, 0);
		exchange_add(exchange, "x-amzn-RequestId", request->id);
		exchange_send(exchange);
	}
	request_free(request);
}

static void invoke_later(struct exchange *exchange, struct pool *pool, struct request *request)
{
	struct queue *queue = &pool->coordinator->queue;

	request->pool = pool;
	if (queue_is_full(queue)) {
		pool->throttled++;
		reply_error(exchange, MHD_HTTP_TOO_MANY_REQUESTS, "TooManyRequestsException",
			    "too many events are queued");
		request_free(request);
		return;
	}
	request->data = exchange;
	exchange->data = request;
	exchange->gone = client_gone;
	queue_add(queue, request, stored);
	exchange_wait(exchange);
}

static void invoke(struct exchange *exchange, char *name)
{
	const char *type = exchange_header(exchange, "X-Amz-Invocation-Type");
	bool later = type && !strcmp(type, "Event");
	struct pool *pool = find_pool(exchange, name);
	struct request *request;

	if (!pool)
		return;
	if (type && !strcmp(type, "DryRun")) {
		reply_status(exchange, MHD_HTTP_NO_CONTENT);
		return;
	}
	if (type && !later && strcmp(type, "RequestResponse")) {
		reply_error(exchange, MHD_HTTP_BAD_REQUEST, "InvalidParameterValueException",
			    "the invocation type is RequestResponse, Event or DryRun");
		return;
	}
	request = take_request(exchange);
	if (!request)
		reply_error(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "ServiceUnavailableException",
			    "the hub has no memory left");
	else if (later)
		invoke_later(exchange, pool, request);
	else
		invoke_now(exchange, pool, request);
}

/* The name in the path, cut out in place; NULL if it is another path. */
static char *name_in(struct exchange *exchange)
{
	size_t len = strlen(exchange->path), around = strlen(PREFIX) + strlen(SUFFIX);
	char *end = exchange->path + len;

	/* Some clients end the path with a slash, as the API's description does. */
	if (len && end[-1] == '/')
		*--end = '\0';
	if ((size_t)(end - exchange->path) <= around ||
	    strncmp(exchange->path, PREFIX, strlen(PREFIX)) ||
	    strcmp(end - strlen(SUFFIX), SUFFIX))
		return NULL;
	end[-(long)strlen(SUFFIX)] = '\0';
	return exchange->path + strlen(PREFIX);
}

static void request(struct exchange *exchange)
{
	bool get = !strcmp(exchange->method, "GET");
	char *name;

	if (get && !exchange_tls(exchange) && !strcmp(exchange->path, "/metrics")) {
		metrics_reply(exchange, coordinator_of(exchange));
		return;
	}
	name = name_in(exchange);
	if (!name)
		reply_error(exchange, MHD_HTTP_NOT_FOUND, "UnknownOperationException",
			    "there is no such path");
	else if (strcmp(exchange->method, "POST"))
		reply_error(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, "UnknownOperationException",
			    "functions are invoked by POST");
	else if (coordinator_of(exchange)->draining)
		reply_error(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "ServiceUnavailableException",
			    "the coordinator is ending");
	else
		invoke(exchange, name);
}

static void too_large(struct exchange *exchange)
{
	reply_error(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "RequestTooLargeException",
		    "Request must be smaller than %lu bytes for the InvokeFunction operation", PAYLOAD_MAX);
}

static void too_many(struct exchange *exchange)
{
	reply_error(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "ServiceUnavailableException",
		    "there is no memory for the event for now: try again");
}

const struct http_service invoke_service = {
	.body_max = PAYLOAD_MAX,
	.connections_max = 256,
	.request = request,
	.too_large = too_large,
	.too_many = too_many,
};
