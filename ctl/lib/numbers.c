// SPDX-License-Identifier: GPL-2.0
/* The numbers of a deployment, kept in a state file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "fields.h"
#include "file.h"
#include "numbers.h"

#define WHERE	64

/* New numbers ascend past all that are taken. */
struct cursor {
	const char *what;
	struct deployment_range range;
	uint64_t next;
	uint32_t *taken;	/* ascending */
	size_t nr;
};

void numbers_free(struct numbers *numbers)
{
	size_t i;

	for (i = 0; i < numbers->nr_groups; i++) {
		json_decref(numbers->groups[i].serves);
		json_decref(numbers->groups[i].resources);
	}
	free(numbers->roles);
	free(numbers->groups);
	*numbers = (struct numbers){};
}

void numbers_use(const struct spec *spec, const struct set_use *use, char text[128])
{
	char rights[32];

	snprintf(text, 128, "%s:%s", spec->resources[use->resource].name,
		 deployment_rights_text(use->rights, rights));
}

/*
 * Reading.
 */

static int load_role(const json_t *object, const char *where, const struct spec *spec,
		     struct numbers *numbers, struct error *err)
{
	static const char *const known[] = { "name", "uid", "gid", NULL };
	struct number_role *role = &numbers->roles[numbers->nr_roles];
	const char *name;

	if (fields_check(object, where, known, err))
		return -1;
	name = field_name(object, where, "name", err);
	if (!name || field_number32(object, where, "uid", spec->uids.from, spec->uids.to,
				    &role->uid, err) ||
	    field_number32(object, where, "gid", spec->gids.from, spec->gids.to, &role->gid, err))
		return -1;
	snprintf(role->name, sizeof(role->name), "%s", name);
	/* Its number is free. */
	if (!json_object_get(spec->gone_roles, name))
		numbers->nr_roles++;
	return 0;
}

/* What it has served and is not declared gone. */
static json_t *load_resources(const json_t *list, const struct spec *spec)
{
	json_t *set = json_object();
	const json_t *name;
	size_t i;

	json_array_foreach((json_t *)list, i, name)
		if (json_is_string(name) &&
		    !json_object_get(spec->gone_resources, json_string_value(name)))
			json_object_set_new(set, json_string_value(name), json_true());
	return set;
}

static int load_group(const json_t *object, const char *where, const struct spec *spec,
		      struct numbers *numbers, struct error *err)
{
	static const char *const known[] = { "gid", "serves", "resources", NULL };
	struct number_group *group = &numbers->groups[numbers->nr_groups];
	json_t *serves, *resources;

	if (fields_check(object, where, known, err) ||
	    field_number32(object, where, "gid", spec->gids.from, spec->gids.to, &group->gid, err))
		return -1;
	serves = field_list(object, where, "serves", err);
	resources = serves ? field_list(object, where, "resources", err) : NULL;
	if (!resources)
		return -1;
	group->resources = load_resources(resources, spec);
	if (!json_object_size(group->resources)) {
		json_decref(group->resources);
		return 0;
	}
	group->serves = json_incref(serves);
	numbers->nr_groups++;
	return 0;
}

static int load_list(const json_t *list, const char *key, size_t nr,
		     int (*load)(const json_t *object, const char *where, const struct spec *spec,
				 struct numbers *numbers, struct error *err),
		     const struct spec *spec, struct numbers *numbers, struct error *err)
{
	char where[WHERE];
	size_t i;

	for (i = 0; i < nr; i++) {
		snprintf(where, sizeof(where), "%s[%zu]", key, i);
		if (load(json_array_get(list, i), where, spec, numbers, err))
			return -1;
	}
	return 0;
}

static int check_head(const json_t *state, const struct spec *spec, struct numbers *numbers,
		      struct error *err)
{
	static const char *const known[] = { "deployment", "version", "digest", "roles", "groups",
					     NULL };
	const char *name, *digest;

	if (fields_check(state, "", known, err))
		return -1;
	name = field_name(state, "", "deployment", err);
	digest = name ? field_text(state, "", "digest", err) : NULL;
	if (!digest || field_number(state, "", "version", 1, INT64_MAX, &numbers->version, err))
		return -1;
	if (strcmp(name, spec->name))
		return error_set(err, EINVAL, "it is of the deployment %s, not of %s: give the other one with --state",
				 name, spec->name);
	if (spec->version < numbers->version)
		return error_set(err, EINVAL, "version %llu has been compiled before, and the SPEC says %llu: raise its version",
				 (unsigned long long)numbers->version,
				 (unsigned long long)spec->version);
	snprintf(numbers->digest, sizeof(numbers->digest), "%s", digest);
	return 0;
}

static int load(const json_t *state, const struct spec *spec, struct numbers *numbers,
		struct error *err)
{
	const json_t *roles, *groups;

