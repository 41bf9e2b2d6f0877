/* SPDX-License-Identifier: GPL-2.0 */
/* Generic netlink family "coppice": requests, dumps and events, with the kernel's own refusals. */
#ifndef COPPICE_NETLINK_H
#define COPPICE_NETLINK_H

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdint.h>

#include "error.h"

struct nl_sock;

struct netlink {
	struct nl_sock *sock;
	int family;
};

int __must_check netlink_open(struct netlink *netlink, struct error *err);
void netlink_close(struct netlink *netlink);

/* A request to be filled in with nla_put_*(), or NULL. netlink_call() frees it. */
struct nl_msg *netlink_request(const struct netlink *netlink, uint8_t cmd, int flags,
			       struct error *err);

/* One reply or event: its attributes, indexed by number. Returns 0, or -1 with err set. */
typedef int (*netlink_fn)(uint8_t cmd, struct nlattr **attrs, void *data, struct error *err);

/*
 * Send @msg and hand its replies to @fn (may be NULL). A refusal becomes the kernel's
 * sentence in @err. Returns 1 if a dump was inconsistent and must be asked for again. If
 * the request or its answer is lost, the connection is closed: it can be opened again.
 */
int __must_check netlink_call(struct netlink *netlink, struct nl_msg *msg, netlink_fn fn,
			      void *data, struct error *err);

/* Hand events to @fn until it fails. */
int __must_check netlink_events(struct netlink *netlink, netlink_fn fn, void *data,
				struct error *err);

#endif /* COPPICE_NETLINK_H */
