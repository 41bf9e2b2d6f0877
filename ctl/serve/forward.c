// SPDX-License-Identifier: GPL-2.0
/* Requests sent elsewhere, by libcurl's multi interface in the loop. */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator.h"
#include "curl.h"
#include "log.h"
#include "waiting.h"

#define CONNECT_MS	2000
#define SPARE_MS	2000	/* beyond what the function may take */
#define REST_NS		(2 * NS_PER_S)
#define INVOKE_PATH	"/2015-03-31/functions/"

struct transfer {
	struct forwarder *forwarder;
	struct request *request;
	CURL *easy;
	struct curl_slist *headers;
	bool failed;		/* to be made: out of memory */
	char *answer;
	size_t len;
	TAILQ_ENTRY(transfer) link;
};

/* A socket of the library's. Watched by a duplicate, as a watch closes what it has. */
struct wire {
	struct forwarder *forwarder;
	curl_socket_t socket;
	struct watch watch;
};

/*
 * The loop.
 */

static void finish(struct forwarder *forwarder);

static void on_ready(struct watch *watch, uint32_t events)
{
	struct wire *wire = container_of(watch, struct wire, watch);
	struct forwarder *forwarder = wire->forwarder;
	int running, what = 0;

	if (events & (EPOLLIN | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	/* May free the wire. */
	curl.multi_socket_action(forwarder->multi, wire->socket, what, &running);
	finish(forwarder);
}

static void on_timer(struct timer *timer)
{
	struct forwarder *forwarder = container_of(timer, struct forwarder, timer);
	int running;

	curl.multi_socket_action(forwarder->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish(forwarder);
}

static int set_timer(CURLM *multi, long ms, void *data)
{
	struct forwarder *forwarder = data;

	(void)multi;
	if (ms < 0)
		loop_cancel(&forwarder->coordinator->loop, &forwarder->timer);
	else
		loop_at(&forwarder->coordinator->loop, &forwarder->timer,
			loop_now() + ms * NS_PER_MS);
	return 0;
}

static struct wire *wire_new(struct forwarder *forwarder, curl_socket_t socket)
{
	struct wire *wire = calloc(1, sizeof(*wire));
	struct error err;
	int fd = dup(socket);

	if (!wire || fd < 0)
		goto failed;
	*wire = (struct wire) { forwarder, socket, { .fd = -1, .ready = on_ready } };
	if (loop_watch(&forwarder->coordinator->loop, &wire->watch, fd, 0, &err))
		goto failed;
	return wire;
failed:
	if (fd >= 0)
		close(fd);
	free(wire);
	return NULL;
}

static int watch_socket(CURL *easy, curl_socket_t socket, int what, void *data, void *slot)
{
	struct forwarder *forwarder = data;
	struct wire *wire = slot;
	struct loop *loop = &forwarder->coordinator->loop;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (wire)
			loop_unwatch(loop, &wire->watch);
		free(wire);
		return 0;
	}
	if (!wire)
		wire = wire_new(forwarder, socket);
	if (!wire)
		return -1;
	curl.multi_assign(forwarder->multi, socket, wire);
	loop_change(loop, &wire->watch, (what & CURL_POLL_IN ? EPOLLIN : 0) |
		    (what & CURL_POLL_OUT ? EPOLLOUT : 0));
	return 0;
}

void forwarder_open(struct forwarder *forwarder, struct coordinator *coordinator)
{
	*forwarder = (struct forwarder) { .coordinator = coordinator, .timer.fire = on_timer };
	TAILQ_INIT(&forwarder->transfers);
}

static int begin_library(struct forwarder *forwarder, struct error *err)
{
	if (forwarder->multi)
		return 0;
	if (curl_load(err))
		return -1;
	forwarder->multi = curl.multi_init();
	if (!forwarder->multi)
		return error_set(err, ENOMEM, "out of memory");
	curl.multi_setopt(forwarder->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl.multi_setopt(forwarder->multi, CURLMOPT_SOCKETDATA, forwarder);
	curl.multi_setopt(forwarder->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl.multi_setopt(forwarder->multi, CURLMOPT_TIMERDATA, forwarder);
	return 0;
}

/*
 * May it be?
 */

bool forward_came_back(const struct request *request)
{
	const char *id = request->pool->coordinator->tls.id;

	return *id && strstr(request->hops, id);
}

bool forward_may(const struct request *request)
{
	const struct pool *pool = request->pool;
	const struct coordinator *coordinator = pool->coordinator;
	const char *c;
	unsigned int hops = 0;

	if ((!pool->function.forward_hub && !pool->function.forward_cloud) || request->returned)
		return false;
	if (!request->hops[0])
		return coordinator->settings.hops > 0;
	for (c = request->hops; *c; c++)
		hops += *c == ',';
	return hops + 1 < coordinator->settings.hops && !forward_came_back(request);
}

bool forward_rests(const struct pool *pool)
{
	return loop_now() < pool->forward_rest;
}

bool forward_has_room(const struct forwarder *forwarder)
{
	return forwarder->nr < forwarder->coordinator->settings.forwards;
}

/*
 * The end of one.
 */

static void transfer_free(struct transfer *transfer)
{
	struct forwarder *forwarder = transfer->forwarder;

	TAILQ_REMOVE(&forwarder->transfers, transfer, link);
	forwarder->nr--;
	transfer->request->pool->nr_forwarding--;
	forwarder->coordinator->changed = true;
	if (transfer->easy) {
		curl.multi_remove_handle(forwarder->multi, transfer->easy);
		curl.easy_cleanup(transfer->easy);
	}
	if (transfer->headers)
		curl.slist_free_all(transfer->headers);
	free(transfer->answer);
	free(transfer);
}

/* Was not begun there. */
static void give_back(struct transfer *transfer, enum outcome_kind kind, const char *reason)
{
	struct request *request = transfer->request;

	request->pool->forward_failures++;
	log_event(LOG_NOTICE, "forward-failed", "function", request->pool->function.name,
		  "request", request->id, "reason", reason, NULL);
	transfer_free(transfer);
	waiting_return(request, kind, reason);
}

static void end(struct transfer *transfer, struct outcome *outcome)
{
	struct request *request = transfer->request;

	transfer_free(transfer);
	request->ended(request, outcome);
	free(outcome->body);
}

static const char *header_of(struct transfer *transfer, const char *name)
{
	struct curl_header *header;

	return curl.easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) ? NULL :
								     header->value;
}

/* What the function has answered there, as if it had run here. */
static void relay(struct transfer *transfer)
{
	const char *function_error = header_of(transfer, "X-Amz-Function-Error");
	const char *log = header_of(transfer, "X-Amz-Log-Result");
	const gnutls_datum_t text = { (unsigned char *)log, log ? strlen(log) : 0 };
	struct outcome outcome = { .body = transfer->answer, .len = transfer->len };
	gnutls_datum_t plain = {};

	if (function_error)
		outcome.kind = strcmp(function_error, "Handled") ? OUTCOME_CRASH : OUTCOME_ERROR;
	if (log && !gnutls_base64_decode2(&text, &plain)) {
		outcome.log = (char *)plain.data;
		outcome.log_len = plain.size;
	}
	transfer->answer = NULL;
	transfer->request->pool->forwarded++;
	end(transfer, &outcome);
	gnutls_free(plain.data);
}

static void answered(struct transfer *transfer, long status)
{
	struct outcome outcome = { .kind = OUTCOME_UNAVAILABLE };
	char reason[160];

	if (status == 200) {
		relay(transfer);
	} else if (status == 429) {
		give_back(transfer, OUTCOME_THROTTLED, "neither this hub nor where it forwards to can take it in time");
	} else if (status == 400) {
		outcome.kind = OUTCOME_INVALID;
		end(transfer, &outcome);
	} else {
		snprintf(reason, sizeof(reason), "this hub is full, and where it forwards to refused with status %ld",
			 status);
		give_back(transfer, OUTCOME_UNAVAILABLE, reason);
	}
}

/* What was sent may have run, and must not run again. */
static void broke(struct transfer *transfer, CURLcode code)
{
	struct outcome outcome = { .kind = OUTCOME_UNAVAILABLE };
	struct pool *pool = transfer->request->pool;
	curl_off_t sent = 0;
	char reason[160];

	curl.easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
	if (!sent) {
		pool->forward_rest = loop_now() + REST_NS;
		snprintf(reason, sizeof(reason), "this hub is full, and where it forwards to can't be reached (error %d of libcurl)",
			 code);
		give_back(transfer, OUTCOME_UNAVAILABLE, reason);
		return;
	}
	pool->forward_failures++;
	snprintf(reason, sizeof(reason), "it was forwarded, and no answer came (error %d of libcurl): it may have run",
		 code);
	outcome.reason = reason;
	end(transfer, &outcome);
}

static void finish(struct forwarder *forwarder)
{
	struct transfer *transfer;
	const CURLMsg *message;
	CURLcode code;
	long status = 0;
	char *private;
	int left;

	while ((message = curl.multi_info_read(forwarder->multi, &left))) {
		/* It is gone with the handle. */
		code = message->data.result;
		curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		curl.easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
		transfer = (struct transfer *)private;
		if (code)
			broke(transfer, code);
		else
			answered(transfer, status);
	}
}

void forwarder_close(struct forwarder *forwarder)
{
	struct outcome outcome;
	struct transfer *transfer;

	while ((transfer = TAILQ_FIRST(&forwarder->transfers))) {
		outcome = (struct outcome) { .kind = OUTCOME_UNAVAILABLE, .reason = "the coordinator is ending" };
		end(transfer, &outcome);
	}
	if (forwarder->multi)
		curl.multi_cleanup(forwarder->multi);
	loop_cancel(&forwarder->coordinator->loop, &forwarder->timer);
}

/*
 * The beginning.
 */

static size_t take(char *data, size_t one, size_t len, void *to)
{
	struct transfer *transfer = to;
	char *more;

	(void)one;
	if (transfer->len + len > PAYLOAD_MAX)
		return 0;
	more = realloc(transfer->answer, transfer->len + len + 1);
	if (!more)
		return 0;
	memcpy(more + transfer->len, data, len);
	transfer->answer = more;
	transfer->len += len;
	return len;
}

static void add_header(struct transfer *transfer, const char *name, const char *value)
{
	char *line;
	struct curl_slist *more;

	if (asprintf(&line, "%s:%s%s", name, *value ? " " : "", value) < 0) {
		transfer->failed = true;
		return;
	}
	more = curl.slist_append(transfer->headers, line);
	free(line);
	if (more)
		transfer->headers = more;
	else
		transfer->failed = true;
}

static uint64_t left_ms(const struct request *request)
{
	uint64_t now = loop_now();

	return request->until > now ? (request->until - now) / NS_PER_MS : 0;
}

static void set_common(struct transfer *transfer)
{
	const struct request *request = transfer->request;
	long ms = left_ms(request);
	CURL *easy = transfer->easy;

	curl.easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->len);
	curl.easy_setopt(easy, CURLOPT_POSTFIELDS, request->payload);
	curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
	curl.easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	/* On a connection that has just died the library would send it a second time by itself. */
	curl.easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl.easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? ms + 1 : CONNECT_MS);
	curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS,
			 ms + request->pool->function.timeout * 1000L + SPARE_MS);
	add_header(transfer, "Content-Type", "application/json");
	add_header(transfer, "X-Amz-Log-Type", "Tail");
	if (request->context)
		add_header(transfer, "X-Amz-Client-Context", request->context);
}

