// SPDX-License-Identifier: GPL-2.0
/* Idmapped mounts: which file systems can is known to the kernel alone. */
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "cleanup.h"
#include "idmap.h"
#include "idmap_probe.h"

bool idmap_probe(int fd)
{
	/* Which owners is of no matter. */
	const struct grant any = {
		.source = "",
		.uids = { .list = { { 0, 1, 1 } }, .nr = 1 },
		.gids = { .list = { { 0, 1, 1 } }, .nr = 1 },
	};
	struct error ignored;
	autoclose int namespace = idmap_open(&any, &ignored);
	autoclose int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = namespace,
	};

	return namespace >= 0 && tree >= 0 &&
	       !mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes));
}
