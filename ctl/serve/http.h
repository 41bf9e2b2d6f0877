/* SPDX-License-Identifier: GPL-2.0 */
/* HTTP in the loop, by libmicrohttpd: listeners, their connections, and exchanges on them. */
#ifndef COPPICE_HTTP_H
#define COPPICE_HTTP_H

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <sys/types.h>

#include "loop.h"
#include "tls.h"

struct exchange;
struct listener;

/* What answers on a listener. */
struct http_service {
	size_t body_max;
	unsigned int connections_max;
	/* Whether the connection may stay; NULL: any. */
	bool (*admit)(const struct listener *listener, int fd);
	/* The head is there: may answer already, and the body is not taken then. NULL: nothing. */
	void (*begin)(struct exchange *exchange);
	/* All of it is there. Answers, now or later. */
	void (*request)(struct exchange *exchange);
	/* The body has more than body_max bytes. */
	void (*too_large)(struct exchange *exchange);
	/* There is no memory for the body for now. */
	void (*too_many)(struct exchange *exchange);
	/* It has been answered, or its connection is gone. NULL: nothing. */
	void (*completed)(struct exchange *exchange);
};

struct http {
	struct loop *loop;
	struct MHD_Daemon *daemon;
	struct watch watch;
	struct timer sweep;
	size_t held, held_max;	/* bytes of bodies */
	TAILQ_HEAD(connections, connection) connections;
	struct listener *accepting;
	bool resumed;		/* the library has something to do */
};

struct listener {
	struct http *http;
	const struct http_service *service;
	void *data;		/* the service's */
	struct watch watch;
	unsigned int connections;
};

struct connection {
	struct listener *listener;	/* NULL: it has been closed */
	int fd;
	bool busy;		/* a request is being answered */
	uint64_t since;		/* that it waits for a whole request */
	TAILQ_ENTRY(connection) link;
};

/* A request and its answer. */
struct exchange {
	struct connection *connection;
	struct MHD_Connection *mhd;
	struct http *http;
	char method[16];
	char *path;
	char *body;
	size_t len, room, counted;
	bool too_large, too_many, suspended, complete;
	unsigned int status;
	struct MHD_Response *response;
	/* The connection has gone before an answer. NULL: nobody wants to know. */
	void (*gone)(struct exchange *exchange);
	void *data;
};

/* With @tls (or NULL) all connections are of TLS, and clients may show a certificate. */
int __must_check http_open(struct http *http, struct loop *loop, size_t held_max,
			   const struct tls *tls, struct error *err);
/* Ends all connections; exchanges are told that they are gone. */
void http_close(struct http *http);
/* Is there a request to @service (NULL: any) that has come whole and has not all of its answer? */
bool http_is_answering(const struct http *http, const struct http_service *service);
/* What is to be done before waiting; how long that may be at most, or -1. */
int http_run(struct http *http);

/* Takes over the listening socket @fd. */
int __must_check listener_open(struct listener *listener, struct http *http, int fd,
			       const struct http_service *service, void *data, struct error *err);
/* Takes over a connection to it that an earlier process had accepted. */
void listener_adopt(struct listener *listener, int fd);
/* Ends its connections. */
void listener_close(struct listener *listener);

const char *exchange_header(const struct exchange *exchange, const char *name);
/* NULL: it is no TLS. */
gnutls_session_t exchange_tls(const struct exchange *exchange);
const char *exchange_query(const struct exchange *exchange, const char *name);
/* The body, from malloc(), is the caller's from now on. */
char *exchange_take_body(struct exchange *exchange, size_t *len);
/*
 * An answer: fill it in, add headers and send it. Takes over @data (from malloc(), or NULL).
 */
void exchange_answer(struct exchange *exchange, unsigned int status, const char *type,
		     char *data, size_t len);
void exchange_add(struct exchange *exchange, const char *name, const char *value);
void exchange_send(struct exchange *exchange);
/* The service will answer later. */
void exchange_wait(struct exchange *exchange);

#endif /* COPPICE_HTTP_H */
