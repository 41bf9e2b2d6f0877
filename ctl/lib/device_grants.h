/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which devices the tasks of a group may open: an eBPF program on the group's cgroup, which
 * stays attached without a controller. Pinned with its map:
 *
 *	/sys/fs/bpf/coppice/devices/GROUP/{program,allowed}
 */
#ifndef COPPICE_DEVICE_GRANTS_H
#define COPPICE_DEVICE_GRANTS_H

#include <stdbool.h>

#include "error.h"
#include "grants.h"

/*
 * From now on only what @grants say and what every function has (enclosure_devices), for
 * running tasks, too, but not for what they have open. @path: of the cgroup.
 */
int __must_check device_grants_set(const char *group, const char *path, const struct grants *grants,
			     struct error *err);
/* The cgroup is restricted no longer. No error if it was not. */
int __must_check device_grants_forget(const char *group, struct error *err);
bool device_grants_attached(const char *group);

#endif /* COPPICE_DEVICE_GRANTS_H */