/* Both sides show a certificate, and it says which hubs have had the request. */
static int to_hub(struct transfer *transfer, struct error *err)
{
	const struct request *request = transfer->request;
	const struct coordinator *coordinator = transfer->forwarder->coordinator;
	const char *base = request->pool->function.forward_hub;
	char text[REQUEST_HOPS_SIZE + TLS_ID_SIZE + 1], url[512];
	size_t len = strlen(base);

	if (!coordinator->settings.certificate)
		return error_set(err, EINVAL, "this hub is full, and has no certificate to show to another one: start it with --certificate");
	while (len && base[len - 1] == '/')
		len--;
	snprintf(url, sizeof(url), "%.*s" INVOKE_PATH "%s/invocations", (int)len, base,
		 request->pool->function.name);
	snprintf(text, sizeof(text), "%s%s%s", request->hops, request->hops[0] ? "," : "",
		 coordinator->tls.id);
	add_header(transfer, HEADER_HOPS, text);
	/* To the cloud they would be signed: the one is not sent, the other changes on the way. */
	add_header(transfer, "Expect", "");
	add_header(transfer, "X-Amzn-Trace-Id", request->trace);
	snprintf(text, sizeof(text), "%lu", left_ms(request));
	add_header(transfer, HEADER_WAIT, text);
	curl.easy_setopt(transfer->easy, CURLOPT_URL, url);
	curl.easy_setopt(transfer->easy, CURLOPT_SSLCERT, coordinator->settings.certificate);
	curl.easy_setopt(transfer->easy, CURLOPT_SSLKEY, coordinator->settings.key);
	curl.easy_setopt(transfer->easy, CURLOPT_CAINFO, coordinator->settings.ca);
	/* Whom the web's authorities vouch for is no hub. Nor is a proxy of the environment for hubs. */
	curl.easy_setopt(transfer->easy, CURLOPT_CAPATH, NULL);
	curl.easy_setopt(transfer->easy, CURLOPT_PROXY, "");
	return 0;
}

