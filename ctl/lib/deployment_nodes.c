// SPDX-License-Identifier: GPL-2.0
/* What holds within a deployment. Numbers and paths are the hub's if this lets them through. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "deployment_nodes.h"
#include "file.h"

static const char *const tops[DEPLOYMENT_KINDS] = { "volumes", "paths", "devices", "secrets" };

static int refuse(struct error *err, const char *what, const char *why)
{
	return error_set(err, EINVAL, "%.200s %s", what, why);
}

/* Is @inner @outer, or below it? */
static bool is_within(const char *inner, const char *outer)
{
	size_t len = strlen(outer);

	return !strncmp(inner, outer, len) && (inner[len] == '/' || !inner[len]);
}

static bool is_clean(const char *path)
{
	const char *part = path, *end;

	for (; *part == '/'; part = end) {
		part++;
		end = part + strcspn(part, "/");
		if (end == part || end - part > NAME_MAX || (end - part == 1 && *part == '.') ||
		    (end - part == 2 && !strncmp(part, "..", 2)))
			return false;
	}
	return !*part && strlen(path) < PATH_MAX && !strpbrk(path, "\n\r\t");
}

int deployment_source_check(enum deployment_kind kind, const char *source, struct error *err)
{
	static const char *const own[] = { "/proc", "/sys", STATE_DIRECTORY, RUN_DIRECTORY };
	size_t i;

	if (*source != '/' || !is_clean(source))
		return refuse(err, source, "is no path of a hub: give an absolute one without '.', '..', doubled or trailing slashes and control characters");
	if (kind == DEPLOYMENT_DEVICE && !is_within(source, "/dev"))
		return refuse(err, source, "is not below /dev, where devices are");
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (is_within(source, own[i]) || is_within(own[i], source))
			return error_set(err, EINVAL, "%.200s is or holds %s, which is no function's: choose what it needs of it",
					 source, own[i]);
	return 0;
}

/*
 * Numbers.
 */

static int compare_roles(const void *a, const void *b)
{
	const struct deployment_function *const *first = a, *const *second = b;

	return strcmp((*first)->role, (*second)->role);
}

static int compare_names(const void *a, const void *b)
{
	const struct deployment_function *const *first = a, *const *second = b;

	return strcmp((*first)->name, (*second)->name);
}

static int compare_uids(const void *a, const void *b)
{
	const struct deployment_function *const *first = a, *const *second = b;

	return ((*first)->uid > (*second)->uid) - ((*first)->uid < (*second)->uid);
}

static int compare_numbers(const void *a, const void *b)
{
	const uint32_t *first = a, *second = b;

	return (*first > *second) - (*first < *second);
}

static bool same_numbers(const struct deployment_function *a, const struct deployment_function *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->nr_groups == b->nr_groups &&
	       !memcmp(a->groups, b->groups, a->nr_groups * sizeof(*a->groups));
}

/* A role is its numbers, and a user's numbers are its role. */
static int check_roles(const struct deployment_function **sorted, size_t nr, struct error *err)
{
	size_t i;

	qsort(sorted, nr, sizeof(*sorted), compare_names);
	for (i = 1; i < nr; i++)
		if (!strcmp(sorted[i]->name, sorted[i - 1]->name))
			return refuse(err, sorted[i]->name, "is the name of two functions");
	qsort(sorted, nr, sizeof(*sorted), compare_roles);
	for (i = 1; i < nr; i++)
		if (!strcmp(sorted[i]->role, sorted[i - 1]->role) &&
		    !same_numbers(sorted[i], sorted[i - 1]))
			return refuse(err, sorted[i]->role, "is a role of functions with different numbers");
	qsort(sorted, nr, sizeof(*sorted), compare_uids);
	for (i = 1; i < nr; i++)
		if (sorted[i]->uid == sorted[i - 1]->uid &&
		    strcmp(sorted[i]->role, sorted[i - 1]->role))
			return refuse(err, sorted[i]->role, "is a role with another one's user");
	return 0;
}

/* All groups that there are, ascending: of roles and of sets. NULL with err set. */
static uint32_t *collect_gids(const struct deployment *deployment,
			      const struct deployment_function **by_uid, size_t *nr,
			      struct error *err)
{
	uint32_t *gids = malloc((deployment->nr_functions + deployment->nr_groups + 1) *
				sizeof(*gids));
	size_t i;

	*nr = 0;
	if (!gids) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	for (i = 0; i < deployment->nr_functions; i++)
		if (!i || by_uid[i]->uid != by_uid[i - 1]->uid)
			gids[(*nr)++] = by_uid[i]->gid;
	for (i = 0; i < deployment->nr_groups; i++)
		gids[(*nr)++] = deployment->groups[i].gid;
	qsort(gids, *nr, sizeof(*gids), compare_numbers);
	for (i = 1; i < *nr; i++)
		if (gids[i] == gids[i - 1]) {
			error_set(err, EINVAL, "%u is the number of two groups", gids[i]);
			free(gids);
			return NULL;
		}
	return gids;
}

