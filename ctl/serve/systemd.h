/* SPDX-License-Identifier: GPL-2.0 */
/* What a service manager gives and is told: sd_listen_fds(3), sd_notify(3). */
#ifndef COPPICE_SYSTEMD_H
#define COPPICE_SYSTEMD_H

#include <stdbool.h>

#define SYSTEMD_FDS_MAX	8	/* in one message */

/*
 * The descriptors that were handed over, by number from 0 on, each with its name ("" if it has
 * none); -1 behind the last. Forgets the environment's word of them.
 */
int systemd_fd(unsigned int number, const char **name);
/* "READY=1"; nothing where nobody wants to know. */
void systemd_notify(const char *state);

/* The same to a socket of one's own choice: connected, or -1. */
int systemd_connect(const char *path);
bool systemd_send(int socket, const char *state, const int *fds, unsigned int nr);

#endif /* COPPICE_SYSTEMD_H */
