// SPDX-License-Identifier: GPL-2.0
/* What the kernel will allow, by the tree alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "proof.h"

#define MAY_READ	4
#define MAY_WRITE	2
#define MAY_EXEC	1
#define STRANGER	65534	/* nobody: no number of a deployment's */

/* What can be tried of a path, one by one. */
enum ability {
	LOOK_UP = 1 << 0,	/* a name in the directory */
	LIST = 1 << 1,
	ADD = 1 << 2,
	REMOVE = 1 << 3,	/* or rename what somebody else has made */
	READ = 1 << 4,		/* of a file: itself; of a volume: a file that somebody else made */
	WRITE = 1 << 5,
	SUB_LIST = 1 << 6,	/* a directory that somebody else has made in the volume */
	SUB_CHANGE = 1 << 7,
	OWN = 1 << 8,		/* change its mode */
};

static const char *const ability_names[] = {
	"look up names in it", "list it", "add entries", "remove or rename others' entries",
	"read files", "write files", "list directories in it", "change directories in it",
	"change its mode",
};

/* Who tries. The groups are a bit each of what @first is the number of. */
struct subject {
	const char *name;
	uint32_t uid, gid;
	uint32_t first, last;
	uint64_t *groups;
};

/* What is tried: owner, mode, ACL, as an inode has them. */
struct object {
	uint32_t uid, gid;
	mode_t mode;
	const struct acl *acl;
};

/* The directories on the way to a node. */
struct way {
	const struct deployment_node *directories[8];
	size_t nr;
};

static bool in_group(const struct subject *subject, uint32_t gid)
{
	if (gid == subject->gid)
		return true;
	if (gid < subject->first || gid > subject->last)
		return false;
	gid -= subject->first;
	return subject->groups[gid / 64] >> gid % 64 & 1;
}

static void set_groups(struct subject *subject, const struct deployment_function *function,
		       bool in)
{
	size_t i;

	for (i = 0; i < function->nr_groups; i++) {
		uint32_t bit = function->groups[i] - subject->first;

		if (in)
			subject->groups[bit / 64] |= 1ULL << bit % 64;
		else
			subject->groups[bit / 64] &= ~(1ULL << bit % 64);
	}
}

/*
 * posix_acl_permission(): the owner's entry, a user's, or any group's that has all that is
 * wanted; who is in a group that has not gets nothing from other.
 */
static bool acl_allows(const struct acl *acl, const struct object *object,
		       const struct subject *subject, unsigned int want)
{
	const struct acl_entry *entry, *end = acl->entries + acl->nr;
	unsigned int mask = 7;
	bool in_some = false;

	for (entry = acl->entries; entry < end; entry++)
		if (entry->tag == ACL_TAG_MASK)
			mask = entry->permissions;
	for (entry = acl->entries; entry < end; entry++) {
		bool mine = false;

		switch (entry->tag) {
		case ACL_TAG_OWNER:
			if (subject->uid == object->uid)
				return (entry->permissions & want) == want;
			break;
		case ACL_TAG_USER:
			if (subject->uid == entry->id)
				return (entry->permissions & mask & want) == want;
			break;
		case ACL_TAG_OWNING_GROUP:
			mine = in_group(subject, object->gid);
			break;
		case ACL_TAG_GROUP:
			mine = in_group(subject, entry->id);
			break;
		case ACL_TAG_MASK:
			break;
		case ACL_TAG_OTHER:
			return !in_some && (entry->permissions & want) == want;
		}
		if (mine && (entry->permissions & want) == want)
			return (mask & want) == want;
		in_some |= mine;
	}
	return false;
}

/* acl_permission_check(): an ACL counts if the mode's group bits are not all 0. */
static bool allows(const struct object *object, const struct subject *subject, unsigned int want)
{
	if (subject->uid == object->uid)
		return (object->mode >> 6 & want) == want;
	if (object->acl->entries && object->mode & 070)
		return acl_allows(object->acl, object, subject, want);
	if (in_group(subject, object->gid))
		return (object->mode >> 3 & want) == want;
	return (object->mode & want) == want;
}

/*
 * posix_acl_create(): the default ACL becomes that of what is made, with what the mode of
 * open() or mkdir() does not have taken away; the umask is not asked.
 */
static struct acl inherit(const struct acl *from, mode_t *mode)
{
	struct acl made = {};
	struct acl_entry *group = NULL, *mask = NULL, *entry;
	mode_t bits = *mode;

