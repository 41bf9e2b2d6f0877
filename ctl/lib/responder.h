/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hub's DNS responder: PowerDNS Recursor, which answers overridden names by the group's
 * view and forwards the rest to the hub's own resolvers.
 */
#ifndef COPPICE_RESPONDER_H
#define COPPICE_RESPONDER_H

#include "names.h"
#include "service.h"

/* Port of the first view, on 127.0.0.1 and ::1, UDP and TCP. */
#define RESPONDER_PORT	20053

/* Have it answer by the names that are committed: in force when this returns. */
int __must_check responder_apply(struct error *err);

/* Refuse now what would fail later: is the program there? */
int __must_check responder_check(struct error *err);

#endif /* COPPICE_RESPONDER_H */
