// SPDX-License-Identifier: GPL-2.0
/*
 * Which devices the tasks of a group may open: those of the map, and no other. Nothing may be
 * made with mknod(), whatever the map says. Attached to a group's cgroup; one map a group.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "coppice/devices.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEVICES_MAX);
	__type(key, struct device_key);
	__type(value, __u32);
} devices SEC(".maps");

SEC("cgroup/dev")
int coppice_device(struct bpf_cgroup_dev_ctx *ctx)
{
	struct device_key key = {
		.type = ctx->access_type & 0xffff,
		.major = ctx->major,
		.minor = ctx->minor,
	};
	__u32 wanted = ctx->access_type >> 16;
	const __u32 *allowed = bpf_map_lookup_elem(&devices, &key);

	return allowed && !(wanted & BPF_DEVCG_ACC_MKNOD) && !(wanted & ~*allowed);
}

char _license[] SEC("license") = "GPL";