	if (from->entries)
		made.entries = calloc(from->nr, sizeof(*made.entries));
	if (!made.entries)
		return made;
	made.nr = from->nr;
	memcpy(made.entries, from->entries, from->nr * sizeof(*made.entries));
	for (entry = made.entries; entry < made.entries + made.nr; entry++) {
		if (entry->tag == ACL_TAG_OWNER)
			bits &= (entry->permissions &= bits >> 6) << 6 | ~0700U;
		else if (entry->tag == ACL_TAG_OTHER)
			bits &= (entry->permissions &= bits) | ~07U;
		else if (entry->tag == ACL_TAG_OWNING_GROUP)
			group = entry;
		else if (entry->tag == ACL_TAG_MASK)
			mask = entry;
	}
	entry = mask ? mask : group;
	if (entry)
		bits &= (entry->permissions &= bits >> 3) << 3 | ~070U;
	*mode = bits;
	return made;
}

/* What somebody else has made in a volume, and with which mode he asked for it. */
static unsigned int try_made(const struct deployment_node *node, const struct subject *subject,
			     mode_t mode, unsigned int read, unsigned int write)
{
	struct object made = { .mode = mode, .gid = STRANGER, .uid = STRANGER };
	unsigned int abilities = 0, search = S_ISDIR(mode) ? MAY_EXEC : 0;
	struct acl acl = inherit(&node->default_acl, &made.mode);

	if (node->mode & S_ISGID)
		made.gid = node->gid;
	/* A stranger's file is a stranger's. */
	if (subject->uid == STRANGER)
		made.uid = STRANGER - 1;
	made.acl = &acl;
	if (allows(&made, subject, MAY_READ | search))
		abilities |= read;
	if (allows(&made, subject, MAY_WRITE | search))
		abilities |= write;
	acl_free(&acl);
	return abilities;
}

static unsigned int try_directory(const struct deployment_node *node,
				  const struct subject *subject)
{
	const struct object object = { node->uid, node->gid, node->mode, &node->acl };
	unsigned int abilities = 0;

	if (subject->uid == node->uid)
		abilities |= OWN;
	if (allows(&object, subject, MAY_READ))
		abilities |= LIST;
	if (!allows(&object, subject, MAY_EXEC))
		return abilities;
	abilities |= LOOK_UP;
	if (allows(&object, subject, MAY_WRITE | MAY_EXEC))
		abilities |= ADD | (node->mode & S_ISVTX && subject->uid != node->uid ? 0 : REMOVE);
	if (!node->resource || node->resource->kind != DEPLOYMENT_VOLUME)
		return abilities;
	return abilities | try_made(node, subject, S_IFREG | 0666, READ, WRITE) |
	       try_made(node, subject, S_IFDIR | 0777, SUB_LIST, SUB_CHANGE);
}

static unsigned int try_node(const struct deployment_node *node, const struct subject *subject)
{
	const struct object object = { node->uid, node->gid, node->mode, &node->acl };

	if (S_ISDIR(node->mode))
		return try_directory(node, subject);
	return (allows(&object, subject, MAY_READ) ? READ : 0) |
	       (allows(&object, subject, MAY_WRITE) ? WRITE : 0) |
	       (subject->uid == node->uid ? OWN : 0);
}

/*
 * What is meant.
 */

static unsigned int meant_for_volume(unsigned int rights, bool drop_box)
{
	unsigned int abilities = rights ? LOOK_UP : 0;

	if (rights & RIGHT_READ)
		abilities |= LIST | READ | SUB_LIST;
	if (rights & (RIGHT_APPEND | RIGHT_WRITE))
		abilities |= ADD;
	if (rights & RIGHT_WRITE)
		abilities |= REMOVE | WRITE | SUB_CHANGE;
	/* It can then give itself what it has anyway, and what others have is his to give. */
	if (drop_box && (rights & RIGHT_WRITE) && (rights & RIGHT_READ))
		abilities |= OWN;
	return abilities;
}

static bool is_drop_box(const struct deployment_resource *resource)
{
	size_t i;

	for (i = 0; i < resource->nr_access; i++)
		if (resource->access[i].rights & RIGHT_APPEND)
			return true;
	return false;
}

static unsigned int meant(const struct deployment_node *node, unsigned int rights)
{
	const struct deployment_resource *resource = node->resource;

	if (resource->kind == DEPLOYMENT_VOLUME)
		return meant_for_volume(rights, is_drop_box(resource));
	if (!resource->is_directory)
		return (rights & RIGHT_READ ? READ : 0) | (rights & RIGHT_WRITE ? WRITE : 0);
	return (rights ? LOOK_UP : 0) | (rights & RIGHT_READ ? LIST : 0) |
	       (rights & RIGHT_WRITE ? ADD | REMOVE : 0);
}

