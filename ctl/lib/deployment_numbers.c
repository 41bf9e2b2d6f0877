// SPDX-License-Identifier: GPL-2.0
/* The numbers of a deployment's users and groups; see deployment_numbers.h. */
#include <stdio.h>
#include <stdlib.h>

#include "deployment_numbers.h"

const char *const number_kinds[NUMBER_KINDS] = {
	[NUMBER_USER] = "uids",
	[NUMBER_GROUP] = "gids",
};

struct each {
	number_fn fn;
	void *data;
	struct error *err;
};

/* Root's are everywhere the same. */
static int number(const struct each *each, enum number_kind kind, uint32_t *place)
{
	return *place ? each->fn(kind, place, each->data, each->err) : 0;
}

static int of_function(const struct each *each, struct deployment_function *function)
{
	size_t i;
	int ret = number(each, NUMBER_USER, &function->uid) ?:
		  number(each, NUMBER_GROUP, &function->gid);

	for (i = 0; !ret && i < function->nr_groups; i++)
		ret = number(each, NUMBER_GROUP, &function->groups[i]);
	return ret;
}

static int of_resource(const struct each *each, struct deployment_resource *resource)
{
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < resource->nr_access; i++)
		ret = number(each, NUMBER_GROUP, &resource->access[i].gid);
	return ret;
}

static int of_acl(const struct each *each, struct acl *acl)
{
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < acl->nr; i++) {
		if (acl->entries[i].tag == ACL_TAG_USER)
			ret = number(each, NUMBER_USER, &acl->entries[i].id);
		else if (acl->entries[i].tag == ACL_TAG_GROUP)
			ret = number(each, NUMBER_GROUP, &acl->entries[i].id);
	}
	return ret;
}

static int of_node(const struct each *each, struct deployment_node *node)
{
	return number(each, NUMBER_USER, &node->uid) ?: number(each, NUMBER_GROUP, &node->gid) ?:
	       of_acl(each, &node->acl) ?: of_acl(each, &node->default_acl);
}

int deployment_numbers_each(struct deployment *deployment, number_fn fn, void *data,
			    struct error *err)
{
	const struct each each = { fn, data, err };
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < deployment->nr_functions; i++)
		ret = of_function(&each, &deployment->functions[i]);
	for (i = 0; !ret && i < deployment->nr_groups; i++)
		ret = number(&each, NUMBER_GROUP, &deployment->groups[i].gid);
	for (i = 0; !ret && i < deployment->nr_resources; i++)
		ret = of_resource(&each, &deployment->resources[i]);
	for (i = 0; !ret && i < deployment->nr_nodes; i++)
		ret = of_node(&each, &deployment->nodes[i]);
	return ret;
}

static int replace(enum number_kind kind, uint32_t *number, void *data, struct error *err)
{
	const json_t *table = json_object_get(data, number_kinds[kind]), *other;
	char text[16];

	(void)err;
	snprintf(text, sizeof(text), "%u", *number);
	other = json_object_get(table, text);
	if (other)
		*number = json_integer_value(other);
	return 0;
}

static int by_number(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* As the kernel wants them: by tag, then by number. */
static int by_tag(const void *left, const void *right)
{
	const struct acl_entry *a = left, *b = right;

	return a->tag != b->tag ? (int)a->tag - (int)b->tag : by_number(&a->id, &b->id);
}

/* A list of nothing may be NULL, which qsort() must not be given. */
static void sort_list(void *list, size_t nr, size_t size, int (*compare)(const void *, const void *))
{
	if (nr)
		qsort(list, nr, size, compare);
}

static void sort(struct deployment *deployment)
{
	size_t i;

	for (i = 0; i < deployment->nr_functions; i++)
		sort_list(deployment->functions[i].groups, deployment->functions[i].nr_groups,
			  sizeof(uint32_t), by_number);
	for (i = 0; i < deployment->nr_nodes; i++) {
		struct deployment_node *node = &deployment->nodes[i];

		sort_list(node->acl.entries, node->acl.nr, sizeof(struct acl_entry), by_tag);
		sort_list(node->default_acl.entries, node->default_acl.nr,
			  sizeof(struct acl_entry), by_tag);
	}
}

int deployment_numbers_remap(struct deployment *deployment, const json_t *remap, struct error *err)
{
	if (!json_object_size(json_object_get(remap, "uids")) &&
	    !json_object_size(json_object_get(remap, "gids")))
		return 0;
	if (deployment_numbers_each(deployment, replace, (void *)remap, err))
		return -1;
	sort(deployment);
	return 0;
}
