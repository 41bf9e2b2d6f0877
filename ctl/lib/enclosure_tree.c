// SPDX-License-Identifier: GPL-2.0
/*
 * The mount namespace of an enclosure.
 *
 * Nothing of the hub's is in it that was not put in: its root is an empty file system, to which
 * clones of mounts are attached, each with its flags set before anybody can see it. The hub's
 * root is detached at the end. What the hub mounts later is not seen in it, as that would come
 * without those flags.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "enclosure.h"
#include "idmap.h"

/* Of /etc what programs need to run, and nothing of the hub's users. */
const char *const enclosure_system[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
	"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives",
	"/etc/localtime", "/etc/timezone", "/etc/os-release", "/etc/mime.types",
	"/etc/nsswitch.conf", "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/gai.conf",
	"/etc/services", "/etc/protocols", "/etc/ssl/certs", "/etc/ssl/openssl.cnf",
	"/etc/python3", "/etc/python3.11", "/etc/python3.13",
	/* What overrides of libraries and the hub's CA consist of. */
	"/var/lib/coppice/library", "/var/lib/coppice/ca/trust/certs",
	NULL
};

const char *const enclosure_devices[] = {
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", NULL
};

static const struct {
	const char *path, *to;
} links[] = {
	{ "/dev/fd", "/proc/self/fd" }, { "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" }, { "/dev/stderr", "/proc/self/fd/2" },
	{ "/dev/shm", "/tmp" }, { "/var/tmp", "/tmp" },
};

struct tree {
	int root, dev;		/* descriptors */
	uint64_t own[2];	/* which mounts are ours to make things in */
	int idmaps[GRANTS_MAX];	/* of each grant, or -1 */
};

static int set_flags(int mount_, uint64_t flags, int idmap)
{
	struct mount_attr attr = {
		.attr_set = flags | (idmap >= 0 ? MOUNT_ATTR_IDMAP : 0),
		.propagation = MS_PRIVATE,
		.userns_fd = idmap >= 0 ? idmap : 0,
	};

	return mount_setattr(mount_, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr));
}

/*
 * Targets.
 */

static int mount_id(int fd, uint64_t *id)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) || !(stx.stx_mask & STATX_MNT_ID))
		return -1;
	*id = stx.stx_mnt_id;
	return 0;
}

static bool is_own(const struct tree *tree, int fd)
{
	uint64_t id;

	return !mount_id(fd, &id) && (id == tree->own[0] || id == tree->own[1]);
}

static int open_beneath(int directory, const char *name)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH,
	};

	return syscall(SYS_openat2, directory, name, &how, sizeof(how));
}

static int make(int directory, const char *name, bool is_directory)
{
	int fd;

	if (is_directory)
		return mkdirat(directory, name, 0755);
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	return fd < 0 ? -1 : close(fd);
}

/* In a file system of the hub's nothing is made: it has to be there. */
static int open_or_make(const struct tree *tree, int directory, const char *name,
			bool is_directory)
{
	int fd = open_beneath(directory, name);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (!is_own(tree, directory)) {
		errno = ENOENT;
		return -1;
	}
	return make(directory, name, is_directory) ? -1 : open_beneath(directory, name);
}

static int refuse_target(const char *path, struct error *err)
{
	if (errno == ENOENT)
		return error_set(err, ENOENT, "the target %.200s is in what is granted already, which has no such place: make it there, or choose another target",
				 path);
	if (errno == ELOOP)
		return error_set(err, ELOOP, "the target %.200s goes through a symbolic link: give the plain path",
				 path);
	return error_set(err, errno, "the target %.200s cannot be made: %s", path, strerror(errno));
}

/* Every directory on the way to it is made, too. */
static int open_target(const struct tree *tree, const char *path, bool is_directory)
{
	int at = openat(tree->root, ".", O_PATH | O_CLOEXEC), next;
	char name[NAME_MAX + 1];

	while (at >= 0 && *path) {
		size_t len = strcspn(++path, "/");

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		next = open_or_make(tree, at, name, path[len] || is_directory);
		cleanup_close(&at);
		at = next;
		path += len;
	}
	return at;
}

