// SPDX-License-Identifier: GPL-2.0
/* What a deployment takes from the hub as it is; see deployment_source.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "deployment_source.h"
#include "idmap_probe.h"

static int open_path(const struct deployment_resource *resource, struct error *err)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = syscall(SYS_openat2, AT_FDCWD, resource->source, &how, sizeof(how));
	struct stat st;

	/* With O_PATH the last one may be a link, and is opened itself. */
	if (fd >= 0 && !fstat(fd, &st) && S_ISLNK(st.st_mode)) {
		close(fd);
		fd = -1;
		errno = ELOOP;
	}
	if (fd >= 0)
		return fd;
	if (errno == ELOOP)
		return error_set(err, errno, "resource %s: %.200s is a symbolic link or leads through one: give the path that it leads to",
				 resource->name, resource->source);
	return error_set(err, errno, "resource %s: %.200s cannot be opened: %s", resource->name,
			 resource->source, strerror(errno));
}

static bool has_type(const struct deployment_resource *resource, mode_t mode)
{
	switch (resource->kind) {
	case DEPLOYMENT_PATH:
		return resource->is_directory ? S_ISDIR(mode) : S_ISREG(mode);
	case DEPLOYMENT_DEVICE:
		return S_ISCHR(mode) || S_ISBLK(mode);
	default:
		return S_ISREG(mode);
	}
}

static const char *type_name(const struct deployment_resource *resource)
{
	if (resource->kind == DEPLOYMENT_DEVICE)
		return "device";
	return resource->is_directory ? "directory" : "regular file";
}

static int check_type(const struct deployment_resource *resource, const struct stat *st,
		      struct error *err)
{
	if (!has_type(resource, st->st_mode))
		return error_set(err, EINVAL, "resource %s: %.200s is no %s", resource->name,
				 resource->source, type_name(resource));
	if (resource->kind == DEPLOYMENT_SECRET && (st->st_uid || st->st_mode & 077))
		return error_set(err, EPERM, "resource %s: %.200s can be read by others than root: give it to root with mode 0600, and consider the secret known",
				 resource->name, resource->source);
	return 0;
}

/* The file system's type by the mount that the descriptor lies on; "" if it is not known. */
static void find_type(int fd, char type[64])
{
	autofclose FILE *mounts = fopen("/proc/self/mountinfo", "re");
	unsigned long long id;
	char line[8192], *dash;
	struct statx stx;

	type[0] = '\0';
	if (!mounts || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx))
		return;
	while (fgets(line, sizeof(line), mounts)) {
		dash = strstr(line, " - ");
		if (dash && sscanf(line, "%llu", &id) == 1 && id == stx.stx_mnt_id)
			sscanf(dash + 3, "%63s", type);
	}
}

/* Numbers of users mean there what a server says. */
static bool is_remote(const char *type)
{
	static const char *const types[] = {
		"9p", "afs", "ceph", "cifs", "coda", "gfs2", "lustre", "ncpfs", "nfs", "nfs4",
		"ocfs2", "orangefs", "smb3", "fuse.sshfs", "fuse.glusterfs", "fuse.rclone",
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

/* Who may write it, or NULL. */
static const char *find_writer(const struct deployment *deployment,
			       const struct deployment_resource *resource)
{
	size_t i;

	for (i = 0; i < deployment->nr_functions; i++)
		if (deployment_rights(&deployment->functions[i], resource) & RIGHT_WRITE)
			return deployment->functions[i].name;
	return NULL;
}

static bool is_read_only(int fd)
{
	struct statvfs vfs;

	return !fstatvfs(fd, &vfs) && vfs.f_flag & ST_RDONLY;
}

/* Devices work on read-only file systems, and whose numbers count for nothing. */
static int check_file_system(const struct deployment *deployment,
			     const struct deployment_resource *resource, int fd, const char *type,
			     struct error *err)
{
	const char *writer = find_writer(deployment, resource);

	if (resource->kind != DEPLOYMENT_PATH)
		return 0;
	if (is_remote(type))
		return error_set(err, EOPNOTSUPP, "resource %s: %.150s is on a network file system (%s), whose server decides who may do what: give the functions a copy on the hub",
				 resource->name, resource->source, type);
	if (writer && is_read_only(fd))
		return error_set(err, EROFS, "resource %s: %.200s is on a read-only file system, and %s may write it: mount it writable, or take the right back",
				 resource->name, resource->source, writer);
	return 0;
}

json_t *source_check(const struct deployment *deployment,
		     const struct deployment_resource *resource, struct error *err)
{
	autoclose int fd = open_path(resource, err);
	char type[64];
	struct stat st;

	if (fd < 0)
		return NULL;
	find_type(fd, type);
	if (fstat(fd, &st)) {
		error_set(err, errno, "resource %s: %.200s cannot be looked at: %s",
			  resource->name, resource->source, strerror(errno));
		return NULL;
	}
	if (check_type(resource, &st, err) ||
	    check_file_system(deployment, resource, fd, type, err))
		return NULL;
	return json_pack("{s:s, s:I, s:I, s:I, s:s, s:b, s:b}", "path", resource->source,
			 "dev", (json_int_t)st.st_dev, "ino", (json_int_t)st.st_ino,
			 "rdev", (json_int_t)st.st_rdev, "filesystem", type,
			 "read_only", is_read_only(fd), "idmap",
			 resource->kind != DEPLOYMENT_DEVICE && idmap_probe(fd));
}

/*
 * Numbers of disks, and inodes of /dev, do not survive a reboot; another file system can only be
 * mounted there by root. A secret may be replaced by its next value: whose it is has been checked.
 */
static bool is_recorded(const struct deployment_resource *resource, const struct stat *st,
			const json_t *recorded)
{
	if (!recorded)
		return true;
	switch (resource->kind) {
	case DEPLOYMENT_DEVICE:
		return (json_int_t)st->st_rdev ==
		       json_integer_value(json_object_get(recorded, "rdev"));
	case DEPLOYMENT_SECRET:
		return true;
	default:
		return (json_int_t)st->st_ino ==
		       json_integer_value(json_object_get(recorded, "ino"));
	}
}

int source_open(const struct deployment_resource *resource, const json_t *recorded,
		struct error *err)
{
	int fd = open_path(resource, err);
	struct stat st;

	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && !check_type(resource, &st, err) &&
	    is_recorded(resource, &st, recorded))
		return fd;
	close(fd);
	return error_set(err, ESTALE, "resource %s: %.200s is not what it was when the deployment was applied: apply it again",
			 resource->name, resource->source);
}
