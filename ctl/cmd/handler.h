/* SPDX-License-Identifier: GPL-2.0 */
/* What the commands have in common that put the terminator in front of a handler. */
#ifndef COPPICE_CMD_HANDLER_H
#define COPPICE_CMD_HANDLER_H

#include "cmd.h"
#include "lib/terminator.h"

enum { HANDLER_TO = 256, HANDLER_LISTEN, HANDLER_PROXY, HANDLER_OWN };

/* One of those options, into @handler; 1: it is none of them. */
int __must_check handler_option(int key, char *arg, struct tls_handler *handler,
				struct error *err);
/* Add it and say where it listens. */
int __must_check handler_add(const struct context *ctx, struct tls_handler *handler,
			     struct error *err);

#endif /* COPPICE_CMD_HANDLER_H */
