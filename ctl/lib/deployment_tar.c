// SPDX-License-Identifier: GPL-2.0
/* The tree of a deployment as a pax archive, by libarchive. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "deployment_tree.h"
#include "tar.h"

static int tag_of(enum acl_tag tag)
{
	switch (tag) {
	case ACL_TAG_OWNER:
		return ARCHIVE_ENTRY_ACL_USER_OBJ;
	case ACL_TAG_USER:
		return ARCHIVE_ENTRY_ACL_USER;
	case ACL_TAG_OWNING_GROUP:
		return ARCHIVE_ENTRY_ACL_GROUP_OBJ;
	case ACL_TAG_GROUP:
		return ARCHIVE_ENTRY_ACL_GROUP;
	case ACL_TAG_MASK:
		return ARCHIVE_ENTRY_ACL_MASK;
	case ACL_TAG_OTHER:
		break;
	}
	return ARCHIVE_ENTRY_ACL_OTHER;
}

static void add_acl(struct archive_entry *entry, int type, const struct acl *acl)
{
	size_t i;

	for (i = 0; i < acl->nr; i++) {
		const struct acl_entry *one = &acl->entries[i];

		archive_entry_acl_add_entry(entry, type, one->permissions, tag_of(one->tag),
					    one->tag & (ACL_TAG_USER | ACL_TAG_GROUP) ?
					    (int)one->id : -1, NULL);
	}
}

/*
 * Where there is an ACL, libarchive has the owning group's bits in the mode, and not the
 * mask: who unpacks without ACLs gives nobody too much.
 */
static void fill(struct archive_entry *entry, const struct deployment_node *node)
{
	archive_entry_clear(entry);
	archive_entry_set_pathname(entry, node->path);
	archive_entry_set_mode(entry, node->mode);
	archive_entry_set_uid(entry, node->uid);
	archive_entry_set_gid(entry, node->gid);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_size(entry, 0);
	add_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, &node->acl);
	add_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, &node->default_acl);
}

static int write_nodes(struct archive *archive, struct archive_entry *entry, void *data)
{
	const struct deployment *deployment = data;
	int ret = ARCHIVE_OK;
	size_t i;

	for (i = 0; ret == ARCHIVE_OK && i < deployment->nr_nodes; i++) {
		fill(entry, &deployment->nodes[i]);
		ret = archive_write_header(archive, entry);
	}
	return ret;
}

char *deployment_tar(const struct deployment *deployment, size_t *len, struct error *err)
{
	return tar_make("the tree", write_nodes, (void *)deployment, len, err);
}

/*
 * Checking.
 */

static bool same_acl(struct archive_entry *found, struct archive_entry *wanted)
{
	int flags = ARCHIVE_ENTRY_ACL_TYPE_ACCESS | ARCHIVE_ENTRY_ACL_TYPE_DEFAULT |
		    ARCHIVE_ENTRY_ACL_STYLE_MARK_DEFAULT;
	autofree char *first = archive_entry_acl_to_text(found, NULL, flags);
	autofree char *second = archive_entry_acl_to_text(wanted, NULL, flags);

	return first && second ? !strcmp(first, second) : first == second;
}

/* A directory's name has a slash behind it in an archive. */
static bool same_path(const char *found, const char *wanted)
{
	size_t len = strlen(wanted);

	return found && !strncmp(found, wanted, len) && (!found[len] || !strcmp(found + len, "/"));
}

static bool same(struct archive_entry *found, struct archive_entry *wanted)
{
	return same_path(archive_entry_pathname(found), archive_entry_pathname(wanted)) &&
	       archive_entry_mode(found) == archive_entry_mode(wanted) &&
	       archive_entry_uid(found) == archive_entry_uid(wanted) &&
	       archive_entry_gid(found) == archive_entry_gid(wanted) &&
	       !archive_entry_size(found) && !archive_entry_mtime(found) &&
	       !archive_entry_hardlink(found) && !archive_entry_symlink(found) &&
	       !archive_entry_xattr_count(found) && !archive_entry_sparse_count(found) &&
	       same_acl(found, wanted);
}

static int refuse(const char *path, struct error *err)
{
	return error_set(err, EBADMSG, "the tree's archive is not the mapping's tree at %.200s: compile the deployment again",
			 path ? path : "its end");
}

static int check_all(struct archive *archive, struct archive_entry *wanted,
		     const struct deployment *deployment, struct error *err)
{
	struct archive_entry *found;
	size_t i;

	for (i = 0; i < deployment->nr_nodes; i++) {
		fill(wanted, &deployment->nodes[i]);
		if (archive_read_next_header(archive, &found) != ARCHIVE_OK || !same(found, wanted))
			return refuse(deployment->nodes[i].path, err);
	}
	return archive_read_next_header(archive, &found) == ARCHIVE_EOF ? 0 : refuse(NULL, err);
}

int deployment_tar_check(const struct deployment *deployment, const void *data, size_t len,
			 struct error *err)
{
	struct archive *archive = tar_open("the tree", data, len, err);
	struct archive_entry *wanted = archive ? archive_entry_new() : NULL;
	int ret = -1;

	if (wanted)
		ret = check_all(archive, wanted, deployment, err);
	else if (archive)
		error_set(err, ENOMEM, "out of memory");
	archive_entry_free(wanted);
	archive_read_free(archive);
	return ret;
}
