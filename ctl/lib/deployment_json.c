// SPDX-License-Identifier: GPL-2.0
/* The mapping: a deployment as JSON. Reading trusts nothing. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "deployment.h"
#include "deployment_nodes.h"
#include "fields.h"

#define GROUPS_MAX	65536	/* NGROUPS_MAX */
#define LIST_MAX	1000000
#define WHERE		64

/*
 * Writing.
 */

static json_t *range_json(const struct deployment_range *range)
{
	return json_pack("[I, I]", (json_int_t)range->from, (json_int_t)range->to);
}

static json_t *function_json(const struct deployment_function *function)
{
	json_t *groups = json_array();
	size_t i;

	for (i = 0; i < function->nr_groups; i++)
		json_array_append_new(groups, json_integer(function->groups[i]));
	return json_pack("{s:s, s:s, s:I, s:I, s:o, s:s*}", "name", function->name, "role",
			 function->role, "uid", (json_int_t)function->uid, "gid",
			 (json_int_t)function->gid, "groups", groups, "code",
			 function->code[0] ? function->code : NULL);
}

static json_t *group_json(const struct deployment_group *group)
{
	json_t *serves = json_array();
	size_t i;

	for (i = 0; i < group->nr_serves; i++)
		json_array_append_new(serves, json_string(group->serves[i]));
	return json_pack("{s:I, s:o}", "gid", (json_int_t)group->gid, "serves", serves);
}

static json_t *rights_json(unsigned int rights)
{
	json_t *list = json_array();
	unsigned int right;
	char text[32];

	for (right = 1; right <= rights; right <<= 1)
		if (rights & right)
			json_array_append_new(list, json_string(deployment_rights_text(right, text)));
	return list;
}

static json_t *resource_json(const struct deployment_resource *resource)
{
	json_t *object, *access = json_array();
	size_t i;

	for (i = 0; i < resource->nr_access; i++)
		json_array_append_new(access, json_pack("{s:I, s:o}", "gid",
							(json_int_t)resource->access[i].gid,
							"rights",
							rights_json(resource->access[i].rights)));
	object = json_pack("{s:s, s:s, s:s, s:o}", "name", resource->name, "kind",
			   deployment_kinds[resource->kind], "path", resource->path,
			   "access", access);
	if (resource->source)
		json_object_set_new(object, "source", json_string(resource->source));
	if (resource->kind == DEPLOYMENT_PATH)
		json_object_set_new(object, "type",
				    json_string(resource->is_directory ? "directory" : "file"));
	return object;
}

static void set_acl(json_t *object, const char *key, const struct acl *acl)
{
	autofree char *text = acl->entries ? acl_text(acl) : NULL;

	if (text)
		json_object_set_new(object, key, json_string(text));
}

static json_t *node_json(const struct deployment_node *node)
{
	json_t *object;
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", node->mode & 07777);
	object = json_pack("{s:s, s:s, s:s, s:I, s:I}", "path", node->path, "type",
			   S_ISDIR(node->mode) ? "directory" : "file", "mode", mode,
			   "uid", (json_int_t)node->uid, "gid", (json_int_t)node->gid);
	set_acl(object, "acl", &node->acl);
	set_acl(object, "default_acl", &node->default_acl);
	return object;
}

#define LIST_JSON(deployment, nr, list, to_json) ({				\
	json_t *array_ = json_array();						\
	size_t i_;								\
										\
	for (i_ = 0; i_ < (deployment)->nr; i_++)				\
		json_array_append_new(array_, to_json(&(deployment)->list[i_]));	\
	array_;									\
})

json_t *deployment_to_json(const struct deployment *deployment)
{
	json_t *object;

	object = json_pack("{s:i, s:s, s:I, s:{s:o, s:o}, s:o, s:o, s:o, s:o}",
			   "format", DEPLOYMENT_FORMAT, "name", deployment->name,
			   "version", (json_int_t)deployment->version,
			   "ranges", "uids", range_json(&deployment->uids),
			   "gids", range_json(&deployment->gids),
			   "functions", LIST_JSON(deployment, nr_functions, functions, function_json),
			   "groups", LIST_JSON(deployment, nr_groups, groups, group_json),
			   "resources", LIST_JSON(deployment, nr_resources, resources, resource_json),
			   "tree", LIST_JSON(deployment, nr_nodes, nodes, node_json));
	return object;
}

/*
 * Reading.
 */

static void *room(const json_t *list, size_t size, struct error *err)
{
	void *memory = json_array_size(list) <= LIST_MAX ?
		       calloc(json_array_size(list) + 1, size) : NULL;

	if (!memory)
		error_set(err, ENOMEM, "no memory for %zu entries", json_array_size(list));
	return memory;
}

