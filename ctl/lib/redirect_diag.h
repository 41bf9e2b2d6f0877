/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to redirect*.c: sockets of this network namespace, as the kernel's sock_diag
 * shows them, with what the programs recorded of them.
 */
#ifndef COPPICE_REDIRECT_DIAG_H
#define COPPICE_REDIRECT_DIAG_H

#include <linux/inet_diag.h>
#include <stdbool.h>

#include "coppice/redirect.h"
#include "error.h"

struct diag_socket {
	__u8 family, protocol;
	struct inet_diag_sockid id;
	__u64 cookie;
	__u64 cgroup;				/* in which it was made; 0: not known */
	const struct origin_value *kept;	/* its record in "origin_kept"; NULL: none */
};

#define DIAG_LISTEN	(1 << 10)		/* TCP_LISTEN */
#define DIAG_UNBOUND	(1 << 7)		/* TCP_CLOSE: UDP that is not connected */
#define DIAG_CONNECTED	(0xfff & ~DIAG_LISTEN & ~(1 << 6) /* TCP_TIME_WAIT */)

struct diag_query {
	__u8 protocol;
	__u32 states;
	__u16 port;		/* the socket's own; 0: any */
	int kept;		/* the map "origin_kept", or -1: no records */
};

typedef int (*diag_fn)(const struct diag_socket *socket, void *data);
/* Sockets of both families; a non-zero result of @fn ends it and is returned. */
int __must_check diag_each(const struct diag_query *query, diag_fn fn, void *data,
			   struct error *err);
/* Reset a connection: its owner gets ECONNABORTED. */
int __must_check diag_destroy(const struct diag_socket *socket, struct error *err);

/* An address of a socket as 16 bytes, IPv4 as ::ffff:a.b.c.d. */
void diag_address(__u8 family, const __be32 from[4], __u8 to[16]);

#endif /* COPPICE_REDIRECT_DIAG_H */