static bool is_known(const uint32_t *gids, size_t nr, uint32_t gid)
{
	return bsearch(&gid, gids, nr, sizeof(gid), compare_numbers);
}

static int check_access(const struct deployment *deployment, const uint32_t *gids, size_t nr,
			struct error *err)
{
	const struct deployment_resource *resource;
	size_t i, j;

	for (i = 0; i < deployment->nr_resources; i++) {
		resource = &deployment->resources[i];
		for (j = 0; j < resource->nr_access; j++)
			if (!is_known(gids, nr, resource->access[j].gid))
				return refuse(err, resource->name, "gives access to a group that there is not");
	}
	return 0;
}

static int check_numbers(const struct deployment *deployment, struct error *err)
{
	const struct deployment_function **sorted;
	uint32_t *gids = NULL;
	size_t i, nr;
	int ret = -1;

	sorted = calloc(deployment->nr_functions + 1, sizeof(*sorted));
	if (!sorted)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < deployment->nr_functions; i++)
		sorted[i] = &deployment->functions[i];
	if (!check_roles(sorted, deployment->nr_functions, err))
		gids = collect_gids(deployment, sorted, &nr, err);
	if (gids)
		ret = check_access(deployment, gids, nr, err);
	free(gids);
	free(sorted);
	return ret;
}

/*
 * The tree.
 */

static bool is_own(const struct deployment_range *range, uint32_t number)
{
	return !number || (number >= range->from && number <= range->to);
}

static int check_acl(const struct deployment *deployment, const struct acl *acl)
{
	size_t i;

	for (i = 0; i < acl->nr; i++)
		if ((acl->entries[i].tag == ACL_TAG_USER &&
		     (!acl->entries[i].id || !is_own(&deployment->uids, acl->entries[i].id))) ||
		    (acl->entries[i].tag == ACL_TAG_GROUP &&
		     (!acl->entries[i].id || !is_own(&deployment->gids, acl->entries[i].id))))
			return -1;
	return 0;
}

/* The class bits of a mode are the ACL's owner, mask or owning group, and other. */
static bool agrees(mode_t mode, const struct acl *acl)
{
	unsigned int class = 0, group = 0;
	bool has_mask = false;
	size_t i;

	for (i = 0; i < acl->nr; i++) {
		const struct acl_entry *entry = &acl->entries[i];

		if (entry->tag == ACL_TAG_OWNER)
			class |= entry->permissions << 6;
		else if (entry->tag == ACL_TAG_OTHER)
			class |= entry->permissions;
		else if (entry->tag == ACL_TAG_MASK || (entry->tag == ACL_TAG_OWNING_GROUP &&
							!has_mask))
			group = entry->permissions;
		has_mask |= entry->tag == ACL_TAG_MASK;
	}
	return !acl->entries || (mode & 0777) == (class | group << 3);
}

static bool path_is_clean(const char *path)
{
	char full[PATH_MAX];

	if (strlen(path) > 4 * NAME_MAX)
		return false;
	snprintf(full, sizeof(full), "/%s", path);
	return is_clean(full);
}

/*
 * The most that a node of its kind has. What is more might do no harm where it is, but would
 * elsewhere: where a file is mounted for a task without the directory that keeps others away.
 */
static mode_t most(const struct deployment_node *node)
{
	if (!node->resource)
		return strchr(node->path, '/') ? 0710 : 0711;
	if (!S_ISDIR(node->mode))
		return 0660;
	return node->resource->kind == DEPLOYMENT_VOLUME ? S_ISGID | S_ISVTX | 0770 : 0770;
}

static int check_entries(const struct acl *acl, mode_t most)
{
	size_t i;

	for (i = 0; i < acl->nr; i++) {
		const struct acl_entry *entry = &acl->entries[i];
		unsigned int allowed = most >> 3 & 7;

		if (entry->tag == ACL_TAG_OWNER)
			allowed = most >> 6 & 7;
		else if (entry->tag == ACL_TAG_OTHER)
			allowed = most & 7;
		if (entry->permissions & ~allowed)
			return -1;
	}
	return 0;
}

static int check_node(const struct deployment *deployment, const struct deployment_node *node,
		      struct error *err)
{
	bool is_volume = node->resource && node->resource->kind == DEPLOYMENT_VOLUME;