static int copy_name(const json_t *object, const char *where, const char *key,
		     char name[DEPLOYMENT_NAME_SIZE], struct error *err)
{
	const char *text = field_name(object, where, key, err);

	if (!text)
		return -1;
	snprintf(name, DEPLOYMENT_NAME_SIZE, "%s", text);
	return 0;
}

static char *copy_text(const json_t *object, const char *where, const char *key,
		       struct error *err)
{
	const char *text = field_text(object, where, key, err);
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		error_set(err, ENOMEM, "out of memory");
	return copy;
}

static int parse_range(const json_t *ranges, const char *key, struct deployment_range *range,
		       struct error *err)
{
	const json_t *list = json_object_get(ranges, key);
	json_int_t from = json_integer_value(json_array_get(list, 0));
	json_int_t to = json_integer_value(json_array_get(list, 1));

	if (json_array_size(list) != 2 || from < 0 || to < 0 || from > UINT32_MAX ||
	    to > UINT32_MAX)
		return field_refuse("ranges", key, err, "it is no list of two numbers");
	*range = (struct deployment_range){ from, to };
	return deployment_range_check(range, err) ? error_prefix(err, "ranges.%s", key) : 0;
}

static int parse_head(const json_t *object, struct deployment *deployment, struct error *err)
{
	static const char *const known[] = { "format", "name", "version", "ranges", "functions",
		"groups", "resources", "tree", NULL };
	static const char *const ranges[] = { "uids", "gids", NULL };
	uint64_t format;

	if (fields_check(object, "", known, err) ||
	    field_number(object, "", "format", DEPLOYMENT_FORMAT, DEPLOYMENT_FORMAT, &format, err) ||
	    copy_name(object, "", "name", deployment->name, err) ||
	    field_number(object, "", "version", 1, INT64_MAX, &deployment->version, err) ||
	    fields_check(json_object_get(object, "ranges"), "ranges", ranges, err))
		return -1;
	return parse_range(json_object_get(object, "ranges"), "uids", &deployment->uids, err) ||
	       parse_range(json_object_get(object, "ranges"), "gids", &deployment->gids, err) ?
	       -1 : 0;
}

/* Numbers that ascend, within the range. */
static int parse_groups(const json_t *list, const struct deployment_range *range,
			struct deployment_function *function, struct error *err)
{
	size_t nr = json_array_size(list), i;
	json_int_t last = 0;

	function->groups = room(list, sizeof(*function->groups), err);
	if (!function->groups)
		return -1;
	for (i = 0; i < nr; i++) {
		json_int_t gid = json_integer_value(json_array_get(list, i));

		if (gid <= last || gid < range->from || gid > range->to || gid == function->gid)
			return error_set(err, EINVAL, "groups do not ascend within ranges.gids");
		function->groups[i] = last = gid;
	}
	function->nr_groups = nr;
	return 0;
}

static int parse_code(const json_t *object, const char *where,
		      struct deployment_function *function, struct error *err)
{
	const char *digest;

	if (!json_object_get(object, "code"))
		return 0;
	digest = field_text(object, where, "code", err);
	if (!digest)
		return -1;
	if (strlen(digest) != DEPLOYMENT_DIGEST_SIZE - 1 || strncmp(digest, "sha256:", 7))
		return field_refuse(where, "code", err, "it is no digest of an archive");
	strcpy(function->code, digest);
	return 0;
}

static int parse_function(const json_t *object, const char *where,
			  const struct deployment *deployment,
			  struct deployment_function *function, struct error *err)
{
	static const char *const known[] = { "name", "role", "uid", "gid", "groups", "code", NULL };
	const json_t *groups;

	if (fields_check(object, where, known, err) ||
	    copy_name(object, where, "name", function->name, err) ||
	    copy_name(object, where, "role", function->role, err) ||
	    field_number32(object, where, "uid", deployment->uids.from, deployment->uids.to,
			   &function->uid, err) ||
	    field_number32(object, where, "gid", deployment->gids.from, deployment->gids.to,
			   &function->gid, err))
		return -1;
	groups = field_list(object, where, "groups", err);
	if (!groups || parse_code(object, where, function, err))
		return -1;
	if (json_array_size(groups) > GROUPS_MAX)
		return field_refuse(where, "groups", err, "a process can have %d", GROUPS_MAX);
	return parse_groups(groups, &deployment->gids, function, err) ?
	       error_prefix(err, "%s", where) : 0;
}

static int parse_functions(const json_t *list, struct deployment *deployment, struct error *err)
{
	char where[WHERE];
	size_t i;

	deployment->functions = room(list, sizeof(*deployment->functions), err);
	if (!deployment->functions)
		return -1;
	for (i = 0; i < json_array_size(list); i++) {
		snprintf(where, sizeof(where), "functions[%zu]", i);
		deployment->nr_functions = i + 1;
		if (parse_function(json_array_get(list, i), where, deployment,
				   &deployment->functions[i], err))
			return -1;
	}
	return 0;
}