/* Attach the detached mount @clone. */
static int attach(const struct tree *tree, int clone, const char *path, bool is_directory,
		  struct error *err)
{
	autoclose int target = open_target(tree, path, is_directory);

	if (target < 0)
		return refuse_target(path, err);
	if (!move_mount(clone, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		return 0;
	if (errno == ENOTDIR || errno == EINVAL)
		return error_set(err, errno, "the target %.200s is %s already: choose another one", path,
				 is_directory ? "a file" : "a directory");
	return error_set(err, errno, "nothing can be mounted at %.200s for the task: %s", path,
			 strerror(errno));
}

/*
 * Sources.
 */

static int check_same(const struct grant *grant, const struct stat *st, struct error *err)
{
	if (!grant->known || (st->st_dev == grant->device && st->st_ino == grant->inode))
		return 0;
	return error_set(err, ESTALE, "%.200s is not what was granted, but something else that has come in its place: grant it anew if that is meant",
			 grant->source);
}

static int check_type(const struct grant *grant, const struct stat *st, struct error *err)
{
	bool is_device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
	bool is_directory = S_ISDIR(st->st_mode);

	if (grant->kind == GRANT_DEVICE && !is_device)
		return error_set(err, ENODEV, "%.200s is no device", grant->source);
	if (grant->kind == GRANT_VOLUME && !is_directory)
		return error_set(err, ENOTDIR, "the volume %.200s is no directory", grant->source);
	if (grant->kind != GRANT_DEVICE && !is_directory && !S_ISREG(st->st_mode))
		return error_set(err, EINVAL, "%.200s is neither a file nor a directory", grant->source);
	return 0;
}

/* A writer can be kept at the end of a file by nothing but the file's own attribute. */
static int check_append(const struct grant *grant, int fd, struct error *err)
{
	struct statx stx;

	if (!(grant->rights & GRANT_APPEND) || grant->rights & GRANT_WRITE)
		return 0;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx))
		return error_set(err, errno, "%.200s cannot be looked at: %s", grant->source, strerror(errno));
	if (S_ISDIR(stx.stx_mode) || stx.stx_attributes & STATX_ATTR_APPEND)
		return 0;
	return error_set(err, EPERM, "%.200s can be written anywhere, not only at its end: set its attribute with chattr +a, or grant a directory to append to",
			 grant->source);
}

