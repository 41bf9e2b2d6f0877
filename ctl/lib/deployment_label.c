// SPDX-License-Identifier: GPL-2.0
/* Owners, modes and ACLs of files; see deployment_label.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cleanup.h"
#include "deployment_label.h"

#define MODE_MASK	07777
#define ACL_SIZE_MAX	65536

/* The kernel takes no O_PATH descriptors for these, but their names in /proc. */
static const char *name_of(int fd, char name[32])
{
	snprintf(name, 32, "/proc/self/fd/%d", fd);
	return name;
}

static int failed(const char *what, struct error *err)
{
	if (errno == EOPNOTSUPP)
		return error_set(err, errno, "the file system has no POSIX ACLs: use ext4, XFS, btrfs or tmpfs, mounted without noacl");
	return error_set(err, errno, "%s cannot be set: %s", what, strerror(errno));
}

/* 1 if the file has this ACL, which may be none; 0 if not, or if that cannot be told; -1 without memory. */
static int has_acl(int fd, const char *attribute, const void *wanted, size_t size, struct error *err)
{
	autofree char *found = malloc(ACL_SIZE_MAX);
	char name[32];
	ssize_t got;

	if (!found)
		return error_set(err, ENOMEM, "out of memory");
	got = getxattr(name_of(fd, name), attribute, found, ACL_SIZE_MAX);
	if (!wanted)
		return got < 0;
	return got == (ssize_t)size && !memcmp(found, wanted, size);
}

static int set_acl(int fd, const char *attribute, const struct acl *acl, bool *changed,
		   struct error *err)
{
	autofree void *value = NULL;
	char name[32];
	size_t size = 0;
	int has;

	if (acl->entries) {
		value = acl_xattr(acl, &size);
		if (!value)
			return error_set(err, ENOMEM, "out of memory");
	}
	has = has_acl(fd, attribute, value, size, err);
	if (has)
		return has < 0 ? -1 : 0;
	*changed = true;
	if (value ? setxattr(name_of(fd, name), attribute, value, size, 0) :
	    removexattr(name_of(fd, name), attribute) && errno != ENODATA)
		return failed("the ACL", err);
	return 0;
}

/* The group's bits of a file with an ACL are the ACL's mask. */
static int set_mode(int fd, const struct stat *st, mode_t mode, bool *changed, struct error *err)
{
	char name[32];

	if ((st->st_mode & MODE_MASK) == (mode & MODE_MASK))
		return 0;
	*changed = true;
	return chmod(name_of(fd, name), mode & MODE_MASK) ? failed("the mode", err) : 0;
}

static int set_owner(int fd, const struct stat *st, uid_t uid, gid_t gid, bool *changed,
		     struct error *err)
{
	if (st->st_uid == uid && st->st_gid == gid)
		return 0;
	*changed = true;
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) ? failed("the owner", err) : 0;
}

/* An ACL of three entries is a mode: the kernel stores none. */
static const struct acl *extended(const struct acl *acl)
{
	static const struct acl none;

	return acl->nr > 3 ? acl : &none;
}

struct label {
	uid_t uid;
	gid_t gid;
	mode_t mode;
	const struct acl *acl, *default_acl;
};

/*
 * The mode comes after the owner, whose change may take the set-group-ID bit away, and again
 * after the ACL, which the mode is a part of.
 */
static int set(int fd, const struct label *label, bool *changed, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return failed("the owner", err);
	if (set_owner(fd, &st, label->uid, label->gid, changed, err) ||
	    set_acl(fd, ACL_XATTR_ACCESS, extended(label->acl), changed, err) ||
	    (S_ISDIR(st.st_mode) &&
	     set_acl(fd, ACL_XATTR_DEFAULT, label->default_acl, changed, err)))
		return -1;
	if (fstat(fd, &st))
		return failed("the mode", err);
	return set_mode(fd, &st, label->mode, changed, err);
}

int label_set(int fd, const struct deployment_node *node, struct error *err)
{
	const struct label label = {
		node->uid, node->gid, node->mode, &node->acl, &node->default_acl,
	};
	bool changed = false;

	if (set(fd, &label, &changed, err))
		return error_prefix(err, "%.200s", node->path);
	return 0;
}

static int acl_differs(int fd, const char *attribute, const struct acl *acl, struct error *err)
{
	autofree void *value = NULL;
	size_t size = 0;
	int has;

	if (acl->entries)
		value = acl_xattr(acl, &size);
	if (acl->entries && !value)
		return error_set(err, ENOMEM, "out of memory");
	has = has_acl(fd, attribute, value, size, err);
	return has < 0 ? -1 : !has;
}

