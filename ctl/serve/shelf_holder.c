// SPDX-License-Identifier: GPL-2.0
/*
 * The process that holds a shelf where no service manager does. It is forked from the coordinator,
 * so that its memory is the coordinator's, and does nothing but receive and close descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/late.h"
#include "lib/spawn.h"
#include "shelf_holder.h"

#define COMM		"coppice-shelf"
#define AGAIN_MS	1000	/* until it is tried again to expire */
#define AGAIN_MAX	10	/* times; then it is another shelf's coordinator that is there */

struct item {
	char name[SHELF_NAME_SIZE];
	int fds[SHELF_FDS_MAX];
	unsigned int nr;
	TAILQ_ENTRY(item) link;
};

struct holder {
	int socket, lease;
	int patience_ms;
	TAILQ_HEAD(items, item) items;
};

static void close_all(const int *fds, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		close(fds[i]);
}

int holder_receive(int socket, char *text, unsigned int size, int fds[SHELF_FDS_MAX],
		   unsigned int *nr)
{
	char room[CMSG_SPACE(SHELF_FDS_MAX * sizeof(int))] __attribute__((aligned(8)));
	struct iovec to = { .iov_base = text, .iov_len = size - 1 };
	struct msghdr message = {
		.msg_iov = &to, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room),
	};
	const struct cmsghdr *rights;
	ssize_t len;

	*nr = 0;
	do {
		len = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -1;
	text[len] = '\0';
	rights = CMSG_FIRSTHDR(&message);
	if (rights && rights->cmsg_type == SCM_RIGHTS) {
		*nr = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(rights), *nr * sizeof(int));
	}
	return len;
}

static void store(struct holder *holder, const char *name, const int *fds, unsigned int nr)
{
	struct item *item = calloc(1, sizeof(*item));

	if (!item) {
		close_all(fds, nr);
		return;
	}
	snprintf(item->name, sizeof(item->name), "%s", name);
	memcpy(item->fds, fds, nr * sizeof(int));
	item->nr = nr;
	TAILQ_INSERT_TAIL(&holder->items, item, link);
}

static void remove_named(struct holder *holder, const char *name)
{
	struct item *item, *next;

	for (item = TAILQ_FIRST(&holder->items); item; item = next) {
		next = TAILQ_NEXT(item, link);
		if (strcmp(item->name, name))
			continue;
		TAILQ_REMOVE(&holder->items, item, link);
		close_all(item->fds, item->nr);
		free(item);
	}
}

/* To a coordinator that has come; it may go again before it has read them. */
static void lend(struct holder *holder, int lease)
{
	const struct item *item;

	if (holder->lease >= 0)
		close(holder->lease);
	holder->lease = lease;
	TAILQ_FOREACH(item, &holder->items, link)
		if (!systemd_send(lease, item->name, item->fds, item->nr))
			return;
	(void)systemd_send(lease, HOLDER_END, NULL, 0);
}

static void take_message(struct holder *holder)
{
	int fds[SHELF_FDS_MAX];
	char text[128];
	const char *name;
	unsigned int nr;

	if (holder_receive(holder->socket, text, sizeof(text), fds, &nr) < 0)
		return;
	name = strstr(text, HOLDER_NAME);
	name = name ? name + strlen(HOLDER_NAME) : NULL;
	if (!strncmp(text, HOLDER_LEASE, strlen(HOLDER_LEASE)) && nr == 1) {
		holder->patience_ms = atoi(text + strlen(HOLDER_LEASE)) * 1000;
		lend(holder, fds[0]);
		return;
	}
	if (name && !strncmp(text, HOLDER_STORE, strlen(HOLDER_STORE))) {
		store(holder, name, fds, nr);
		return;
	}
	if (name && !strncmp(text, HOLDER_REMOVE, strlen(HOLDER_REMOVE)))
		remove_named(holder, name);
	close_all(fds, nr);
}

/* Until there is nothing to hold, or nobody has come for it. */
static void serve(struct holder *holder, bool (*expire)(void))
{
	int wait_ms = AGAIN_MS, tries = 0;

	for (;;) {
		struct pollfd polled[] = {
			{ .fd = holder->socket, .events = POLLIN },
			{ .fd = holder->lease },
		};
		int nr = poll(polled, 2, wait_ms);

		/* What the coordinator said last comes before its end. */
		if (nr > 0 && polled[0].revents) {
			take_message(holder);
			tries = 0;
			wait_ms = holder->lease >= 0 ? -1 : holder->patience_ms;
		} else if (nr > 0) {
			close(holder->lease);
			holder->lease = -1;
			wait_ms = holder->patience_ms;
			if (TAILQ_EMPTY(&holder->items))
				return;
		} else if (!nr) {
			if (expire() || ++tries == AGAIN_MAX)
				return;
			wait_ms = AGAIN_MS;
		}
	}
}

/* Nothing of the coordinator's, whose lock it would hold and whose log's reader would wait for it. */
static void become_holder(int socket, bool (*expire)(void))
{
	struct holder holder = { .lease = -1 };
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	prctl(PR_SET_NAME, COMM);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
	    (socket != 3 && dup2(socket, 3) < 0) || close_range(4, ~0U, 0) || chdir("/"))
		_exit(1);
	holder.socket = 3;
	TAILQ_INIT(&holder.items);
	serve(&holder, expire);
	_exit(0);
}

/* It is nobody's child, so that nobody has to wait for it. */
bool holder_start(int socket, bool (*expire)(void))
{
	struct error ignored;
	int status;
	pid_t pid;

	/* To end tasks it reads what functions there are. */
	late_give_to_children();
	pid = spawn_fork(-1, &ignored);
	if (!pid) {
		pid = spawn_fork(-1, &ignored);
		if (!pid)
			become_holder(socket, expire);
		_exit(pid < 0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}
