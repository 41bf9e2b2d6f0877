// SPDX-License-Identifier: GPL-2.0
/*
 * What a service manager gives and is told. Both protocols are simple and promised to stay, and
 * libsystemd would bring more memory than all of the coordinator has.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "systemd.h"

#define LISTEN_FIRST	3

unsigned int systemd_listen_fds(int *first)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	unsigned int nr = 0, i;

	if (pid && fds && atoi(pid) == getpid())
		nr = atoi(fds);
	for (i = 0; i < nr; i++)
		fcntl(LISTEN_FIRST + i, F_SETFD, FD_CLOEXEC);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	*first = LISTEN_FIRST;
	return nr;
}

void systemd_notify(const char *state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	autoclose int fd = -1;

	if (!path || !*path || strlen(path) >= sizeof(address.sun_path))
		return;
	strcpy(address.sun_path, path);
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
			      offsetof(struct sockaddr_un, sun_path) + strlen(path));
}