	if (node->mode & 07777 & ~most(node) || check_entries(&node->acl, most(node)) ||
	    check_entries(&node->default_acl, most(node)))
		return refuse(err, node->path, "has a mode or an ACL that nothing of its kind has");
	if (!is_own(&deployment->uids, node->uid) || !is_own(&deployment->gids, node->gid) ||
	    check_acl(deployment, &node->acl) || check_acl(deployment, &node->default_acl))
		return refuse(err, node->path, "has an owner that is not the deployment's");
	if (node->uid && !(is_volume && node->mode & S_ISVTX))
		return refuse(err, node->path, "has an owner, which only drop boxes have");
	if (node->resource && !node->gid && node->mode & 070)
		return refuse(err, node->path, "lets the hub's group root in");
	if (!agrees(node->mode, &node->acl))
		return refuse(err, node->path, "has a mode that is not its ACL's");
	if (node->default_acl.entries && !is_volume)
		return refuse(err, node->path, "has a default ACL, which only volumes have");
	if (!node->default_acl.entries && is_volume && node->mode & 070)
		return refuse(err, node->path, "has no default ACL, so that it depends on umasks who can use what is made in it");
	return 0;
}

/* Its parent comes before it and is a directory that is no resource. */
static int check_parent(const struct deployment *deployment, json_t *places,
			const struct deployment_node *node, struct error *err)
{
	autofree char *parent = strdup(node->path);
	const struct deployment_node *found;
	char *slash = parent ? strrchr(parent, '/') : NULL;
	json_t *place;

	if (!parent)
		return error_set(err, ENOMEM, "out of memory");
	if (slash)
		*slash = '\0';
	place = json_object_get(places, slash ? parent : ".");
	if (!place)
		return refuse(err, node->path, "comes before the directory that it is in");
	found = &deployment->nodes[json_integer_value(place)];
	if (!S_ISDIR(found->mode) || found->resource)
		return refuse(err, node->path, "is in what is no directory of the tree");
	return 0;
}

/* Where it is follows from its kind. */
static bool is_placed(const struct deployment_resource *resource)
{
	const char *top = tops[resource->kind], *slash = strrchr(resource->path, '/');
	size_t len = strlen(top);
	bool flat = resource->kind == DEPLOYMENT_VOLUME || resource->kind == DEPLOYMENT_PATH;

	return slash && !strncmp(resource->path, top, len) && resource->path[len] == '/' &&
	       !strcmp(slash + 1, resource->name) &&
	       flat == (slash == resource->path + len) && path_is_clean(resource->path);
}

/* By path; two resources at one are refused. */
static json_t *find_resources(const struct deployment *deployment, struct error *err)
{
	json_t *found = json_object();
	const struct deployment_resource *resource;
	size_t i;

	for (i = 0; i < deployment->nr_resources; i++) {
		resource = &deployment->resources[i];
		if (!is_placed(resource))
			refuse(err, resource->name, "is not where a resource of its kind is");
		else if (json_object_get(found, resource->path))
			refuse(err, resource->path, "is the path of two resources");
		else if (!json_object_set_new(found, resource->path, json_integer(i)))
			continue;
		json_decref(found);
		return NULL;
	}
	return found;
}

static int take_node(struct deployment *deployment, json_t *places, json_t *resources, size_t i,
		     struct error *err)
{
	struct deployment_node *node = &deployment->nodes[i];
	json_t *resource = json_object_get(resources, node->path);

	if (i ? !path_is_clean(node->path) : strcmp(node->path, ".") || !S_ISDIR(node->mode))
		return refuse(err, node->path, "is no path of the tree, whose first is '.'");
	if (json_object_get(places, node->path))
		return refuse(err, node->path, "is in the tree twice");
	if (i && check_parent(deployment, places, node, err))
		return -1;
	if (resource)
		node->resource = &deployment->resources[json_integer_value(resource)];
	if (node->resource ? node->resource->is_directory != S_ISDIR(node->mode) :
			     !S_ISDIR(node->mode))
		return refuse(err, node->path, "is a directory where a file has to be, or a file where a directory has to be");
	json_object_del(resources, node->path);
	return json_object_set_new(places, node->path, json_integer(i)) ?
	       error_set(err, EINVAL, "tree[%zu].path is no text in UTF-8", i) :
	       check_node(deployment, node, err);
}

static int check_tree(struct deployment *deployment, struct error *err)
{
	autojson json_t *resources = find_resources(deployment, err), *places = json_object();
	size_t i;

	if (!resources)
		return -1;
	for (i = 0; i < deployment->nr_nodes; i++)
		if (take_node(deployment, places, resources, i, err))
			return -1;
	if (json_object_size(resources))
		return refuse(err, json_object_iter_key(json_object_iter(resources)),
			      "is a resource's, but not in the tree");
	return 0;
}

/* Two names would be one mount, or one directory, in a task. */
static int check_names(const struct deployment *deployment, struct error *err)
{
	autojson json_t *names = json_object();
	size_t i;

	for (i = 0; i < deployment->nr_resources; i++) {
		if (json_object_get(names, deployment->resources[i].name))
			return refuse(err, deployment->resources[i].name, "is the name of two resources");
		json_object_set_new(names, deployment->resources[i].name, json_true());
	}
	return 0;
}

int deployment_check(struct deployment *deployment, struct error *err)
{
	return check_numbers(deployment, err) || check_names(deployment, err) ||
	       check_tree(deployment, err) ? -1 : 0;
}
