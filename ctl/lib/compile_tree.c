// SPDX-License-Identifier: GPL-2.0
/* The tree of a deployment: one entry of a mode or an ACL for each set. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile_tree.h"

#define READ	4
#define WRITE	2
#define SEARCH	1
#define PASS	0711	/* look nothing up but names that one knows */

static const char *const tops[DEPLOYMENT_KINDS] = { "volumes", "paths", "devices", "secrets" };

static int out_of_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory");
}

/* On the resource itself. */
static unsigned int own_permissions(unsigned int rights, bool is_directory)
{
	unsigned int permissions = 0;

	if (rights & RIGHT_READ)
		permissions |= READ;
	if (rights & (RIGHT_WRITE | RIGHT_APPEND))
		permissions |= WRITE;
	return is_directory && rights ? permissions | SEARCH : permissions;
}

/* On what is made in a volume. Search is for directories; files are rarely made with it. */
static unsigned int content_permissions(unsigned int rights)
{
	unsigned int permissions = 0;

	if (rights & RIGHT_READ)
		permissions |= READ;
	if (rights & RIGHT_WRITE)
		permissions |= WRITE;
	return permissions ? permissions | SEARCH : 0;
}

static unsigned int pass_permissions(unsigned int rights)
{
	return rights ? SEARCH : 0;
}

typedef unsigned int (*permissions_fn)(unsigned int rights);

static unsigned int directory_permissions(unsigned int rights)
{
	return own_permissions(rights, true);
}

static unsigned int file_permissions(unsigned int rights)
{
	return own_permissions(rights, false);
}

static int compare_gids(const void *a, const void *b)
{
	const struct deployment_access *first = a, *second = b;

	return (first->gid > second->gid) - (first->gid < second->gid);
}

static int add_named(struct acl *acl, const struct deployment_access *named, size_t nr,
		     permissions_fn permissions, unsigned int mask, struct error *err)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (acl_add(acl, ACL_TAG_GROUP, named[i].gid, permissions(named[i].rights), err))
			return -1;
	return nr ? acl_add(acl, ACL_TAG_MASK, 0, mask, err) : 0;
}

/*
 * The first set of @access is the owning group, the others are named; who gets nothing
 * is not. *mask is what all of them have together, for the mode.
 */
static int make_acl(struct acl *acl, const struct deployment_resource *resource,
		    unsigned int owner, permissions_fn permissions, unsigned int *mask,
		    struct error *err)
{
	const struct deployment_access *access = resource->access;
	struct deployment_access named[RIGHTS_ALL];
	size_t nr = 0, i;

	*mask = resource->nr_access ? permissions(access[0].rights) : 0;
	if (acl_add(acl, ACL_TAG_OWNER, 0, owner, err) ||
	    acl_add(acl, ACL_TAG_OWNING_GROUP, 0, *mask, err))
		return -1;
	for (i = 1; i < resource->nr_access; i++) {
		*mask |= permissions(access[i].rights);
		if (permissions(access[i].rights))
			named[nr++] = access[i];
	}
	qsort(named, nr, sizeof(*named), compare_gids);
	return add_named(acl, named, nr, permissions, *mask, err) ||
	       acl_add(acl, ACL_TAG_OTHER, 0, 0, err) ? -1 : 0;
}

/* No ACL where the mode says the same. */
static int set_permissions(struct deployment_node *node,
			   const struct deployment_resource *resource, mode_t type,
			   unsigned int owner, permissions_fn permissions, struct error *err)
{
	unsigned int mask;

	if (make_acl(&node->acl, resource, owner, permissions, &mask, err))
		return -1;
	if (resource->nr_access < 2)
		acl_free(&node->acl);
	node->mode = type | owner << 6 | mask << 3;
	node->gid = resource->nr_access ? resource->access[0].gid : 0;
	return 0;
}

static const struct deployment_access *find_right(const struct deployment_resource *resource,
						  unsigned int right)
{
	size_t i;

	for (i = 0; i < resource->nr_access; i++)
		if (resource->access[i].rights & right)
			return &resource->access[i];
	return NULL;
}

/* Of who has the group for its own. */
static uint32_t user_of(const struct deployment *deployment, uint32_t gid)
{
	size_t i;

	for (i = 0; i < deployment->nr_functions; i++)
		if (deployment->functions[i].gid == gid)
			return deployment->functions[i].uid;
	return 0;
}

/* What is made in it gets its group; in a drop box everybody keeps what is his. */
static int fill_volume(const struct deployment *deployment, struct deployment_node *node,
		       const struct deployment_resource *resource, struct error *err)
{
	const struct deployment_access *writer = find_right(resource, RIGHT_WRITE);
	unsigned int mask;

	if (set_permissions(node, resource, S_IFDIR, 7, directory_permissions, err))
		return -1;
	if (!resource->nr_access)
		return 0;
	node->mode |= S_ISGID;
	if (find_right(resource, RIGHT_APPEND)) {
		node->mode |= S_ISVTX;
		node->uid = writer ? user_of(deployment, writer->gid) : 0;
	}
	return make_acl(&node->default_acl, resource, 7, content_permissions, &mask, err);
}

