/* SPDX-License-Identifier: GPL-2.0 */
/* The process that holds a shelf where there is no service manager to do it. */
#ifndef COPPICE_SHELF_HOLDER_H
#define COPPICE_SHELF_HOLDER_H

#include <stdbool.h>

#include "shelf.h"

/* The words of sd_notify(3), each with "\nFDNAME=NAME" behind it. */
#define HOLDER_STORE	"FDSTORE=1\nFDPOLL=0"
#define HOLDER_REMOVE	"FDSTOREREMOVE=1"
#define HOLDER_NAME	"\nFDNAME="
/* Ours, with a socket: all that is held is sent there, and then this. It closes with the coordinator. */
#define HOLDER_LEASE	"X_COPPICE_LEASE="	/* and seconds to be waited then */
#define HOLDER_END	"."

/* Serve @socket in a process of its own; false if there is none. */
bool holder_start(int socket, bool (*expire)(void));

/* A message and the descriptors with it: its length, 0 at the end, or -1. */
int holder_receive(int socket, char *text, unsigned int size, int fds[SHELF_FDS_MAX],
		   unsigned int *nr);

#endif /* COPPICE_SHELF_HOLDER_H */
