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
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "systemd.h"

#define LISTEN_FIRST	3
#define PATIENCE_S	2	/* with a manager that does not read what it is told */

static struct {
	bool read;
	unsigned int nr;
	char **names;		/* as many, or NULL */
} handed;

static void name_all(char *text)
{
	unsigned int i;

	handed.names = calloc(handed.nr, sizeof(*handed.names));
	for (i = 0; handed.names && i < handed.nr; i++)
		handed.names[i] = strsep(&text, ":");
}

/* The names stay for good. */
static void read_environment(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	unsigned int i;

	handed.read = true;
	if (pid && fds && atoi(pid) == getpid())
		handed.nr = atoi(fds);
	for (i = 0; i < handed.nr; i++)
		fcntl(LISTEN_FIRST + i, F_SETFD, FD_CLOEXEC);
	if (names && handed.nr)
		name_all(strdup(names));
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

int systemd_fd(unsigned int number, const char **name)
{
	if (!handed.read)
		read_environment();
	if (number >= handed.nr)
		return -1;
	*name = handed.names && handed.names[number] ? handed.names[number] : "";
	return LISTEN_FIRST + number;
}

int systemd_connect(const char *path)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (!path || !*path || strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) &&
	    !connect(fd, (struct sockaddr *)&address,
		     offsetof(struct sockaddr_un, sun_path) + strlen(path)))
		return fd;
	cleanup_close(&fd);
	return -1;
}

bool systemd_send(int socket, const char *state, const int *fds, unsigned int nr)
{
	char room[CMSG_SPACE(SYSTEMD_FDS_MAX * sizeof(int))] __attribute__((aligned(8))) = {};
	struct iovec text = { .iov_base = (char *)state, .iov_len = strlen(state) };
	struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1 };
	struct cmsghdr *rights = (struct cmsghdr *)room;

	if (nr) {
		message.msg_control = room;
		message.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		*rights = (struct cmsghdr) {
			.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(nr * sizeof(int)),
		};
		memcpy(CMSG_DATA(rights), fds, nr * sizeof(int));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

void systemd_notify(const char *state)
{
	autoclose int fd = systemd_connect(getenv("NOTIFY_SOCKET"));

	if (fd >= 0)
		(void)systemd_send(fd, state, NULL, 0);
}
