// SPDX-License-Identifier: GPL-2.0
/* HTTP in the loop. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"

#define HEAD_MAX	(16 * 1024)	/* of a connection: request line and headers */
#define IDLE_S		30		/* without a byte */
#define REQUEST_NS	(60 * NS_PER_S)	/* from one request to the end of the next */
#define SWEEP_NS	(2 * NS_PER_S)
#define SMALL		(64 * 1024)	/* a body for which there is always room */
#define CONNECTIONS	4096		/* of all listeners */
/* What is read and dropped of a body that is too large, so that its sender sees the answer. */
#define DROPPED_MAX	(64UL << 20)

/*
 * Exchanges.
 */

const char *exchange_header(const struct exchange *exchange, const char *name)
{
	return MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, name);
}

const char *exchange_query(const struct exchange *exchange, const char *name)
{
	return MHD_lookup_connection_value(exchange->mhd, MHD_GET_ARGUMENT_KIND, name);
}

gnutls_session_t exchange_tls(const struct exchange *exchange)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(exchange->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info ? info->tls_session : NULL;
}

/* Bytes that an answer holds until it has been sent. */
struct held {
	struct http *http;
	size_t len;
	char *data;
};

static void release_held(void *data)
{
	struct held *held = data;

	held->http->held -= held->len;
	free(held->data);
	free(held);
}

static struct MHD_Response *hold(struct http *http, char *data, size_t len)
{
	struct held *held = malloc(sizeof(*held));
	struct MHD_Response *response = NULL;

	if (held) {
		*held = (struct held) { http, len, data };
		response = MHD_create_response_from_buffer_with_free_callback_cls(len, data,
				release_held, held);
	}
	if (response) {
		http->held += len;
		return response;
	}
	free(held);
	free(data);
	return NULL;
}

static struct MHD_Response *empty(void)
{
	return MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
}

void exchange_answer(struct exchange *exchange, unsigned int status, const char *type,
		     char *data, size_t len)
{
	exchange->response = len ? hold(exchange->http, data, len) : empty();
	if (!len)
		free(data);
	exchange->status = exchange->response ? status : MHD_HTTP_SERVICE_UNAVAILABLE;
	if (!exchange->response)
		exchange->response = empty();
	if (type)
		exchange_add(exchange, MHD_HTTP_HEADER_CONTENT_TYPE, type);
}

/* A header that can't be added is one that can't be sent: of a value with line ends, say. */
void exchange_add(struct exchange *exchange, const char *name, const char *value)
{
	if (exchange->response)
		(void)!MHD_add_response_header(exchange->response, name, value);
}

static void body_free(struct exchange *exchange)
{
	exchange->http->held -= exchange->counted;
	exchange->counted = 0;
	free(exchange->body);
	exchange->body = NULL;
	exchange->len = exchange->room = 0;
}

char *exchange_take_body(struct exchange *exchange, size_t *len)
{
	/* It has room to grow, which it does not need any more. */
	char *body = exchange->len ? realloc(exchange->body, exchange->len) : exchange->body;

	if (!body)
		body = exchange->body;
	*len = exchange->len;
	exchange->body = NULL;
	body_free(exchange);
	return body;
}

void exchange_send(struct exchange *exchange)
{
	exchange->gone = NULL;
	if (!exchange->suspended)
		return;
	exchange->suspended = false;
	exchange->http->resumed = true;
	MHD_resume_connection(exchange->mhd);
}