	if (check_head(state, spec, numbers, err))
		return -1;
	roles = field_list(state, "", "roles", err);
	groups = roles ? field_list(state, "", "groups", err) : NULL;
	if (!groups)
		return -1;
	numbers->roles = calloc(json_array_size(roles) + 1, sizeof(*numbers->roles));
	numbers->groups = calloc(json_array_size(groups) + 1, sizeof(*numbers->groups));
	if (!numbers->roles || !numbers->groups)
		return error_set(err, ENOMEM, "out of memory");
	return load_list(roles, "roles", json_array_size(roles), load_role, spec, numbers, err) ||
	       load_list(groups, "groups", json_array_size(groups), load_group, spec, numbers,
			 err) ? -1 : 0;
}

int numbers_load(const char *path, const struct spec *spec, struct numbers *numbers,
		 struct error *err)
{
	autojson json_t *state = NULL;

	*numbers = (struct numbers){};
	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	state = file_read_json(path, err);
	if (!state)
		return -1;
	if (!load(state, spec, numbers, err))
		return 0;
	numbers_free(numbers);
	return error_prefix(err, "%.200s", path);
}

/*
 * New numbers.
 */

static int compare_numbers(const void *a, const void *b)
{
	const uint32_t *first = a, *second = b;

	return (*first > *second) - (*first < *second);
}

static int next_number(struct cursor *cursor, uint32_t *number, struct error *err)
{
	for (; cursor->next <= cursor->range.to; cursor->next++) {
		*number = cursor->next;
		if (bsearch(number, cursor->taken, cursor->nr, sizeof(*number), compare_numbers))
			continue;
		cursor->next++;
		return 0;
	}
	return error_set(err, ENOSPC, "ranges.%s: %u to %u are used up: give a larger range, or name in gone what has no data any more",
			 cursor->what, cursor->range.from, cursor->range.to);
}

static int take_taken(const struct numbers *numbers, struct cursor *uids, struct cursor *gids,
		      struct error *err)
{
	size_t i;

	uids->taken = calloc(numbers->nr_roles + 1, sizeof(uint32_t));
	gids->taken = calloc(numbers->nr_roles + numbers->nr_groups + 1, sizeof(uint32_t));
	if (!uids->taken || !gids->taken)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < numbers->nr_roles; i++) {
		uids->taken[uids->nr++] = numbers->roles[i].uid;
		gids->taken[gids->nr++] = numbers->roles[i].gid;
	}
	for (i = 0; i < numbers->nr_groups; i++)
		gids->taken[gids->nr++] = numbers->groups[i].gid;
	qsort(uids->taken, uids->nr, sizeof(uint32_t), compare_numbers);
	qsort(gids->taken, gids->nr, sizeof(uint32_t), compare_numbers);
	return 0;
}

static int assign_roles(struct numbers *numbers, const struct spec *spec, struct cursor *uids,
			struct cursor *gids, struct error *err)
{
	struct number_role *roles = calloc(numbers->nr_roles + spec->nr_roles + 1, sizeof(*roles));
	autojson json_t *old = json_object();
	size_t nr = spec->nr_roles, i;

	if (!roles)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < numbers->nr_roles; i++)
		json_object_set_new(old, numbers->roles[i].name, json_integer(i));
	for (i = 0; i < spec->nr_roles; i++) {
		const json_t *index = json_object_get(old, spec->roles[i].name);

		snprintf(roles[i].name, sizeof(roles[i].name), "%s", spec->roles[i].name);
		roles[i].used = true;
		if (index) {
			roles[i] = numbers->roles[json_integer_value(index)];
			numbers->roles[json_integer_value(index)].used = roles[i].used = true;
		} else if (next_number(uids, &roles[i].uid, err) ||
			   next_number(gids, &roles[i].gid, err)) {
			free(roles);
			return -1;
		}
	}
	for (i = 0; i < numbers->nr_roles; i++)
		if (!numbers->roles[i].used)
			roles[nr++] = numbers->roles[i];
	free(numbers->roles);
	numbers->roles = roles;
	numbers->nr_roles = nr;
	return 0;
}

/*
 * Sets get the group that served most of what they are for.
 */

struct match {
	size_t set, group, uses;
};

static int compare_matches(const void *a, const void *b)
{
	const struct match *first = a, *second = b;

	if (first->uses != second->uses)
		return first->uses > second->uses ? -1 : 1;
	if (first->set != second->set)
		return first->set < second->set ? -1 : 1;
	return (first->group > second->group) - (first->group < second->group);
}

static json_t *groups_by_use(const struct numbers *numbers)
{
	json_t *found = json_object();
	const json_t *use;
	size_t i, j;

	for (i = 0; i < numbers->nr_groups; i++)
		json_array_foreach(numbers->groups[i].serves, j, use)
			if (json_is_string(use))
				json_object_set_new(found, json_string_value(use), json_integer(i));
	return found;
}

/* One match for each group that has served some of it; *nr grows. */
static void match_set(const struct spec *spec, const struct sets *sets, size_t index,
		      const json_t *by_use, struct match *matches, size_t *nr, size_t *at)
{
	const struct role_set *set = &sets->list[index];
	size_t first = *nr, i;
	char text[128];

	for (i = 0; i < set->nr_uses; i++) {
		const json_t *group;

		numbers_use(spec, &set->uses[i], text);
		group = json_object_get(by_use, text);
		if (!group)
			continue;
		if (!at[json_integer_value(group)]) {
			matches[*nr] = (struct match){ index, json_integer_value(group), 0 };
			at[json_integer_value(group)] = ++*nr;
		}
		matches[at[json_integer_value(group)] - 1].uses++;
	}
	for (i = first; i < *nr; i++)
		at[matches[i].group] = 0;
}

