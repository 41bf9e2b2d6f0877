/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Handlers behind TLS or a relay: HAProxy takes the tasks' TLS connections with certificates of the hub's
 * CA, or plain ones, and passes plain ones to the handler. What there is of them is in
 * /var/lib/coppice/handler/NAME.json.
 */
#ifndef COPPICE_TERMINATOR_H
#define COPPICE_TERMINATOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca.h"
#include "redirect.h"
#include "service.h"

struct tls_handler {
	const char *name;
	const char *const *hosts;
	size_t nr_hosts;		/* none: a relay, without TLS */
	struct endpoint to;		/* the plain handler */
	struct endpoint listen;		/* port 0: one that is free */
	bool http;			/* know requests from each other, HTTP/2 too */
	bool proxy;			/* tell the handler who asks, by the PROXY protocol */
};

/* In force when this returns; @handler->listen is where it listens. Refused, nothing changes. */
int __must_check terminator_add(struct tls_handler *handler, struct error *err);
int __must_check terminator_delete(const char *name, struct error *err);

/* Objects {name, hosts, to, listen, http, proxy}, by name. */
json_t *terminator_list(struct error *err);

/* Is this where one of them listens with TLS? 1 or 0, or -1 where that cannot be told. */
int __must_check terminator_listens_at(const struct endpoint *handler, struct error *err);

#endif /* COPPICE_TERMINATOR_H */
