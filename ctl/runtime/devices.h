/* SPDX-License-Identifier: MIT */
/*
 * Devices that are the same for everybody and remember nothing of who has them open, so that a
 * template may: its tasks open them again. Shared by libcoppice and the controller.
 */
#ifndef COPPICE_RUNTIME_DEVICES_H
#define COPPICE_RUNTIME_DEVICES_H

#include <stddef.h>
#include <sys/stat.h>

/* Descriptors from here on are not carried: the first one is the runtime's in each task. */
#define COPPICE_DEVICES_END	63

/* Where such a device is, or NULL if this is none. */
static inline const char *device_path(const struct stat *st)
{
	if (!S_ISCHR(st->st_mode))
		return NULL;
	/* Major 1: Documentation/admin-guide/devices.txt of the kernel. */
	switch (st->st_rdev) {
	case 0x103:
		return "/dev/null";
	case 0x105:
		return "/dev/zero";
	case 0x107:
		return "/dev/full";
	case 0x108:
		return "/dev/random";
	case 0x109:
		return "/dev/urandom";
	}
	return NULL;
}

#endif /* COPPICE_RUNTIME_DEVICES_H */
