/* SPDX-License-Identifier: GPL-2.0 */
/* Devices of a group: what bpf/devices.bpf.c and the controller have in common. */
#ifndef COPPICE_DEVICES_MAP_H
#define COPPICE_DEVICES_MAP_H

#include <linux/types.h>

#define DEVICES_MAX	256

/* The value is a mask of BPF_DEVCG_ACC_READ and BPF_DEVCG_ACC_WRITE. */
struct device_key {
	__u32 type;		/* BPF_DEVCG_DEV_CHAR or BPF_DEVCG_DEV_BLOCK */
	__u32 major, minor;
};

#endif /* COPPICE_DEVICES_MAP_H */
