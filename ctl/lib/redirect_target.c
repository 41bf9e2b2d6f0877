// SPDX-License-Identifier: GPL-2.0
/* The cgroup that programs of a group are, or are to be, attached to. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "redirect_target.h"

static int cgroup_id(int fd, __u64 *id)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + sizeof(*id)];
	} u = { .handle.handle_bytes = sizeof(*id) };
	int mount;

	if (name_to_handle_at(fd, "", &u.handle, &mount, AT_EMPTY_PATH))
		return -1;
	memcpy(id, u.handle.f_handle, sizeof(*id));
	return 0;
}

int target_open(struct target *target, const char *path, struct error *err)
{
	struct statfs fs;

	target->cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target->cgroup < 0)
		return error_set(err, errno, "the cgroup %s of group %s cannot be opened: %s",
				 path, target->group, strerror(errno));
	if (fstatfs(target->cgroup, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC)
		return error_set(err, EINVAL, "%s is no directory of the cgroup v2 file system: redirects need one for the group's tasks",
				 path);
	/* Only the root lacks this file. Attached there, the handlers would be redirected too. */
	if (faccessat(target->cgroup, "cgroup.type", F_OK, 0))
		return error_set(err, EINVAL, "%s is the root of the cgroups: give the group a cgroup of its own",
				 path);
	if (cgroup_id(target->cgroup, &target->cgroup_id))
		return error_set(err, errno, "the id of the cgroup %s cannot be read: %s",
				 path, strerror(errno));
	return 0;
}
