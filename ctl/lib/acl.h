/* SPDX-License-Identifier: GPL-2.0 */
/*
 * POSIX ACLs with numbers instead of names: as text ("user::rwx,group:1000:r-x,…", what
 * setfacl -n and tmpfiles.d take) and as the extended attribute that the kernel takes.
 */
#ifndef COPPICE_ACL_H
#define COPPICE_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/* Of the kernel's xattr: <linux/posix_acl_xattr.h> */
#define ACL_XATTR_ACCESS	"system.posix_acl_access"
#define ACL_XATTR_DEFAULT	"system.posix_acl_default"

/* By the numbers that the kernel's tags have. */
enum acl_tag {
	ACL_TAG_OWNER = 0x01,
	ACL_TAG_USER = 0x02,
	ACL_TAG_OWNING_GROUP = 0x04,
	ACL_TAG_GROUP = 0x08,
	ACL_TAG_MASK = 0x10,
	ACL_TAG_OTHER = 0x20,
};

struct acl_entry {
	enum acl_tag tag;
	unsigned int permissions;	/* 4: read, 2: write, 1: execute or search */
	uint32_t id;			/* of ACL_TAG_USER and ACL_TAG_GROUP */
};

/* In the kernel's order: owner, users, owning group, groups, mask, other; numbers ascend. */
struct acl {
	struct acl_entry *entries;	/* NULL: there is none */
	size_t nr;
};

void acl_free(struct acl *acl);
int __must_check acl_add(struct acl *acl, enum acl_tag tag, uint32_t id, unsigned int permissions,
			 struct error *err);

/* Refused unless it is in order, has what the kernel wants it to have, and no number twice. */
int __must_check acl_parse(const char *text, struct acl *acl, struct error *err);
/* To be freed; NULL: out of memory. */
char *acl_text(const struct acl *acl);

/* The attribute's value, to be freed, and its *size; NULL: out of memory. */
void *acl_xattr(const struct acl *acl, size_t *size);

#endif /* COPPICE_ACL_H */
