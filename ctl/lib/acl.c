// SPDX-License-Identifier: GPL-2.0
/* POSIX ACLs with numbers instead of names. */
#include <endian.h>
#include <errno.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "cleanup.h"

#define ENTRY_TEXT	32	/* "group:4294967295:rwx," */

void acl_free(struct acl *acl)
{
	free(acl->entries);
	*acl = (struct acl){};
}

static bool has_id(enum acl_tag tag)
{
	return tag == ACL_TAG_USER || tag == ACL_TAG_GROUP;
}

/* Room grows when the number is a power of two. */
int acl_add(struct acl *acl, enum acl_tag tag, uint32_t id, unsigned int permissions,
	    struct error *err)
{
	struct acl_entry *entries = acl->entries;

	if (!(acl->nr & (acl->nr - 1)))
		entries = realloc(entries, (acl->nr ? 2 * acl->nr : 1) * sizeof(*entries));
	if (!entries)
		return error_set(err, ENOMEM, "out of memory");
	acl->entries = entries;
	entries[acl->nr++] = (struct acl_entry){
		.tag = tag, .permissions = permissions, .id = has_id(tag) ? id : 0,
	};
	return 0;
}

/* One entry follows another: what the kernel wants, and numbers that ascend. */
static bool may_follow(const struct acl_entry *last, const struct acl_entry *entry)
{
	if (!last)
		return entry->tag == ACL_TAG_OWNER;
	if (last->tag == entry->tag)
		return has_id(entry->tag) && last->id < entry->id;
	return last->tag < entry->tag;
}

/* Owner, owning group and other are there, and a mask if anybody is named. */
static bool is_whole(const struct acl *acl)
{
	unsigned int tags = 0;
	size_t i;

	for (i = 0; i < acl->nr; i++) {
		if (!may_follow(i ? &acl->entries[i - 1] : NULL, &acl->entries[i]))
			return false;
		tags |= acl->entries[i].tag;
	}
	if (tags & (ACL_TAG_USER | ACL_TAG_GROUP) && !(tags & ACL_TAG_MASK))
		return false;
	return !(~tags & (ACL_TAG_OWNER | ACL_TAG_OWNING_GROUP | ACL_TAG_OTHER));
}

static int parse_tag(const char *word, bool named, enum acl_tag *tag)
{
	if (!strcmp(word, "user"))
		*tag = named ? ACL_TAG_USER : ACL_TAG_OWNER;
	else if (!strcmp(word, "group"))
		*tag = named ? ACL_TAG_GROUP : ACL_TAG_OWNING_GROUP;
	else if (!strcmp(word, "mask") && !named)
		*tag = ACL_TAG_MASK;
	else if (!strcmp(word, "other") && !named)
		*tag = ACL_TAG_OTHER;
	else
		return -1;
	return 0;
}

static int parse_permissions(const char *text, unsigned int *permissions)
{
	static const char letters[] = "rwx";
	size_t i;

	*permissions = 0;
	for (i = 0; i < 3; i++) {
		if (text[i] != letters[i] && text[i] != '-')
			return -1;
		*permissions |= text[i] == '-' ? 0 : 4 >> i;
	}
	return text[3] ? -1 : 0;
}

static int parse_entry(const char *text, struct acl_entry *entry)
{
	char tag[8], id[12], permissions[4];
	unsigned long long number;
	int len = 0;

	/* An empty number is no match of %[: both forms are tried. */
	if (sscanf(text, "%7[a-z]::%3[rwx-]%n", tag, permissions, &len) == 2)
		id[0] = '\0';
	else if (sscanf(text, "%7[a-z]:%11[0-9]:%3[rwx-]%n", tag, id, permissions, &len) != 3)
		return -1;
	if (text[len] || parse_tag(tag, id[0], &entry->tag) ||
	    parse_permissions(permissions, &entry->permissions))
		return -1;
	number = strtoull(id, NULL, 10);
	entry->id = number;
	return number < UINT32_MAX ? 0 : -1;
}

int acl_parse(const char *text, struct acl *acl, struct error *err)
{
	autofree char *copy = strdup(text);
	char *word, *rest;
	struct acl_entry entry = {};

	if (!copy)
		return error_set(err, ENOMEM, "out of memory");
	for (word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (parse_entry(word, &entry)) {
			acl_free(acl);
			return error_set(err, EINVAL, "'%.80s' is no entry of an ACL", word);
		}
		if (acl_add(acl, entry.tag, entry.id, entry.permissions, err))
			return -1;
	}
	if (is_whole(acl))
		return 0;
	acl_free(acl);
	return error_set(err, EINVAL, "'%.80s' is no whole ACL, in order and without repetition",
			 text);
}

static const char *tag_text(enum acl_tag tag)
{
	switch (tag) {
	case ACL_TAG_OWNER:
	case ACL_TAG_USER:
		return "user";
	case ACL_TAG_OWNING_GROUP:
	case ACL_TAG_GROUP:
		return "group";
	case ACL_TAG_MASK:
		return "mask";
	case ACL_TAG_OTHER:
		break;
	}
	return "other";
}

char *acl_text(const struct acl *acl)
{
	char *text = malloc(acl->nr * ENTRY_TEXT + 1), id[12] = "";
	size_t i, len = 0;

	if (!text)
		return NULL;
	text[0] = '\0';
	for (i = 0; i < acl->nr; i++) {
		const struct acl_entry *entry = &acl->entries[i];

		snprintf(id, sizeof(id), "%u", entry->id);
		len += sprintf(text + len, "%s%s:%s:%c%c%c", i ? "," : "", tag_text(entry->tag),
			       has_id(entry->tag) ? id : "",
			       entry->permissions & 4 ? 'r' : '-',
			       entry->permissions & 2 ? 'w' : '-',
			       entry->permissions & 1 ? 'x' : '-');
	}
	return text;
}

void *acl_xattr(const struct acl *acl, size_t *size)
{
	struct posix_acl_xattr_header *header;
	struct posix_acl_xattr_entry *entries;
	size_t i;

	*size = sizeof(*header) + acl->nr * sizeof(*entries);
	header = malloc(*size);
	if (!header)
		return NULL;
	header->a_version = htole32(POSIX_ACL_XATTR_VERSION);
	entries = (void *)(header + 1);
	for (i = 0; i < acl->nr; i++) {
		entries[i].e_tag = htole16(acl->entries[i].tag);
		entries[i].e_perm = htole16(acl->entries[i].permissions);
		entries[i].e_id = htole32(has_id(acl->entries[i].tag) ? acl->entries[i].id :
					  (uint32_t)ACL_UNDEFINED_ID);
	}
	return header;
}
