// SPDX-License-Identifier: GPL-2.0
/* A compiled deployment: names, look-ups, the end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deployment.h"

const char *const deployment_kinds[DEPLOYMENT_KINDS] = { "volume", "path", "device", "secret" };

/* What systemd's UIDS-GIDS document calls unused, where there is room. */
static const struct deployment_range unused[] = {
	{ 65536, 524287 }, { 1879048192, 2147352575 },
};

int deployment_range_check(const struct deployment_range *range, struct error *err)
{
	size_t i;

	for (i = 0; i < sizeof(unused) / sizeof(unused[0]); i++)
		if (range->from <= range->to && range->from >= unused[i].from &&
		    range->to <= unused[i].to)
			return 0;
	return error_set(err, ERANGE, "%u to %u is not within %u to %u or %u to %u, which systemd leaves unused: choose a range there",
			 range->from, range->to, unused[0].from, unused[0].to, unused[1].from,
			 unused[1].to);
}

static void free_functions(struct deployment *deployment)
{
	size_t i;

	for (i = 0; deployment->functions && i < deployment->nr_functions; i++) {
		free(deployment->functions[i].groups);
		free(deployment->functions[i].manifest);
		free(deployment->functions[i].tar);
	}
	free(deployment->functions);
}

static void free_groups(struct deployment *deployment)
{
	size_t i, j;

	for (i = 0; deployment->groups && i < deployment->nr_groups; i++) {
		for (j = 0; deployment->groups[i].serves && j < deployment->groups[i].nr_serves; j++)
			free(deployment->groups[i].serves[j]);
		free(deployment->groups[i].serves);
	}
	free(deployment->groups);
}

static void free_resources(struct deployment *deployment)
{
	size_t i;

	for (i = 0; deployment->resources && i < deployment->nr_resources; i++) {
		free(deployment->resources[i].source);
		free(deployment->resources[i].path);
		free(deployment->resources[i].access);
	}
	free(deployment->resources);
}

static void free_nodes(struct deployment *deployment)
{
	size_t i;

	for (i = 0; deployment->nodes && i < deployment->nr_nodes; i++) {
		free(deployment->nodes[i].path);
		acl_free(&deployment->nodes[i].acl);
		acl_free(&deployment->nodes[i].default_acl);
	}
	free(deployment->nodes);
}

void deployment_free(struct deployment *deployment)
{
	if (!deployment)
		return;
	free_functions(deployment);
	free_groups(deployment);
	free_resources(deployment);
	free_nodes(deployment);
	free(deployment);
}

const struct deployment_function *deployment_function(const struct deployment *deployment,
						      const char *name)
{
	size_t i;

	for (i = 0; i < deployment->nr_functions; i++)
		if (!strcmp(deployment->functions[i].name, name))
			return &deployment->functions[i];
	return NULL;
}

const struct deployment_resource *deployment_resource(const struct deployment *deployment,
						      const char *name)
{
	size_t i;

	for (i = 0; i < deployment->nr_resources; i++)
		if (!strcmp(deployment->resources[i].name, name))
			return &deployment->resources[i];
	return NULL;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint32_t *first = a, *second = b;

	return (*first > *second) - (*first < *second);
}

static bool is_in(const struct deployment_function *function, uint32_t gid)
{
	return gid == function->gid ||
	       (function->nr_groups && bsearch(&gid, function->groups, function->nr_groups,
					       sizeof(gid), compare_numbers));
}

unsigned int deployment_rights(const struct deployment_function *function,
			       const struct deployment_resource *resource)
{
	size_t i;

	for (i = 0; i < resource->nr_access; i++)
		if (is_in(function, resource->access[i].gid))
			return resource->access[i].rights;
	return 0;
}

static const struct {
	enum deployment_right right;
	const char *name;
} names[] = {
	{ RIGHT_READ, "read" }, { RIGHT_WRITE, "write" }, { RIGHT_APPEND, "append" },
	{ RIGHT_TRAVERSE, "traverse" },
};

const char *deployment_rights_text(unsigned int rights, char text[32])
{
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (rights & names[i].right)
			len += sprintf(text + len, "%s%s", len ? "," : "", names[i].name);
	return text;
}

unsigned int deployment_right(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].name, name))
			return names[i].right;
	return 0;
}

unsigned int deployment_rights_of(enum deployment_kind kind, bool is_directory)
{
	switch (kind) {
	case DEPLOYMENT_VOLUME:
		return RIGHTS_ALL;
	case DEPLOYMENT_PATH:
		return RIGHT_READ | RIGHT_WRITE | (is_directory ? RIGHT_TRAVERSE : 0);
	case DEPLOYMENT_DEVICE:
		return RIGHT_READ | RIGHT_WRITE;
	default:
		return RIGHT_READ;
	}
}

unsigned int deployment_rights_reduced(unsigned int rights)
{
	if (rights & RIGHT_WRITE)
		rights &= ~RIGHT_APPEND;
	if (rights & (RIGHT_READ | RIGHT_WRITE | RIGHT_APPEND))
		rights &= ~RIGHT_TRAVERSE;
	return rights;
}