static const char *variable(const char *name, const char *other)
{
	const char *value = getenv(name);

	return value && *value ? value : other;
}

/* NAME, or arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]. */
static void cloud_url(const char *function, char region[64], char url[512])
{
	const char *name = strstr(function, ":function:"), *endpoint, *colon;
	char base[128];

	snprintf(region, 64, "%s", variable("AWS_REGION", variable("AWS_DEFAULT_REGION", "us-east-1")));
	if (name)
		sscanf(function, "arn:%*[^:]:lambda:%63[a-z0-9-]", region);
	name = name ? name + strlen(":function:") : function;
	colon = strchr(name, ':');
	snprintf(base, sizeof(base), "https://lambda.%s.amazonaws.com", region);
	endpoint = variable("AWS_ENDPOINT_URL_LAMBDA", variable("AWS_ENDPOINT_URL", base));
	snprintf(url, 512, "%s" INVOKE_PATH "%.*s/invocations%s%s", endpoint,
		 (int)(colon ? colon - name : (long)strlen(name)), name,
		 colon ? "?Qualifier=" : "", colon ? colon + 1 : "");
}

static int to_cloud(struct transfer *transfer, struct error *err)
{
	const char *key = variable("AWS_ACCESS_KEY_ID", NULL);
	const char *secret = variable("AWS_SECRET_ACCESS_KEY", NULL);
	const char *session = variable("AWS_SESSION_TOKEN", NULL);
	char region[64], url[512], text[512];

	if (!key || !secret)
		return error_set(err, EINVAL, "this hub is full, and has no credentials of the cloud: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for it");
	cloud_url(transfer->request->pool->function.forward_cloud, region, url);
	if (session)
		add_header(transfer, "X-Amz-Security-Token", session);
	curl.easy_setopt(transfer->easy, CURLOPT_URL, url);
	snprintf(text, sizeof(text), "aws:amz:%s:lambda", region);
	curl.easy_setopt(transfer->easy, CURLOPT_AWS_SIGV4, text);
	snprintf(text, sizeof(text), "%s:%s", key, secret);
	curl.easy_setopt(transfer->easy, CURLOPT_USERPWD, text);
	return 0;
}

static int prepare(struct transfer *transfer, struct error *err)
{
	if (begin_library(transfer->forwarder, err))
		return -1;
	transfer->easy = curl.easy_init();
	if (!transfer->easy)
		return error_set(err, ENOMEM, "out of memory");
	set_common(transfer);
	if (transfer->request->pool->function.forward_hub ? to_hub(transfer, err) :
							   to_cloud(transfer, err))
		return -1;
	curl.easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
	if (transfer->failed || curl.multi_add_handle(transfer->forwarder->multi, transfer->easy))
		return error_set(err, ENOMEM, "out of memory");
	return 0;
}

void forward_begin(struct forwarder *forwarder, struct request *request)
{
	struct transfer *transfer = calloc(1, sizeof(*transfer));
	struct error err;

	if (!transfer) {
		waiting_return(request, OUTCOME_UNAVAILABLE, "the hub has no memory left");
		return;
	}
	transfer->forwarder = forwarder;
	transfer->request = request;
	TAILQ_INSERT_TAIL(&forwarder->transfers, transfer, link);
	forwarder->nr++;
	request->pool->nr_forwarding++;
	if (prepare(transfer, &err))
		give_back(transfer, OUTCOME_UNAVAILABLE, err.text);
}