static int open_path(const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/* From here on it is the object that counts, whatever its name becomes. */
int enclosure_open_source(const struct grant *grant, struct error *err)
{
	int fd = open_path(grant->source);
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		return error_set(err, ELOOP, "%.200s is a symbolic link, or behind one: grant where it leads to",
				 grant->source);
	if (fd < 0 || fstat(fd, &st)) {
		error_set(err, errno, "%.200s cannot be granted: %s", grant->source, strerror(errno));
		cleanup_close(&fd);
		return -1;
	}
	if (!check_same(grant, &st, err) && !check_type(grant, &st, err) &&
	    !check_append(grant, fd, err))
		return fd;
	close(fd);
	return -1;
}

int enclosure_stat_source(const struct grant *grant, struct stat *st, struct error *err)
{
	autoclose int source = enclosure_open_source(grant, err);

	if (source < 0)
		return -1;
	if (fstat(source, st))
		return error_set(err, errno, "%.200s cannot be granted: %s", grant->source, strerror(errno));
	return 0;
}

uint64_t enclosure_flags(const struct grant *grant)
{
	uint64_t flags = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

	if (grant->kind != GRANT_CODE)
		flags |= MOUNT_ATTR_NOEXEC;
	if (!(grant->rights & (GRANT_WRITE | GRANT_APPEND)))
		flags |= MOUNT_ATTR_RDONLY;
	return flags;
}

static int refuse_flags(const struct grant *grant, struct error *err)
{
	if (grant_is_mapped(grant) && errno == EINVAL)
		return error_set(err, EINVAL, "%.200s is on a file system whose owners cannot be mapped on this kernel: leave idmap out, and give the function a group that may use it",
				 grant->source);
	return error_set(err, errno, "%.200s cannot be mounted with what it was granted with: %s",
			 grant->source, strerror(errno));
}

static int mount_grant(const struct tree *tree, const struct grant *grant, int idmap,
		       struct error *err)
{
	autoclose int source = enclosure_open_source(grant, err);
	autoclose int clone = -1;
	struct stat st;

	if (source < 0)
		return -1;
	clone = open_tree(source, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (clone < 0 || fstat(clone, &st))
		return error_set(err, errno, "%.200s cannot be granted: %s", grant->source, strerror(errno));
	if (set_flags(clone, enclosure_flags(grant), idmap))
		return refuse_flags(grant, err);
	return attach(tree, clone, grant->target, S_ISDIR(st.st_mode), err);
}

/*
 * Devices: nodes of the function's own, so that the hub's keep their owners and modes.
 */

static mode_t mode_of(const struct grant *grant)
{
	return (grant->rights & GRANT_READ ? 0440 : 0) | (grant->rights & GRANT_WRITE ? 0220 : 0);
}

static int make_node(const struct tree *tree, const char *target, mode_t mode, dev_t device,
		     gid_t gid, struct error *err)
{
	char parent[PATH_MAX];
	autoclose int directory = -1;
	char *slash;

	snprintf(parent, sizeof(parent), "%s", target);
	slash = strrchr(parent, '/');
	*slash = '\0';
	directory = open_target(tree, parent, true);
	if (directory < 0)
		return refuse_target(target, err);
	if (mknodat(directory, slash + 1, mode, device) ||
	    fchownat(directory, slash + 1, 0, gid, AT_SYMLINK_NOFOLLOW))
		return error_set(err, errno, "the device %.200s cannot be made for the task: %s", target,
				 strerror(errno));
	return 0;
}

static int make_granted_node(const struct tree *tree, const struct grants *grants,
			     const struct grant *grant, struct error *err)
{
	struct stat st;

	if (enclosure_stat_source(grant, &st, err))
		return -1;
	return make_node(tree, grant->target, (st.st_mode & S_IFMT) | mode_of(grant), st.st_rdev,
			 grants->gid, err);
}

static int make_devices(const struct tree *tree, struct error *err)
{
	const char *const *device;
	struct stat st;

	for (device = enclosure_devices; *device; device++)
		if (!stat(*device, &st) && S_ISCHR(st.st_mode) &&
		    make_node(tree, *device, S_IFCHR | 0666, st.st_rdev, 0, err))
			return -1;
	return 0;
}

/*
 * What every function has.
 */

/* Links of the hub's root stay links: /bin to /usr/bin. */
static int copy_link(const struct tree *tree, const char *path)
{
	char to[PATH_MAX] = "";

	if (readlink(path, to, sizeof(to) - 1) <= 0)
		return -1;
	return symlinkat(to, tree->root, path + 1);
}

static int mount_system(const struct tree *tree, const char *path, struct error *err)
{
	const uint64_t flags = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY;
	autoclose int clone = -1;
	struct stat st;

	if (!strchr(path + 1, '/') && !copy_link(tree, path))
		return 0;
	clone = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (clone < 0 && errno == ENOENT)
		return 0;
	if (clone < 0 || fstat(clone, &st) || set_flags(clone, flags, -1))
		return error_set(err, errno, "%s cannot be mounted for the task: %s", path, strerror(errno));
	return attach(tree, clone, path, S_ISDIR(st.st_mode), err);
}

/* Options come in pairs. */
static int make_file_system(const char *type, const char *const *options, uint64_t flags,
			    struct error *err)
{
	autoclose int context = fsopen(type, FSOPEN_CLOEXEC);
	bool done = context >= 0;
	int fd = -1;

	for (; done && *options; options += 2)
		done = !fsconfig(context, FSCONFIG_SET_STRING, options[0], options[1], 0);
	if (done && !fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		fd = fsmount(context, FSMOUNT_CLOEXEC, flags);
	if (fd < 0)
		error_set(err, errno, "no %s can be mounted for the task: %s", type, strerror(errno));
	return fd;
}

/* Of processes a task sees its own user's, and of the kernel nothing. */
static int mount_proc(const struct tree *tree, struct error *err)
{
	static const char *const options[] = { "hidepid", "invisible", "subset", "pid", NULL };
	autoclose int proc = make_file_system("proc", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					      MOUNT_ATTR_NOEXEC, err);

	return proc < 0 ? -1 : attach(tree, proc, "/proc", true, err);
}

static int make_links(const struct tree *tree, struct error *err)
{
	autoclose int var = open_target(tree, "/var", true);
	size_t i;

	if (var < 0)
		return refuse_target("/var", err);
	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i].to, tree->root, links[i].path + 1))
			return error_set(err, errno, "%s cannot be made for the task: %s", links[i].path,
					 strerror(errno));
	return 0;
}

