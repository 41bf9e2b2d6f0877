// SPDX-License-Identifier: GPL-2.0
/* Descriptors that outlive the coordinator. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "log.h"
#include "shelf.h"
#include "shelf_holder.h"

#define SOCKET		RUN_DIRECTORY "/serve.shelf"

bool shelf_has_name(const char *name)
{
	return !strncmp(name, SHELF_PREFIX, strlen(SHELF_PREFIX));
}

/*
 * The service manager's. It says that it has one; before version 254 of systemd the unit says so.
 */

static bool manager_has_one(void)
{
	const char *max = getenv("FDSTORE");

	return max && atoi(max) > 0 && getenv("NOTIFY_SOCKET");
}

static void take_from_manager(struct shelf *shelf, shelf_fn fn, void *data)
{
	const char *name;
	unsigned int i;
	int fd;

	shelf->fd = systemd_connect(getenv("NOTIFY_SOCKET"));
	for (i = 0; (fd = systemd_fd(i, &name)) >= 0; i++)
		if (shelf_has_name(name))
			fn(name, fd, data);
}

/*
 * Our own.
 */

/* Root's alone. The coordinator's lock says that nobody else makes one now. */
static int make_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	mode_t mask = umask(0177);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool bound;

	unlink(SOCKET);
	bound = fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (bound)
		return fd;
	cleanup_close(&fd);
	return -1;
}

static bool start(struct shelf *shelf, bool (*expire)(void))
{
	autoclose int fd = make_socket();

	if (fd < 0 || !holder_start(fd, expire))
		return false;
	shelf->fd = systemd_connect(SOCKET);
	return shelf->fd >= 0;
}

static void hand_out(shelf_fn fn, const char *name, const int *fds, unsigned int nr, void *data)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		fn(name, fds[i], data);
}

/* False if it ended meanwhile. */
static bool take_from_holder(struct shelf *shelf, unsigned int patience_s, shelf_fn fn, void *data)
{
	char text[64];
	int ends[2], fds[SHELF_FDS_MAX];
	unsigned int nr;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return false;
	snprintf(text, sizeof(text), HOLDER_LEASE "%u", patience_s);
	shelf->lease = ends[0];
	if (!systemd_send(shelf->fd, text, &ends[1], 1)) {
		close(ends[1]);
		return false;
	}
	close(ends[1]);
	while (holder_receive(shelf->lease, text, sizeof(text), fds, &nr) > 0) {
		if (!strcmp(text, HOLDER_END))
			return true;
		hand_out(fn, text, fds, nr, data);
	}
	return false;
}

void shelf_open(struct shelf *shelf, unsigned int patience_s, bool (*expire)(void), shelf_fn fn,
		void *data)
{
	*shelf = SHELF_NONE;
	if (manager_has_one()) {
		take_from_manager(shelf, fn, data);
		return;
	}
	shelf->fd = systemd_connect(SOCKET);
	if (shelf->fd >= 0 && take_from_holder(shelf, patience_s, fn, data))
		return;
	shelf_close(shelf);
	if (start(shelf, expire) && take_from_holder(shelf, patience_s, fn, data))
		return;
	shelf_close(shelf);
	log_event(LOG_WARNING, "no-shelf", "reason",
		  "no process can be started that holds tasks' descriptors: they will end with this coordinator", NULL);
}

void shelf_close(struct shelf *shelf)
{
	cleanup_close(&shelf->fd);
	cleanup_close(&shelf->lease);
	*shelf = SHELF_NONE;
}

bool shelf_put(struct shelf *shelf, const char *name, const int *fds, unsigned int nr)
{
	char text[128];

	snprintf(text, sizeof(text), HOLDER_STORE HOLDER_NAME "%s", name);
	return shelf->fd >= 0 && systemd_send(shelf->fd, text, fds, nr);
}

void shelf_drop(struct shelf *shelf, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), HOLDER_REMOVE HOLDER_NAME "%s", name);
	if (shelf->fd >= 0)
		(void)systemd_send(shelf->fd, text, NULL, 0);
}

void *shelf_map(int fd, size_t size)
{
	struct stat stat_;
	void *memory;

	if (fd < 0 || fstat(fd, &stat_) || stat_.st_size != (off_t)size)
		return NULL;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}
