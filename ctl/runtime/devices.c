/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of devices: noted in the template, opened again in each task and after each reset,
 * under the same numbers. As in resume.c nothing here calls libc.
 */
#include <fcntl.h>
#include <stdbool.h>

#include "devices.h"
#include "state.h"
#include "syscall.h"

/* What open(2) takes and matters to such a device; close-on-exec is a descriptor's own. */
#define KEPT (O_ACCMODE | O_APPEND | O_NONBLOCK | O_PATH)

/* Those above are not noted: the controller refuses the template. */
void coppice_devices_collect(struct coppice_state *state)
{
	struct stat st;
	int fd;

	for (fd = STDERR_FILENO + 1; fd < COPPICE_DEVICES_END; fd++) {
		if (raw_call(SYS_fstat, fd, &st) || !device_path(&st))
			continue;
		state->devices[state->nr_devices++] = (struct coppice_device) {
			.path = device_path(&st),
			.rdev = st.st_rdev,
			.fd = fd,
			.flags = (raw_call(SYS_fcntl, fd, F_GETFL) & KEPT) |
				 (raw_call(SYS_fcntl, fd, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0),
		};
	}
}

/* It has to be what the path is for: something else may be mounted there. */
static bool is_device(int fd, const struct coppice_device *device)
{
	struct stat st;

	return fd >= 0 && !raw_call(SYS_fstat, fd, &st) && S_ISCHR(st.st_mode) &&
	       st.st_rdev == device->rdev;
}

static bool open_again(const struct coppice_device *device)
{
	int fd = raw_call(SYS_openat, AT_FDCWD, device->path, device->flags);
	bool ok = is_device(fd, device);

	if (ok && fd == device->fd)
		return true;
	ok = ok && raw_call(SYS_dup3, fd, device->fd, device->flags & O_CLOEXEC) == device->fd;
	raw_call(SYS_close, fd);
	return ok;
}

int coppice_devices_open(const struct coppice_state *state)
{
	unsigned int i;

	for (i = 0; i < state->nr_devices; i++)
		if (!open_again(&state->devices[i]))
			return -1;
	return 0;
}