static int make_common(const struct tree *tree, struct error *err)
{
	const char *const *path;
	autoclose int tmp = open_target(tree, "/tmp", true);

	if (tmp < 0)
		return refuse_target("/tmp", err);
	for (path = enclosure_system; *path; path++)
		if (mount_system(tree, *path, err))
			return -1;
	return make_devices(tree, err) || make_links(tree, err) ? -1 : mount_proc(tree, err);
}

/*
 * The root.
 */

static int open_root(struct tree *tree, struct error *err)
{
	static const char *const options[] = { "mode", "755", "size", "1m", NULL };
	const uint64_t flags = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;

	tree->root = make_file_system("tmpfs", options, flags | MOUNT_ATTR_NODEV, err);
	if (tree->root < 0)
		return -1;
	tree->dev = make_file_system("tmpfs", options, flags, err);
	if (tree->dev < 0)
		return -1;
	/* Over the hub's root, which paths go on to mean until the end. */
	if (move_mount(tree->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) ||
	    mount_id(tree->root, &tree->own[0]) || mount_id(tree->dev, &tree->own[1]))
		return error_set(err, errno, "the task's root cannot be mounted: %s", strerror(errno));
	return attach(tree, tree->dev, "/dev", true, err);
}

static int populate(const struct tree *tree, const struct grants *grants, struct error *err)
{
	size_t i;

	if (make_common(tree, err))
		return -1;
	for (i = 0; i < grants->nr; i++) {
		const struct grant *grant = &grants->list[i];

		if (grant->kind == GRANT_DEVICE ? make_granted_node(tree, grants, grant, err) :
						  mount_grant(tree, grant, tree->idmaps[i], err))
			return -1;
	}
	return 0;
}

/* First of all: to the kernel, who has a root mounted over theirs is in a chroot, and makes none. */
static int open_idmaps(struct tree *tree, const struct grants *grants, struct error *err)
{
	size_t i;

	for (i = 0; i < grants->nr; i++) {
		tree->idmaps[i] = -1;
		if (!grant_is_mapped(&grants->list[i]))
			continue;
		tree->idmaps[i] = idmap_open(&grants->list[i], err);
		if (tree->idmaps[i] < 0)
			return -1;
	}
	return 0;
}

/* Both are the task's to read now, and nobody's to change. */
static int close_root(const struct tree *tree, struct error *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (mount_setattr(tree->root, "", AT_EMPTY_PATH, &attr, sizeof(attr)) ||
	    mount_setattr(tree->dev, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return error_set(err, errno, "the task's root cannot be made read-only: %s", strerror(errno));
	return 0;
}

/* The new root lies over the old one, which comes to lie over it by this, and is then detached. */
static int leave_old_root(const struct tree *tree, struct error *err)
{
	if (fchdir(tree->root) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) ||
	    chdir("/"))
		return error_set(err, errno, "the hub's root cannot be left: %s", strerror(errno));
	return 0;
}

/* In a child: what is open here ends with it. */
int enclosure_build_tree(const struct grants *grants, const struct task_mounts *mounts,
			 struct error *err)
{
	struct tree tree = { .root = -1, .dev = -1 };

	umask(0);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return error_set(err, errno, "the task cannot have mounts of its own: %s: run as root",
				 strerror(errno));
	if ((mounts && task_mounts_apply(mounts, err)) || open_idmaps(&tree, grants, err) ||
	    open_root(&tree, err) || populate(&tree, grants, err) || close_root(&tree, err))
		return -1;
	return leave_old_root(&tree, err);
}
