/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addresses for hosts under wildcards: the responder asks for them by datagrams, before it
 * answers the task that asks for such a host for the first time.
 */
#ifndef COPPICE_RESPONDER_HOSTS_H
#define COPPICE_RESPONDER_HOSTS_H

#include "error.h"
#include "responder.h"

/* On 127.0.0.1, behind those of the views. */
#define RESPONDER_HOSTS_PORT	(RESPONDER_PORT + NAMES_VIEWS)

/* Who asks has to know a secret, which is in a file that the responder's script reads. */
int __must_check responder_hosts_write_token(struct error *err);

/* The socket at which it is asked; -1. */
int __must_check responder_hosts_open(struct error *err);
/* Answer, for good. */
void responder_hosts_serve(int socket) __attribute__((noreturn));

#endif /* COPPICE_RESPONDER_HOSTS_H */