static int fill_resource(const struct deployment *deployment, struct deployment_node *node,
			 const struct deployment_resource *resource, struct error *err)
{
	node->path = strdup(resource->path);
	if (!node->path)
		return out_of_memory(err);
	node->resource = resource;
	if (resource->kind == DEPLOYMENT_VOLUME)
		return fill_volume(deployment, node, resource, err);
	if (resource->is_directory)
		return set_permissions(node, resource, S_IFDIR, 7, directory_permissions, err);
	return set_permissions(node, resource, S_IFREG,
			       resource->kind == DEPLOYMENT_SECRET ? READ : READ | WRITE,
			       file_permissions, err);
}

/* Who may pass to a device or secret: "2000224257-2000224260"; "none". */
static void pass_name(const struct deployment_resource *resource, char name[192])
{
	struct deployment_access sorted[RIGHTS_ALL];
	size_t i, len = 0;

	strcpy(name, "none");
	memcpy(sorted, resource->access, resource->nr_access * sizeof(*sorted));
	qsort(sorted, resource->nr_access, sizeof(*sorted), compare_gids);
	for (i = 0; i < resource->nr_access; i++)
		len += sprintf(name + len, "%s%u", i ? "-" : "", sorted[i].gid);
}

static int set_path(struct deployment_resource *resource, struct error *err)
{
	const char *top = tops[resource->kind];
	char pass[192];
	int len;

	pass_name(resource, pass);
	if (resource->kind == DEPLOYMENT_VOLUME || resource->kind == DEPLOYMENT_PATH)
		len = asprintf(&resource->path, "%s/%s", top, resource->name);
	else
		len = asprintf(&resource->path, "%s/%s/%s", top, pass, resource->name);
	if (len >= 0)
		return 0;
	resource->path = NULL;
	return out_of_memory(err);
}

/* The directory of a device or secret; the same for all with the same groups. */
static int fill_pass(struct deployment_node *node, const struct deployment_resource *resource,
		     struct error *err)
{
	struct deployment_access sorted[RIGHTS_ALL];
	struct deployment_resource passed = { .access = sorted, .nr_access = resource->nr_access };

	node->path = strndup(resource->path, strrchr(resource->path, '/') - resource->path);
	if (!node->path)
		return out_of_memory(err);
	memcpy(sorted, resource->access, resource->nr_access * sizeof(*sorted));
	qsort(sorted, passed.nr_access, sizeof(*sorted), compare_gids);
	return set_permissions(node, &passed, S_IFDIR, 7, pass_permissions, err);
}

static int fill_top(struct deployment_node *node, const char *path, struct error *err)
{
	node->path = strdup(path);
	node->mode = S_IFDIR | PASS;
	return node->path ? 0 : out_of_memory(err);
}

static int compare_nodes(const void *a, const void *b)
{
	const struct deployment_node *first = a, *second = b;

	return strcmp(first->path, second->path);
}

/* Directories of several devices or secrets are there once. */
static void sort_nodes(struct deployment *deployment)
{
	struct deployment_node *nodes = deployment->nodes;
	size_t nr = 0, i;

	qsort(nodes, deployment->nr_nodes, sizeof(*nodes), compare_nodes);
	for (i = 0; i < deployment->nr_nodes; i++) {
		if (nr && !strcmp(nodes[nr - 1].path, nodes[i].path)) {
			free(nodes[i].path);
			acl_free(&nodes[i].acl);
		} else {
			nodes[nr++] = nodes[i];
		}
	}
	deployment->nr_nodes = nr;
}

static int add_tops(struct deployment *deployment, struct error *err)
{
	size_t i;

	if (fill_top(&deployment->nodes[deployment->nr_nodes++], ".", err))
		return -1;
	for (i = 0; i < DEPLOYMENT_KINDS; i++)
		if (fill_top(&deployment->nodes[deployment->nr_nodes++], tops[i], err))
			return -1;
	return 0;
}

static int add_resource(struct deployment *deployment, struct deployment_resource *resource,
			struct error *err)
{
	bool passed = resource->kind == DEPLOYMENT_DEVICE || resource->kind == DEPLOYMENT_SECRET;

	if (set_path(resource, err))
		return -1;
	if (passed && fill_pass(&deployment->nodes[deployment->nr_nodes++], resource, err))
		return -1;
	return fill_resource(deployment, &deployment->nodes[deployment->nr_nodes++], resource, err);
}

int compile_tree(struct deployment *deployment, struct error *err)
{
	size_t i;

	deployment->nodes = calloc(2 * deployment->nr_resources + DEPLOYMENT_KINDS + 1,
				   sizeof(*deployment->nodes));
	if (!deployment->nodes)
		return out_of_memory(err);
	if (add_tops(deployment, err))
		return -1;
	for (i = 0; i < deployment->nr_resources; i++)
		if (add_resource(deployment, &deployment->resources[i], err))
			return -1;
	sort_nodes(deployment);
	return 0;
}