static int parse_group(const json_t *object, const char *where,
		       const struct deployment *deployment, struct deployment_group *group,
		       struct error *err)
{
	static const char *const known[] = { "gid", "serves", NULL };
	const json_t *serves;
	size_t i;

	if (fields_check(object, where, known, err) ||
	    field_number32(object, where, "gid", deployment->gids.from, deployment->gids.to,
			   &group->gid, err))
		return -1;
	serves = field_list(object, where, "serves", err);
	group->serves = serves ? room(serves, sizeof(*group->serves), err) : NULL;
	if (!group->serves)
		return -1;
	for (i = 0; i < json_array_size(serves); i++) {
		const char *text = json_string_value(json_array_get(serves, i));

		group->serves[i] = text ? strdup(text) : NULL;
		if (!group->serves[i])
			return field_refuse(where, "serves", err, "it is no list of texts");
		group->nr_serves = i + 1;
	}
	return 0;
}

static int parse_group_list(const json_t *list, struct deployment *deployment, struct error *err)
{
	char where[WHERE];
	size_t i;

	deployment->groups = room(list, sizeof(*deployment->groups), err);
	if (!deployment->groups)
		return -1;
	for (i = 0; i < json_array_size(list); i++) {
		snprintf(where, sizeof(where), "groups[%zu]", i);
		deployment->nr_groups = i + 1;
		if (parse_group(json_array_get(list, i), where, deployment,
				&deployment->groups[i], err))
			return -1;
	}
	return 0;
}

static int parse_rights(const json_t *list, unsigned int allowed, unsigned int *rights)
{
	const json_t *name;
	size_t i;

	*rights = 0;
	json_array_foreach((json_t *)list, i, name) {
		unsigned int right = json_is_string(name) ?
				     deployment_right(json_string_value(name)) : 0;

		if (!right || right & *rights || right & ~allowed)
			return -1;
		*rights |= right;
	}
	return *rights && *rights == deployment_rights_reduced(*rights) ? 0 : -1;
}

static int parse_access(const json_t *list, const char *where,
			const struct deployment *deployment,
			struct deployment_resource *resource, struct error *err)
{
	static const char *const known[] = { "gid", "rights", NULL };
	unsigned int allowed = deployment_rights_of(resource->kind, resource->is_directory);
	size_t i;

	resource->access = room(list, sizeof(*resource->access), err);
	if (!resource->access)
		return -1;
	for (i = 0; i < json_array_size(list); i++) {
		const json_t *object = json_array_get(list, i);

		if (fields_check(object, where, known, err) ||
		    field_number32(object, where, "gid", deployment->gids.from,
				   deployment->gids.to, &resource->access[i].gid, err))
			return -1;
		if (parse_rights(json_object_get(object, "rights"), allowed,
				 &resource->access[i].rights))
			return field_refuse(where, "access", err, "the rights are not those of a %s",
					    deployment_kinds[resource->kind]);
		resource->nr_access = i + 1;
	}
	return 0;
}

/* Of a path, and of nothing else. */
static int parse_type(const json_t *object, const char *where,
		      struct deployment_resource *resource, struct error *err)
{
	const char *type;

	resource->is_directory = resource->kind == DEPLOYMENT_VOLUME;
	if (resource->kind != DEPLOYMENT_PATH)
		return json_object_get(object, "type") ?
		       field_refuse(where, "type", err, "only a path has one") : 0;
	type = field_text(object, where, "type", err);
	if (!type)
		return -1;
	resource->is_directory = !strcmp(type, "directory");
	if (!resource->is_directory && strcmp(type, "file"))
		return field_refuse(where, "type", err, "'%.80s' is neither directory nor file",
				    type);
	return 0;
}

static int parse_kind(const json_t *object, const char *where,
		      struct deployment_resource *resource, struct error *err)
{
	const char *kind = field_text(object, where, "kind", err);
	size_t i;

	if (!kind)
		return -1;
	for (i = 0; i < DEPLOYMENT_KINDS && strcmp(kind, deployment_kinds[i]); i++)
		;
	if (i == DEPLOYMENT_KINDS)
		return field_refuse(where, "kind", err, "'%.80s' is no kind of resource", kind);
	resource->kind = i;
	return parse_type(object, where, resource, err);
}

static int parse_source(const json_t *object, const char *where,
			struct deployment_resource *resource, struct error *err)
{
	if (resource->kind == DEPLOYMENT_VOLUME)
		return json_object_get(object, "source") ?
		       field_refuse(where, "source", err, "a volume has none") : 0;
	resource->source = copy_text(object, where, "source", err);
	if (!resource->source)
		return -1;
	return deployment_source_check(resource->kind, resource->source, err) ?
	       error_prefix(err, "%s.source", where) : 0;
}