static size_t count_uses(const struct sets *sets)
{
	size_t nr = 0, i;

	for (i = 0; i < sets->nr; i++)
		nr += sets->list[i].nr_uses;
	return nr;
}

static void take_group(struct numbers *numbers, const struct spec *spec, struct role_set *set,
		       size_t group)
{
	struct number_group *taken = &numbers->groups[group];
	char text[128];
	size_t i;

	set->gid = taken->gid;
	taken->used = true;
	json_decref(taken->serves);
	taken->serves = json_array();
	for (i = 0; i < set->nr_uses; i++) {
		numbers_use(spec, &set->uses[i], text);
		json_array_append_new(taken->serves, json_string(text));
		json_object_set_new(taken->resources, spec->resources[set->uses[i].resource].name,
				    json_true());
	}
}

/* Sets of one role are that role's group. */
static int match_sets(struct numbers *numbers, const struct spec *spec, struct sets *sets,
		      struct error *err)
{
	autojson json_t *by_use = groups_by_use(numbers);
	struct match *matches = calloc(count_uses(sets) + 1, sizeof(*matches));
	size_t *at = calloc(numbers->nr_groups + 1, sizeof(*at)), nr = 0, i;

	for (i = 0; matches && at && i < sets->nr; i++)
		if (sets->list[i].nr_members > 1)
			match_set(spec, sets, i, by_use, matches, &nr, at);
	if (matches)
		qsort(matches, nr, sizeof(*matches), compare_matches);
	for (i = 0; i < nr; i++)
		if (!sets->list[matches[i].set].gid && !numbers->groups[matches[i].group].used)
			take_group(numbers, spec, &sets->list[matches[i].set], matches[i].group);
	free(at);
	i = !matches;
	free(matches);
	return i ? error_set(err, ENOMEM, "out of memory") : 0;
}

static int assign_sets(struct numbers *numbers, const struct spec *spec, struct sets *sets,
		       struct cursor *gids, struct error *err)
{
	struct number_group *groups;
	size_t i;

	if (match_sets(numbers, spec, sets, err))
		return -1;
	groups = realloc(numbers->groups, (numbers->nr_groups + sets->nr + 1) * sizeof(*groups));
	if (!groups)
		return error_set(err, ENOMEM, "out of memory");
	numbers->groups = groups;
	for (i = 0; i < sets->nr; i++) {
		struct role_set *set = &sets->list[i];

		if (set->nr_members == 1)
			set->gid = numbers->roles[set->first].gid;
		if (set->gid)
			continue;
		groups[numbers->nr_groups] = (struct number_group){ .resources = json_object() };
		if (next_number(gids, &groups[numbers->nr_groups++].gid, err))
			return -1;
		take_group(numbers, spec, set, numbers->nr_groups - 1);
	}
	return 0;
}

int numbers_assign(struct numbers *numbers, const struct spec *spec, struct sets *sets,
		   struct error *err)
{
	struct cursor uids = { "uids", spec->uids, spec->uids.from, NULL, 0 };
	struct cursor gids = { "gids", spec->gids, spec->gids.from, NULL, 0 };
	int ret;

	ret = take_taken(numbers, &uids, &gids, err) ||
	      assign_roles(numbers, spec, &uids, &gids, err) ||
	      assign_sets(numbers, spec, sets, &gids, err) ? -1 : 0;
	free(uids.taken);
	free(gids.taken);
	return ret;
}

/*
 * Writing.
 */

static json_t *role_json(const struct number_role *role)
{
	return json_pack("{s:s, s:I, s:I}", "name", role->name, "uid", (json_int_t)role->uid,
			 "gid", (json_int_t)role->gid);
}

static json_t *group_json(const struct number_group *group)
{
	json_t *resources = json_array(), *value;
	const char *name;

	json_object_foreach(group->resources, name, value)
		json_array_append_new(resources, json_string(name));
	return json_pack("{s:I, s:O, s:o}", "gid", (json_int_t)group->gid, "serves",
			 group->serves, "resources", resources);
}

int numbers_save(const char *path, const struct numbers *numbers, const struct spec *spec,
		 const char *digest, struct error *err)
{
	json_t *roles = json_array(), *groups = json_array();
	autojson json_t *state = NULL;
	size_t i;

	for (i = 0; i < numbers->nr_roles; i++)
		json_array_append_new(roles, role_json(&numbers->roles[i]));
	for (i = 0; i < numbers->nr_groups; i++)
		json_array_append_new(groups, group_json(&numbers->groups[i]));
	state = json_pack("{s:s, s:I, s:s, s:o, s:o}", "deployment", spec->name, "version",
			  (json_int_t)spec->version, "digest", digest, "roles", roles, "groups",
			  groups);
	return state ? file_write_json(path, 0644, state, err) :
		       error_set(err, ENOMEM, "out of memory");
}