/*
 * Every pair.
 */

static int find_way(const struct deployment *deployment, json_t *places, size_t index,
		    struct way *way, struct error *err)
{
	autofree char *path = strdup(deployment->nodes[index].path);
	char *slash = path;

	way->nr = 0;
	if (!path)
		return error_set(err, ENOMEM, "out of memory");
	if (index)
		way->directories[way->nr++] = &deployment->nodes[0];
	while ((slash = strchr(slash, '/'))) {
		const json_t *place;

		*slash = '\0';
		place = json_object_get(places, path);
		if (!place || way->nr == sizeof(way->directories) / sizeof(way->directories[0]))
			return error_set(err, EINVAL, "%.200s has no directory that it is in", path);
		way->directories[way->nr++] = &deployment->nodes[json_integer_value(place)];
		*slash++ = '/';
	}
	return 0;
}

static bool reaches(const struct way *way, const struct subject *subject)
{
	size_t i;

	for (i = 0; i < way->nr; i++) {
		const struct deployment_node *node = way->directories[i];
		const struct object object = { node->uid, node->gid, node->mode, &node->acl };

		if (!allows(&object, subject, MAY_EXEC))
			return false;
	}
	return true;
}

static int refuse(const struct subject *subject, const struct deployment_node *node,
		  unsigned int can, unsigned int may, struct error *err)
{
	unsigned int differs = can ^ may, first = __builtin_ctz(differs);
	bool too_much = can >> first & 1;

	return error_set(err, EPERM, "the tree is not what the SPEC says at %s: %s %s %s%s%s",
			 node->path, subject->name,
			 too_much ? "could" : "could not", ability_names[first],
			 node->resource ? " of resource " : ", which is no resource",
			 node->resource ? node->resource->name : "");
}

/* What is no resource lets nobody do more than pass. */
static int compare(const struct subject *subject, const struct deployment_node *node,
		   const struct way *way, unsigned int may, struct error *err)
{
	unsigned int can = reaches(way, subject) ? try_node(node, subject) : 0;

	if (!node->resource)
		can &= ~LOOK_UP;
	return can == may ? 0 : refuse(subject, node, can, may, err);
}

static int check_subject(const struct deployment *deployment, const struct way *ways,
			 const struct subject *subject,
			 const struct deployment_function *function, proof_rights_fn rights,
			 const void *data, struct error *err)
{
	size_t i;

	for (i = 0; i < deployment->nr_nodes; i++) {
		const struct deployment_node *node = &deployment->nodes[i];
		unsigned int may = function && node->resource ?
				   meant(node, rights(function, node->resource, data)) : 0;

		if (compare(subject, node, &ways[i], may, err))
			return -1;
	}
	return 0;
}

static int check_subjects(const struct deployment *deployment, const struct way *ways,
			  proof_rights_fn rights, const void *data, struct error *err)
{
	uint32_t first = deployment->gids.from, last = deployment->gids.to;
	autofree uint64_t *groups = calloc(((uint64_t)last - first) / 64 + 1, sizeof(*groups));
	struct subject subject = { "who is no function", STRANGER, STRANGER, first, last, groups };
	int ret;
	size_t i;

	if (!groups)
		return error_set(err, ENOMEM, "out of memory");
	ret = check_subject(deployment, ways, &subject, NULL, rights, data, err);
	for (i = 0; !ret && i < deployment->nr_functions; i++) {
		const struct deployment_function *function = &deployment->functions[i];

		subject.name = function->name;
		subject.uid = function->uid;
		subject.gid = function->gid;
		set_groups(&subject, function, true);
		ret = check_subject(deployment, ways, &subject, function, rights, data, err);
		set_groups(&subject, function, false);
	}
	return ret;
}

int proof_check(const struct deployment *deployment, proof_rights_fn rights, const void *data,
		struct proof_result *result, struct error *err)
{
	autofree struct way *ways = calloc(deployment->nr_nodes + 1, sizeof(*ways));
	autojson json_t *places = json_object();
	size_t i;

	if (!ways)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < deployment->nr_nodes; i++)
		json_object_set_new(places, deployment->nodes[i].path, json_integer(i));
	for (i = 0; i < deployment->nr_nodes; i++)
		if (find_way(deployment, places, i, &ways[i], err))
			return -1;
	result->pairs = deployment->nr_functions * deployment->nr_nodes;
	return check_subjects(deployment, ways, rights, data, err);
}
