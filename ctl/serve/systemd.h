/* SPDX-License-Identifier: GPL-2.0 */
/* What a service manager gives and is told: sd_listen_fds(3), sd_notify(3). */
#ifndef COPPICE_SYSTEMD_H
#define COPPICE_SYSTEMD_H

/* Descriptors that were handed over, from *first on; forgets that there were any. */
unsigned int systemd_listen_fds(int *first);
/* "READY=1"; nothing where nobody wants to know. */
void systemd_notify(const char *state);

#endif /* COPPICE_SYSTEMD_H */