static int acls_differ(int fd, const struct deployment_node *node, bool is_directory, char *what, size_t size,
		       struct error *err)
{
	int differs = acl_differs(fd, ACL_XATTR_ACCESS, extended(&node->acl), err);

	snprintf(what, size, "has another ACL");
	if (differs || !is_directory)
		return differs;
	snprintf(what, size, "has another default ACL");
	return acl_differs(fd, ACL_XATTR_DEFAULT, &node->default_acl, err);
}

int label_differs(int fd, const struct deployment_node *node, char *what, size_t size,
		  struct error *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return error_set(err, errno, "%.200s cannot be looked at: %s", node->path,
				 strerror(errno));
	if ((st.st_mode & S_IFMT) != (node->mode & S_IFMT))
		snprintf(what, size, "is no %s", S_ISDIR(node->mode) ? "directory" : "file");
	else if (st.st_uid != node->uid || st.st_gid != node->gid)
		snprintf(what, size, "belongs to %u:%u, not %u:%u", st.st_uid, st.st_gid, node->uid,
			 node->gid);
	else if ((st.st_mode ^ node->mode) & MODE_MASK)
		snprintf(what, size, "has mode %04o, not %04o", st.st_mode & MODE_MASK,
			 node->mode & MODE_MASK);
	else
		return acls_differ(fd, node, S_ISDIR(st.st_mode), what, size, err);
	return 1;
}

/*
 * Of a file in a volume. Others than the owner get what the default ACL gives, as far as the
 * owner has it; nothing if they have nothing at all now, which is the owner's decision.
 */
static unsigned int group_class(mode_t mode, unsigned int given)
{
	return mode & 070 ? given & (mode >> 6 & 7) : 0;
}

static bool has_mask(const struct acl *acl)
{
	size_t i;

	for (i = 0; i < acl->nr; i++)
		if (acl->entries[i].tag == ACL_TAG_MASK)
			return true;
	return false;
}

static int content_acl(const struct acl *from, mode_t mode, struct acl *acl, mode_t *new_mode,
		       struct error *err)
{
	enum acl_tag class = has_mask(from) ? ACL_TAG_MASK : ACL_TAG_OWNING_GROUP;
	unsigned int permissions;
	size_t i;

	*new_mode = mode & (MODE_MASK & ~077);
	for (i = 0; i < from->nr; i++) {
		permissions = from->entries[i].permissions;
		if (from->entries[i].tag == ACL_TAG_OWNER)
			permissions = mode >> 6 & 7;
		if (from->entries[i].tag == class)
			*new_mode |= (permissions = group_class(mode, permissions)) << 3;
		if (from->entries[i].tag == ACL_TAG_OTHER)
			*new_mode |= permissions &= mode & 7;
		if (acl_add(acl, from->entries[i].tag, from->entries[i].id, permissions, err))
			return -1;
	}
	return 0;
}

int label_content(int fd, const struct stat *st, const struct deployment_node *volume,
		  bool *changed, struct error *err)
{
	struct label label = { .uid = st->st_uid, .gid = volume->gid, .mode = st->st_mode };
	struct acl acl = {};
	int ret;

	/* Modes of links do not count. */
	if (S_ISLNK(st->st_mode))
		return set_owner(fd, st, label.uid, label.gid, changed, err);
	ret = content_acl(&volume->default_acl, st->st_mode, &acl, &label.mode, err);
	label.acl = &acl;
	label.default_acl = &volume->default_acl;
	if (!volume->default_acl.entries)
		label.mode = st->st_mode;
	/* Directories pass their group on; what others would run as its owner has no place here. */
	if (!S_ISDIR(st->st_mode))
		label.mode &= 0777;
	if (!ret)
		ret = set(fd, &label, changed, err);
	acl_free(&acl);
	return ret;
}

json_t *label_describe(const struct deployment_node *node)
{
	autofree char *acl = node->acl.entries ? acl_text(&node->acl) : NULL;
	autofree char *default_acl = node->default_acl.entries ? acl_text(&node->default_acl) :
								 NULL;

	if (!acl == !!node->acl.entries || !default_acl == !!node->default_acl.entries)
		return NULL;
	return json_pack("{s:o, s:I, s:I, s:s*, s:s*}", "mode",
			 json_sprintf("%04o", node->mode & MODE_MASK), "uid",
			 (json_int_t)node->uid, "gid", (json_int_t)node->gid, "acl", acl,
			 "default_acl", default_acl);
}