static int parse_resource(const json_t *object, const char *where,
			  const struct deployment *deployment,
			  struct deployment_resource *resource, struct error *err)
{
	static const char *const known[] = { "name", "kind", "type", "source", "path", "access",
					     NULL };
	const json_t *access;

	if (fields_check(object, where, known, err) ||
	    copy_name(object, where, "name", resource->name, err) ||
	    parse_kind(object, where, resource, err) || parse_source(object, where, resource, err))
		return -1;
	resource->path = copy_text(object, where, "path", err);
	access = resource->path ? field_list(object, where, "access", err) : NULL;
	return access ? parse_access(access, where, deployment, resource, err) : -1;
}

static int parse_resources(const json_t *list, struct deployment *deployment, struct error *err)
{
	char where[WHERE];
	size_t i;

	deployment->resources = room(list, sizeof(*deployment->resources), err);
	if (!deployment->resources)
		return -1;
	for (i = 0; i < json_array_size(list); i++) {
		snprintf(where, sizeof(where), "resources[%zu]", i);
		deployment->nr_resources = i + 1;
		if (parse_resource(json_array_get(list, i), where, deployment,
				   &deployment->resources[i], err))
			return -1;
	}
	return 0;
}

/* Four octal digits, as they are written. */
static int parse_mode(const json_t *object, const char *where, mode_t *mode, struct error *err)
{
	const char *type = field_text(object, where, "type", err);
	const char *text = type ? field_text(object, where, "mode", err) : NULL;

	if (!text)
		return -1;
	if (strlen(text) != 4 || strspn(text, "01234567") != 4)
		return field_refuse(where, "mode", err, "'%.80s' is not four octal digits", text);
	if (strcmp(type, "directory") && strcmp(type, "file"))
		return field_refuse(where, "type", err, "'%.80s' is neither directory nor file",
				    type);
	*mode = strtoul(text, NULL, 8) | (strcmp(type, "file") ? S_IFDIR : S_IFREG);
	return 0;
}

static int parse_acl(const json_t *object, const char *where, const char *key, struct acl *acl,
		     struct error *err)
{
	const char *text;

	if (!json_object_get(object, key))
		return 0;
	text = field_text(object, where, key, err);
	if (!text)
		return -1;
	return acl_parse(text, acl, err) ? error_prefix(err, "%s.%s", where, key) : 0;
}

static int parse_node(const json_t *object, const char *where, struct deployment_node *node,
		      struct error *err)
{
	static const char *const known[] = { "path", "type", "mode", "uid", "gid", "acl",
					     "default_acl", NULL };

	if (fields_check(object, where, known, err) ||
	    parse_mode(object, where, &node->mode, err) ||
	    field_number32(object, where, "uid", 0, UINT32_MAX - 1, &node->uid, err) ||
	    field_number32(object, where, "gid", 0, UINT32_MAX - 1, &node->gid, err) ||
	    parse_acl(object, where, "acl", &node->acl, err) ||
	    parse_acl(object, where, "default_acl", &node->default_acl, err))
		return -1;
	node->path = copy_text(object, where, "path", err);
	return node->path ? 0 : -1;
}

static int parse_nodes(const json_t *list, struct deployment *deployment, struct error *err)
{
	char where[WHERE];
	size_t i;

	deployment->nodes = room(list, sizeof(*deployment->nodes), err);
	if (!deployment->nodes)
		return -1;
	for (i = 0; i < json_array_size(list); i++) {
		snprintf(where, sizeof(where), "tree[%zu]", i);
		deployment->nr_nodes = i + 1;
		if (parse_node(json_array_get(list, i), where, &deployment->nodes[i], err))
			return -1;
	}
	return 0;
}

static int parse_all(const json_t *object, struct deployment *deployment, struct error *err)
{
	static int (*const parsers[])(const json_t *list, struct deployment *deployment,
				      struct error *err) = {
		parse_functions, parse_group_list, parse_resources, parse_nodes,
	};
	static const char *const keys[] = { "functions", "groups", "resources", "tree" };
	const json_t *list;
	size_t i;

	if (parse_head(object, deployment, err))
		return -1;
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		list = field_list(object, "", keys[i], err);
		if (!list || parsers[i](list, deployment, err))
			return -1;
	}
	return deployment_check(deployment, err);
}

struct deployment *deployment_from_json(const json_t *object, struct error *err)
{
	struct deployment *deployment = calloc(1, sizeof(*deployment));

	if (!deployment)
		error_set(err, ENOMEM, "out of memory");
	else if (!parse_all(object, deployment, err))
		return deployment;
	deployment_free(deployment);
	return NULL;
}
