// SPDX-License-Identifier: GPL-2.0
/* What differs between two deployments; see deployment_changes.h. */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "deployment_changes.h"
#include "deployment_label.h"

/*
 * Each side becomes an object of texts by name, a kind at a time: equal texts are no change.
 */
struct kind {
	const char *name;
	void (*describe)(const struct deployment *deployment, json_t *texts);
};

/* A function can be in a thousand groups. NULL: out of memory. */
static char *groups_text(const struct deployment_function *function)
{
	char *text = NULL;
	size_t len, i;
	FILE *file = open_memstream(&text, &len);

	if (!file)
		return NULL;
	for (i = 0; i < function->nr_groups; i++)
		fprintf(file, " %u", function->groups[i]);
	fclose(file);
	return text;
}

static void describe_users(const struct deployment *deployment, json_t *texts)
{
	size_t i;

	for (i = 0; i < deployment->nr_functions; i++) {
		const struct deployment_function *function = &deployment->functions[i];
		autofree char *groups = groups_text(function);

		json_object_set_new(texts, function->name,
				    json_sprintf("%u:%u%s", function->uid, function->gid,
						 groups ?: ""));
	}
}

static char *serves_text(const struct deployment_group *group)
{
	char *text = NULL;
	size_t len, i;
	FILE *file = open_memstream(&text, &len);

	if (!file)
		return NULL;
	for (i = 0; i < group->nr_serves; i++)
		fprintf(file, "%s%s", i ? " " : "", group->serves[i]);
	fclose(file);
	return text;
}

static void describe_groups(const struct deployment *deployment, json_t *texts)
{
	char name[16];
	size_t i;

	for (i = 0; i < deployment->nr_groups; i++) {
		autofree char *serves = serves_text(&deployment->groups[i]);

		snprintf(name, sizeof(name), "%u", deployment->groups[i].gid);
		json_object_set_new(texts, name, json_string(serves ?: ""));
	}
}

static json_t *label_text(const struct deployment_node *node)
{
	autofree char *acl = node->acl.entries ? acl_text(&node->acl) : NULL;
	autofree char *given = node->default_acl.entries ? acl_text(&node->default_acl) : NULL;

	return json_sprintf("%04o %u:%u%s%s%s%s", node->mode & 07777, node->uid, node->gid,
			    acl ? " " : "", acl ?: "", given ? " default " : "", given ?: "");
}

static void describe_nodes(const struct deployment *deployment, mode_t type, json_t *texts)
{
	size_t i;

	for (i = 0; i < deployment->nr_nodes; i++)
		if ((deployment->nodes[i].mode & S_IFMT) == type)
			json_object_set_new(texts, deployment->nodes[i].path,
					    label_text(&deployment->nodes[i]));
}

static void describe_directories(const struct deployment *deployment, json_t *texts)
{
	describe_nodes(deployment, S_IFDIR, texts);
}

static void describe_files(const struct deployment *deployment, json_t *texts)
{
	describe_nodes(deployment, S_IFREG, texts);
}

static void describe_resources(const struct deployment *deployment, json_t *texts)
{
	size_t i;

	for (i = 0; i < deployment->nr_resources; i++) {
		const struct deployment_resource *resource = &deployment->resources[i];

		json_object_set_new(texts, resource->name,
				    json_sprintf("%s%s%s", deployment_kinds[resource->kind],
						 resource->source ? " " : "",
						 resource->source ?: ""));
	}
}

/* By the archives of what is carried. */
static void describe_functions(const struct deployment *deployment, json_t *texts)
{
	size_t i;

	for (i = 0; i < deployment->nr_functions; i++)
		if (deployment->functions[i].code[0])
			json_object_set_new(texts, deployment->functions[i].name,
					    json_string(deployment->functions[i].code));
}

static const struct kind kinds[] = {
	{ "user", describe_users },
	{ "group", describe_groups },
	{ "resource", describe_resources },
	{ "directory", describe_directories },
	{ "file", describe_files },
	{ "function", describe_functions },
};

static void add(json_t *rows, const char *change, const char *kind, const char *name,
		const json_t *from, const json_t *to)
{
	json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:O?, s:O?}", "change", change,
					      "kind", kind, "name", name, "from", from, "to", to));
}

static void compare(json_t *rows, const char *kind, json_t *from, json_t *to)
{
	const char *name;
	json_t *text, *other;

	json_object_foreach(to, name, text) {
		other = json_object_get(from, name);
		if (!other)
			add(rows, "create", kind, name, NULL, text);
		else if (!json_equal(text, other))
			add(rows, "change", kind, name, other, text);
	}
	json_object_foreach(from, name, text)
		if (!json_object_get(to, name))
			add(rows, "remove", kind, name, text, NULL);
}

json_t *deployment_changes(const struct deployment *from, const struct deployment *to)
{
	json_t *rows = json_array();
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		autojson json_t *before = json_object();
		autojson json_t *after = json_object();

		if (from)
			kinds[i].describe(from, before);
		kinds[i].describe(to, after);
		compare(rows, kinds[i].name, before, after);
	}
	return rows;
}