void exchange_wait(struct exchange *exchange)
{
	if (exchange->response)
		return;
	exchange->suspended = true;
	MHD_suspend_connection(exchange->mhd);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static struct exchange *exchange_new(struct http *http, struct MHD_Connection *mhd,
				     const char *url, const char *method)
{
	struct connection *connection = connection_of(mhd);
	struct exchange *exchange;

	if (!connection || !connection->listener)
		return NULL;
	exchange = calloc(1, sizeof(*exchange));
	if (!exchange)
		return NULL;
	exchange->connection = connection;
	exchange->mhd = mhd;
	exchange->http = http;
	snprintf(exchange->method, sizeof(exchange->method), "%s", method);
	exchange->path = strdup(url);
	if (exchange->path)
		return exchange;
	free(exchange);
	return NULL;
}

static const struct http_service *service_of(const struct exchange *exchange)
{
	return exchange->connection->listener->service;
}

/* False if there is no room. */
static bool make_room(struct exchange *exchange, size_t len)
{
	size_t room = exchange->room ? exchange->room : 4096;
	struct http *http = exchange->http;
	char *body;

	while (room < len)
		room *= 2;
	if (room == exchange->room)
		return true;
	/* Small ones are bounded by the number of connections. */
	if (room > SMALL && http->held + room - exchange->counted > http->held_max)
		return false;
	body = realloc(exchange->body, room);
	if (!body)
		return false;
	http->held += room - exchange->counted;
	exchange->counted = exchange->room = room;
	exchange->body = body;
	return true;
}

static void append(struct exchange *exchange, const char *data, size_t len)
{
	if (!exchange->too_large && !exchange->too_many) {
		exchange->too_large = exchange->len + len > service_of(exchange)->body_max;
		exchange->too_many = !exchange->too_large &&
				     !make_room(exchange, exchange->len + len);
		if (exchange->too_large || exchange->too_many)
			body_free(exchange);
		else
			memcpy(exchange->body + exchange->len, data, len);
	}
	exchange->len += len;
}

static enum MHD_Result reply(struct exchange *exchange)
{
	enum MHD_Result ret = MHD_queue_response(exchange->mhd, exchange->status,
						 exchange->response);

	MHD_destroy_response(exchange->response);
	exchange->response = NULL;
	return ret;
}

static void complete(struct exchange *exchange)
{
	const struct http_service *service = service_of(exchange);

	exchange->complete = true;
	exchange->connection->busy = true;
	if (exchange->too_large)
		service->too_large(exchange);
	else if (exchange->too_many)
		service->too_many(exchange);
	else
		service->request(exchange);
}

/* What says its size is refused before it is sent. */
static void begin(struct exchange *exchange)
{
	const char *length = exchange_header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);
	const struct http_service *service = service_of(exchange);

	if (length && strtoull(length, NULL, 10) > DROPPED_MAX)
		service->too_large(exchange);
	else if (service->begin)
		service->begin(exchange);
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *mhd, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *size, void **slot)
{
	struct exchange *exchange = *slot;

	(void)version;
	if (!exchange) {
		exchange = *slot = exchange_new(data, mhd, url, method);
		if (!exchange)
			return MHD_NO;
		begin(exchange);
		return exchange->response ? reply(exchange) : MHD_YES;
	}
	/* What it would be for has gone. */
	if (!exchange->connection->listener)
		return MHD_NO;
	if (*size) {
		append(exchange, upload, *size);
		*size = 0;
		return exchange->len > DROPPED_MAX ? MHD_NO : MHD_YES;
	}
	if (!exchange->complete)
		complete(exchange);
	return exchange->response ? reply(exchange) : MHD_YES;
}

static void on_completed(void *data, struct MHD_Connection *mhd, void **slot,
			 enum MHD_RequestTerminationCode code)
{
	struct exchange *exchange = *slot;

	(void)data;
	(void)mhd;
	(void)code;
	if (!exchange)
		return;
	exchange->connection->busy = false;
	exchange->connection->since = loop_now();
	if (exchange->gone)
		exchange->gone(exchange);
	if (exchange->connection->listener && service_of(exchange)->completed)
		service_of(exchange)->completed(exchange);
	if (exchange->response)
		MHD_destroy_response(exchange->response);
	body_free(exchange);
	free(exchange->path);
	free(exchange);
	*slot = NULL;
}

/*
 * Connections.
 */

static struct connection *connection_new(struct http *http, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection || !info || !http->accepting) {
		free(connection);
		return NULL;
	}
	connection->listener = http->accepting;
	connection->fd = info->connect_fd;
	connection->since = loop_now();
	http->accepting->connections++;
	TAILQ_INSERT_TAIL(&http->connections, connection, link);
	return connection;
}

static void accept_again(struct listener *listener)
{
	loop_change(listener->http->loop, &listener->watch, EPOLLIN);
}

static void on_connection(void *data, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct connection *connection = *context;
	struct http *http = data;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = connection_new(http, mhd);
		return;
	}
	if (!connection)
		return;
	if (connection->listener) {
		connection->listener->connections--;
		accept_again(connection->listener);
	}
	TAILQ_REMOVE(&http->connections, connection, link);
	free(connection);
	*context = NULL;
}

/* Who sends a byte now and then is idle for no time limit of the library's. */
static void sweep(struct timer *timer)
{
	struct http *http = container_of(timer, struct http, sweep);
	uint64_t now = loop_now();
	struct connection *connection;

	TAILQ_FOREACH(connection, &http->connections, link)
		if (!connection->busy && now - connection->since > REQUEST_NS)
			shutdown(connection->fd, SHUT_RDWR);
	loop_at(http->loop, timer, now + SWEEP_NS);
}

