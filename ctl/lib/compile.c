// SPDX-License-Identifier: GPL-2.0
/* From a SPEC to a deployment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "compile.h"
#include "compile_tree.h"

static void *room(size_t nr, size_t size, struct error *err)
{
	void *memory = calloc(nr + 1, size);

	if (!memory)
		error_set(err, ENOMEM, "out of memory");
	return memory;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint32_t *first = a, *second = b;

	return (*first > *second) - (*first < *second);
}

/* Groups of one role; to be freed. A role's own group is not supplementary. */
static uint32_t *role_groups(const struct sets *sets, size_t role, size_t *nr, struct error *err)
{
	uint32_t *groups;
	size_t i;

	*nr = 0;
	for (i = 0; i < sets->nr; i++)
		*nr += sets->list[i].nr_members > 1 && set_has(&sets->list[i], role);
	groups = room(*nr, sizeof(*groups), err);
	*nr = 0;
	for (i = 0; groups && i < sets->nr; i++)
		if (sets->list[i].nr_members > 1 && set_has(&sets->list[i], role))
			groups[(*nr)++] = sets->list[i].gid;
	if (groups)
		qsort(groups, *nr, sizeof(*groups), compare_numbers);
	return groups;
}

static int fill_functions(struct deployment *deployment, const struct spec *spec,
			  const struct numbers *numbers, const struct sets *sets,
			  struct error *err)
{
	size_t i;

	deployment->functions = room(spec->nr_functions, sizeof(*deployment->functions), err);
	if (!deployment->functions)
		return -1;
	for (i = 0; i < spec->nr_functions; i++) {
		struct deployment_function *function = &deployment->functions[i];
		const struct number_role *role = &numbers->roles[spec->functions[i].role];

		snprintf(function->name, sizeof(function->name), "%s", spec->functions[i].name);
		snprintf(function->role, sizeof(function->role), "%s", role->name);
		function->uid = role->uid;
		function->gid = role->gid;
		function->groups = role_groups(sets, spec->functions[i].role,
					       &function->nr_groups, err);
		if (!function->groups)
			return -1;
		deployment->nr_functions = i + 1;
		if (spec->functions[i].manifest)
			function->manifest = strdup(spec->functions[i].manifest);
		if (spec->functions[i].manifest && !function->manifest)
			return error_set(err, ENOMEM, "out of memory");
		if (function->nr_groups > 65536)
			return error_set(err, E2BIG, "function %s needs %zu groups, and the kernel lets a process have 65536: give equal access to more resources at once",
					 function->name, function->nr_groups);
	}
	return 0;
}

static int fill_group(struct deployment_group *group, const struct spec *spec,
		      const struct role_set *set, struct error *err)
{
	char text[128];
	size_t i;

	group->gid = set->gid;
	group->serves = room(set->nr_uses, sizeof(*group->serves), err);
	if (!group->serves)
		return -1;
	for (i = 0; i < set->nr_uses; i++) {
		numbers_use(spec, &set->uses[i], text);
		group->serves[i] = strdup(text);
		if (!group->serves[i])
			return error_set(err, ENOMEM, "out of memory");
		group->nr_serves = i + 1;
	}
	return 0;
}

static int fill_groups(struct deployment *deployment, const struct spec *spec,
		       const struct sets *sets, struct error *err)
{
	size_t i;

	deployment->groups = room(sets->nr, sizeof(*deployment->groups), err);
	if (!deployment->groups)
		return -1;
	for (i = 0; i < sets->nr; i++)
		if (sets->list[i].nr_members > 1 &&
		    fill_group(&deployment->groups[deployment->nr_groups++], spec, &sets->list[i],
			       err))
			return -1;
	return 0;
}

/* What others get on its content counts most for whose group new files have. */
static unsigned int strength(unsigned int rights)
{
	return !!(rights & RIGHT_WRITE) << 3 | !!(rights & RIGHT_APPEND) << 2 |
	       !!(rights & RIGHT_READ) << 1 | !!(rights & RIGHT_TRAVERSE);
}

static int compare_access(const void *a, const void *b)
{
	const struct deployment_access *first = a, *second = b;

	return (int)strength(second->rights) - (int)strength(first->rights);
}

static int fill_access(struct deployment_resource *resource, const struct sets *sets,
		       size_t index, struct error *err)
{
	unsigned int rights;

	resource->access = room(RIGHTS_ALL, sizeof(*resource->access), err);
	if (!resource->access)
		return -1;
	for (rights = 1; rights <= RIGHTS_ALL; rights++) {
		size_t set = sets_of(sets, index, rights);

		if (set != SETS_NONE)
			resource->access[resource->nr_access++] = (struct deployment_access){
				sets->list[set].gid, rights };
	}
	qsort(resource->access, resource->nr_access, sizeof(*resource->access), compare_access);
	return 0;
}

static int fill_resources(struct deployment *deployment, const struct spec *spec,
			  const struct sets *sets, struct error *err)
{
	size_t i;

	deployment->resources = room(spec->nr_resources, sizeof(*deployment->resources), err);
	if (!deployment->resources)
		return -1;
	for (i = 0; i < spec->nr_resources; i++) {
		struct deployment_resource *resource = &deployment->resources[i];
		const struct spec_resource *from = &spec->resources[i];

		deployment->nr_resources = i + 1;
		snprintf(resource->name, sizeof(resource->name), "%s", from->name);
		resource->kind = from->kind;
		resource->is_directory = from->is_directory;
		resource->source = from->source ? strdup(from->source) : NULL;
		if (from->source && !resource->source)
			return error_set(err, ENOMEM, "out of memory");
		if (fill_access(resource, sets, i, err))
			return -1;
	}
	return 0;
}

static int fill(struct deployment *deployment, const struct spec *spec, struct numbers *numbers,
		struct sets *sets, struct error *err)
{
	snprintf(deployment->name, sizeof(deployment->name), "%s", spec->name);
	deployment->version = spec->version;
	deployment->uids = spec->uids;
	deployment->gids = spec->gids;
	return numbers_assign(numbers, spec, sets, err) ||
	       fill_functions(deployment, spec, numbers, sets, err) ||
	       fill_groups(deployment, spec, sets, err) ||
	       fill_resources(deployment, spec, sets, err) ||
	       compile_tree(deployment, err) ? -1 : 0;
}

struct deployment *compile(const struct spec *spec, struct numbers *numbers, struct error *err)
{
	struct deployment *deployment = room(1, sizeof(*deployment), err);
	struct sets sets;
	int ret;

	if (!deployment || sets_find(spec, &sets, err)) {
		free(deployment);
		return NULL;
	}
	ret = fill(deployment, spec, numbers, &sets, err);
	sets_free(&sets);
	if (!ret)
		return deployment;
	deployment_free(deployment);
	return NULL;
}