static void add_connection(struct listener *listener, int fd, const struct sockaddr_storage *address,
			   socklen_t len)
{
	listener->http->accepting = listener;
	/* Closes it if it can't be added. */
	(void)!MHD_add_connection(listener->http->daemon, fd, (const struct sockaddr *)address, len);
	listener->http->accepting = NULL;
}

static void on_accept(struct watch *watch, uint32_t events)
{
	struct listener *listener = container_of(watch, struct listener, watch);
	struct http *http = listener->http;
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	int fd;

	(void)events;
	if (listener->connections >= listener->service->connections_max) {
		loop_change(http->loop, watch, 0);
		return;
	}
	fd = accept4(watch->fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (listener->service->admit && !listener->service->admit(listener, fd)) {
		close(fd);
		return;
	}
	add_connection(listener, fd, &address, len);
}

int listener_open(struct listener *listener, struct http *http, int fd,
		  const struct http_service *service, void *data, struct error *err)
{
	*listener = (struct listener) {
		.http = http, .service = service, .data = data,
		.watch = { .fd = -1, .ready = on_accept },
	};
	if (!loop_watch(http->loop, &listener->watch, fd, EPOLLIN, err))
		return 0;
	close(fd);
	return -1;
}

void listener_adopt(struct listener *listener, int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	if (getpeername(fd, (struct sockaddr *)&address, &len))
		close(fd);
	else
		add_connection(listener, fd, &address, len);
}

void listener_close(struct listener *listener)
{
	struct connection *connection;

	if (!listener->http)
		return;
	loop_unwatch(listener->http->loop, &listener->watch);
	TAILQ_FOREACH(connection, &listener->http->connections, link) {
		if (connection->listener != listener)
			continue;
		connection->listener = NULL;
		shutdown(connection->fd, SHUT_RDWR);
	}
	listener->http = NULL;
}

/*
 * The library.
 */

static void on_ready(struct watch *watch, uint32_t events)
{
	struct http *http = container_of(watch, struct http, watch);

	(void)events;
	(void)!MHD_run(http->daemon);
}

bool http_is_answering(const struct http *http, const struct http_service *service)
{
	const struct connection *connection;

	TAILQ_FOREACH(connection, &http->connections, link)
		if (connection->busy && (!service || (connection->listener &&
						      connection->listener->service == service)))
			return true;
	return false;
}

int http_run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;

	/* Of those that are resumed it tells by nothing. */
	while (http->resumed || (MHD_get_timeout(http->daemon, &ms) == MHD_YES && !ms)) {
		http->resumed = false;
		(void)!MHD_run(http->daemon);
	}
	if (MHD_get_timeout(http->daemon, &ms) != MHD_YES)
		return -1;
	return ms < 60000 ? ms : 60000;
}

static int start(struct http *http, const struct tls *tls, struct error *err)
{
	const unsigned int flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
				   MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | (tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem secure[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? tls->certificate : NULL },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? tls->key : NULL },
		{ MHD_OPTION_HTTPS_MEM_TRUST, 0, tls ? tls->ca : NULL },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
		{ MHD_OPTION_END, 0, NULL },
	};

	if (!tls)
		secure[0].option = MHD_OPTION_END;

	http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, http,
			MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
			MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
			MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS,
			MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX,
			MHD_OPTION_STRICT_FOR_CLIENT, 1,
			MHD_OPTION_ARRAY, secure,
			MHD_OPTION_END);
	if (!http->daemon)
		return error_set(err, errno, "HTTP cannot be served: %s", strerror(errno));
	return 0;
}

int http_open(struct http *http, struct loop *loop, size_t held_max, const struct tls *tls,
	      struct error *err)
{
	const union MHD_DaemonInfo *info;
	int fd;

	*http = (struct http) {
		.loop = loop, .held_max = held_max,
		.watch = { .fd = -1, .ready = on_ready }, .sweep = { .fire = sweep },
	};
	TAILQ_INIT(&http->connections);
	if (start(http, tls, err))
		return -1;
	info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	fd = dup(info->epoll_fd);
	if (fd < 0 || loop_watch(loop, &http->watch, fd, EPOLLIN, err))
		return error_set(err, errno, "HTTP cannot be served: %s", strerror(errno));
	loop_at(loop, &http->sweep, loop_now() + SWEEP_NS);
	return 0;
}

void http_close(struct http *http)
{
	loop_cancel(http->loop, &http->sweep);
	loop_unwatch(http->loop, &http->watch);
	MHD_stop_daemon(http->daemon);
}
