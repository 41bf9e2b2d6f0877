// SPDX-License-Identifier: GPL-2.0
/* SPECs of deployments: what is not understood is refused, with the field. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "deployment_nodes.h"
#include "fields.h"
#include "json_put.h"
#include "oci.h"
#include "spec.h"

#define FUNCTIONS_MAX	65536
#define RESOURCES_MAX	65536
#define PAIRS_MAX	(1 << 28)
#define SECRETS		"/etc/coppice/secrets/"
#define WHERE		64

/* Slots of the default range: above sssd's domains, below systemd's foreign users. */
#define SLOT_FIRST	2000224256U
#define SLOT_SIZE	65536U
#define SLOTS		2245U

/* While one is parsed: names to indices. */
struct names {
	json_t *functions, *roles, *resources;
};

void spec_free(struct spec *spec)
{
	size_t i;

	for (i = 0; spec->resources && i < spec->nr_resources; i++)
		free(spec->resources[i].source);
	for (i = 0; spec->functions && i < spec->nr_functions; i++)
		free(spec->functions[i].manifest);
	free(spec->functions);
	free(spec->roles);
	free(spec->resources);
	free(spec->rights);
	json_decref(spec->gone_roles);
	json_decref(spec->gone_resources);
	*spec = (struct spec){};
}

static void *room(size_t nr, size_t size, struct error *err)
{
	void *memory = calloc(nr + 1, size);

	if (!memory)
		error_set(err, ENOMEM, "out of memory");
	return memory;
}

/* What a name stands for, or -1. */
static ssize_t look_up(const json_t *names, const char *name)
{
	const json_t *index = json_object_get(names, name);

	return index ? json_integer_value(index) : -1;
}

static int enter(json_t *names, const char *where, const char *key, const char *name, size_t index,
		 struct error *err)
{
	if (json_object_get(names, name))
		return field_refuse(where, key, err, "'%s' is there twice", name);
	return json_put(names, name, json_integer(index), err);
}

/*
 * The head.
 */

static int default_range(const char *name, struct deployment_range *range, struct error *err)
{
	char digest[OCI_DIGEST_SIZE];
	unsigned int slot;

	if (oci_digest(name, strlen(name), digest, err))
		return -1;
	sscanf(strchr(digest, ':') + 1, "%8x", &slot);
	range->from = SLOT_FIRST + slot % SLOTS * SLOT_SIZE;
	range->to = range->from + SLOT_SIZE - 1;
	return 0;
}

static int parse_range(const json_t *ranges, const char *key, struct deployment_range *range,
		       struct error *err)
{
	const json_t *list = json_object_get(ranges, key);
	json_int_t from = json_integer_value(json_array_get(list, 0));
	json_int_t to = json_integer_value(json_array_get(list, 1));

	if (!list)
		return 0;
	if (json_array_size(list) != 2 || !json_is_integer(json_array_get(list, 0)) ||
	    !json_is_integer(json_array_get(list, 1)) || from < 0 || to < 0 ||
	    from > UINT32_MAX || to > UINT32_MAX)
		return field_refuse("ranges", key, err, "it is no list of two numbers, the first and the last");
	*range = (struct deployment_range){ from, to };
	return deployment_range_check(range, err) ? error_prefix(err, "ranges.%s", key) : 0;
}

static int parse_ranges(const json_t *object, struct spec *spec, struct error *err)
{
	static const char *const known[] = { "uids", "gids", NULL };
	const json_t *ranges = json_object_get(object, "ranges");

	if (default_range(spec->name, &spec->uids, err))
		return -1;
	spec->gids = spec->uids;
	if (!ranges)
		return 0;
	return fields_check(ranges, "ranges", known, err) ||
	       parse_range(ranges, "uids", &spec->uids, err) ||
	       parse_range(ranges, "gids", &spec->gids, err) ? -1 : 0;
}

static int parse_head(const json_t *object, struct spec *spec, struct error *err)
{
	static const char *const known[] = { "name", "version", "functions", "resources", "access",
		"ranges", "gone", NULL };
	const char *name;

	if (fields_check(object, "", known, err))
		return -1;
	name = field_name(object, "", "name", err);
	if (!name || field_number(object, "", "version", 1, INT64_MAX, &spec->version, err))
		return -1;
	snprintf(spec->name, sizeof(spec->name), "%s", name);
	return parse_ranges(object, spec, err);
}

/*
 * Functions and their roles.
 */

static int take_role(struct spec *spec, struct names *names, const char *role, size_t function,
		     struct error *err)
{
	ssize_t index = look_up(names->roles, role);
	struct spec_role *taken = &spec->roles[index < 0 ? (ssize_t)spec->nr_roles : index];

	spec->functions[function].role = taken - spec->roles;
	spec->functions[function].next = SPEC_END;
	if (index >= 0) {
		spec->functions[taken->last].next = function;
		taken->last = function;
		return 0;
	}
	taken->function = taken->last = function;
	snprintf(taken->name, DEPLOYMENT_NAME_SIZE, "%s", role);
	return enter(names->roles, "", "role", role, spec->nr_roles++, err);
}

/* A role of its own has the function's name: nobody else may have got into it by accident. */
static int check_roles(const struct spec *spec, const json_t *list, const struct names *names,
		       struct error *err)
{
	size_t i;

	for (i = 0; i < spec->nr_functions; i++) {
		const char *role = spec->roles[spec->functions[i].role].name;
		ssize_t other = look_up(names->functions, role);

		if (other >= 0 && (size_t)other != i &&
		    !json_object_get(json_array_get(list, other), "role"))
			return error_set(err, EINVAL, "functions[%zu].role: '%s' is the user of function %s alone, as that names no role: name it there, too, or choose another",
					 i, role, role);
	}
	return 0;
}

static int take_manifest(const json_t *object, const char *where, struct spec_function *function,
			 struct error *err)
{
	const char *path;

	if (!json_object_get(object, "manifest"))
		return 0;
	path = field_text(object, where, "manifest", err);
	if (!path)
		return -1;
	function->manifest = strdup(path);
	return function->manifest ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int parse_function(const json_t *object, const char *where, struct spec *spec,
			  struct names *names, size_t i, struct error *err)
{
	static const char *const known[] = { "name", "role", "manifest", NULL };
	const char *name, *role;

	if (fields_check(object, where, known, err))
		return -1;
	name = field_name(object, where, "name", err);
	if (!name || enter(names->functions, where, "name", name, i, err))
		return -1;
	role = json_object_get(object, "role") ? field_name(object, where, "role", err) : name;
	if (!role)
		return -1;
	snprintf(spec->functions[i].name, DEPLOYMENT_NAME_SIZE, "%s", name);
	return take_role(spec, names, role, i, err) ||
	       take_manifest(object, where, &spec->functions[i], err) ? -1 : 0;
}

static int parse_functions(const json_t *object, struct spec *spec, struct names *names,
			   struct error *err)
{
	const json_t *list = field_list(object, "", "functions", err);
	size_t nr = json_array_size(list), i;
	char where[WHERE];

	if (!list)
		return -1;
	if (nr > FUNCTIONS_MAX)
		return field_refuse("", "functions", err, "there are more than %d", FUNCTIONS_MAX);
	spec->functions = room(nr, sizeof(*spec->functions), err);
	spec->roles = spec->functions ? room(nr, sizeof(*spec->roles), err) : NULL;
	if (!spec->roles)
		return -1;
	for (i = 0; i < nr; i++) {
		snprintf(where, sizeof(where), "functions[%zu]", i);
		spec->nr_functions = i + 1;
		if (parse_function(json_array_get(list, i), where, spec, names, i, err))
			return -1;
	}
	return check_roles(spec, list, names, err);
}

/*
 * Resources.
 */

static int parse_kind(const json_t *object, const char *where, struct spec_resource *resource,
		      struct error *err)
{
	const char *kind = field_text(object, where, "kind", err);
	size_t i;

	if (!kind)
		return -1;
	for (i = 0; i < DEPLOYMENT_KINDS; i++)
		if (!strcmp(kind, deployment_kinds[i])) {
			resource->kind = i;
			return 0;
		}
	return field_refuse(where, "kind", err, "'%.80s' is none: there are volume, path, device and secret",
			    kind);
}

static int parse_type(const json_t *object, const char *where, struct spec_resource *resource,
		      struct error *err)
{
	const char *type;

	resource->is_directory = resource->kind == DEPLOYMENT_VOLUME ||
				 resource->kind == DEPLOYMENT_PATH;
	if (!json_object_get(object, "type"))
		return 0;
	if (resource->kind != DEPLOYMENT_PATH)
		return field_refuse(where, "type", err, "only a path has one");
	type = field_text(object, where, "type", err);
	if (!type)
		return -1;
	resource->is_directory = strcmp(type, "file");
	if (resource->is_directory && strcmp(type, "directory"))
		return field_refuse(where, "type", err, "'%.80s' is none: there are directory and file",
				    type);
	return 0;
}

static int parse_source(const json_t *object, const char *where, struct spec_resource *resource,
			struct error *err)
{
	char standard[sizeof(SECRETS) + DEPLOYMENT_NAME_SIZE];
	const char *path = standard;

	if (resource->kind == DEPLOYMENT_VOLUME)
		return json_object_get(object, "path") ?
		       field_refuse(where, "path", err, "a volume has none: the hub makes it") : 0;
	snprintf(standard, sizeof(standard), SECRETS "%s", resource->name);
	if (json_object_get(object, "path") || resource->kind != DEPLOYMENT_SECRET)
		path = field_text(object, where, "path", err);
	if (!path)
		return -1;
	if (deployment_source_check(resource->kind, path, err))
		return error_prefix(err, "%s.path", where);
	resource->source = strdup(path);
	return resource->source ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int parse_resource(const json_t *object, const char *where, struct spec_resource *resource,
			  struct names *names, size_t i, struct error *err)
{
	static const char *const known[] = { "name", "kind", "path", "type", NULL };
	const char *name;

	if (fields_check(object, where, known, err))
		return -1;
	name = field_name(object, where, "name", err);
	if (!name || enter(names->resources, where, "name", name, i, err))
		return -1;
	snprintf(resource->name, sizeof(resource->name), "%s", name);
	return parse_kind(object, where, resource, err) ||
	       parse_type(object, where, resource, err) ||
	       parse_source(object, where, resource, err) ? -1 : 0;
}

static int parse_resources(const json_t *object, struct spec *spec, struct names *names,
			   struct error *err)
{
	const json_t *list = field_list(object, "", "resources", err);
	size_t nr = json_array_size(list), i;
	char where[WHERE];

	if (!list)
		return -1;
	if (nr > RESOURCES_MAX)
		return field_refuse("", "resources", err, "there are more than %d", RESOURCES_MAX);
	spec->resources = room(nr, sizeof(*spec->resources), err);
	if (!spec->resources)
		return -1;
	for (i = 0; i < nr; i++) {
		snprintf(where, sizeof(where), "resources[%zu]", i);
		spec->nr_resources = i + 1;
		if (parse_resource(json_array_get(list, i), where, &spec->resources[i], names, i,
				   err))
			return -1;
	}
	return 0;
}

/*
 * Access.
 */

static int parse_rights(const json_t *object, const char *where, unsigned int *rights,
			struct error *err)
{
	const json_t *list = field_list(object, where, "rights", err), *name;
	size_t i;

	*rights = 0;
	if (!list)
		return -1;
	json_array_foreach((json_t *)list, i, name) {
		unsigned int right = json_is_string(name) ?
				     deployment_right(json_string_value(name)) : 0;

		if (!right)
			return field_refuse(where, "rights", err, "'%.80s' is none: there are read, write, append and traverse",
					    json_is_string(name) ? json_string_value(name) : "");
		*rights |= right;
	}
	return *rights ? 0 : field_refuse(where, "rights", err, "there is none");
}

/* The value of @key or, where it is a list, of its @i-th element; NULL after the last. */
static const json_t *nth(const json_t *object, const char *key, size_t i)
{
	const json_t *value = json_object_get(object, key);

	return json_is_array(value) ? json_array_get(value, i) : i ? NULL : value;
}

static ssize_t named(const json_t *value, const char *where, const char *key, const json_t *names,
		     struct error *err)
{
	const char *name = json_string_value(value);
	ssize_t index = name ? look_up(names, name) : -1;

	if (index < 0)
		field_refuse(where, key, err, name ? "there is no '%.80s'" :
			     "it is neither a name nor a list of names%s", name ? name : "");
	return index;
}

static int give(struct spec *spec, const char *where, size_t function, size_t index,
		unsigned int rights, struct error *err)
{
	const struct spec_resource *resource = &spec->resources[index];
	unsigned int wrong = rights & ~deployment_rights_of(resource->kind, resource->is_directory);
	char text[32];

	if (wrong)
		return field_refuse(where, "rights", err, "there is no %s on %s, which is a %s%s",
				    deployment_rights_text(wrong, text), resource->name,
				    deployment_kinds[resource->kind],
				    wrong & RIGHT_APPEND ? ": let a handler append, or a volume take entries" : "");
	spec->rights[function * spec->nr_resources + index] |= rights;
	return 0;
}

/* To the function or, @of_role, to all that have its role. */
static int give_all(struct spec *spec, const char *where, const json_t *object,
		    const struct names *names, size_t function, bool of_role, unsigned int rights,
		    struct error *err)
{
	const json_t *value;
	ssize_t resource;
	size_t i, j;

	for (i = 0; (value = nth(object, "resource", i)); i++) {
		resource = named(value, where, "resource", names->resources, err);
		if (resource < 0)
			return -1;
		for (j = function; j != SPEC_END; j = of_role ? spec->functions[j].next : SPEC_END)
			if (give(spec, where, j, resource, rights, err))
				return -1;
	}
	return i ? 0 : field_refuse(where, "resource", err, "it is missing: give a name or a list of names");
}

static int parse_access(const json_t *object, const char *where, struct spec *spec,
			const struct names *names, struct error *err)
{
	static const char *const known[] = { "function", "role", "resource", "rights", NULL };
	bool of_role = json_object_get(object, "role");
	const char *key = of_role ? "role" : "function";
	const json_t *value;
	unsigned int rights;
	ssize_t who;
	size_t i;

	if (fields_check(object, where, known, err) || parse_rights(object, where, &rights, err))
		return -1;
	if (of_role && json_object_get(object, "function"))
		return field_refuse(where, key, err, "there is a function, too: make two entries of it");
	for (i = 0; (value = nth(object, key, i)); i++) {
		who = named(value, where, key, of_role ? names->roles : names->functions, err);
		if (who < 0 ||
		    give_all(spec, where, object, names,
			     of_role ? spec->roles[who].function : (size_t)who, of_role, rights,
			     err))
			return -1;
	}
	return i ? 0 : field_refuse(where, key, err, "it is missing: give a function or a role");
}

static int parse_access_list(const json_t *object, struct spec *spec, const struct names *names,
			     struct error *err)
{
	const json_t *list = field_list(object, "", "access", err);
	char where[WHERE];
	size_t i;

	if (!list)
		return -1;
	if (spec->nr_functions * spec->nr_resources > PAIRS_MAX)
		return error_set(err, E2BIG, "%zu functions times %zu resources are more than %d pairs: make several deployments of it",
				 spec->nr_functions, spec->nr_resources, PAIRS_MAX);
	spec->rights = room(spec->nr_functions * spec->nr_resources, 1, err);
	if (!spec->rights)
		return -1;
	for (i = 0; i < json_array_size(list); i++) {
		snprintf(where, sizeof(where), "access[%zu]", i);
		if (parse_access(json_array_get(list, i), where, spec, names, err))
			return -1;
	}
	for (i = 0; i < spec->nr_functions * spec->nr_resources; i++)
		spec->rights[i] = deployment_rights_reduced(spec->rights[i]);
	return 0;
}

/*
 * What can be kept apart.
 */

/* Tasks of one user can reach each other's memory. */
static int check_equal(const struct spec *spec, struct error *err)
{
	char has[32], had[32];
	size_t i, j;

	for (i = 0; i < spec->nr_functions; i++) {
		const struct spec_role *role = &spec->roles[spec->functions[i].role];
		unsigned char *mine = &spec->rights[i * spec->nr_resources];
		unsigned char *first = &spec->rights[role->function * spec->nr_resources];

		for (j = 0; j < spec->nr_resources; j++)
			if (mine[j] != first[j])
				return error_set(err, EINVAL, "functions[%zu].role: %s has %s on %s and %s has %s, but both are of role %s, and tasks of one user can reach each other: give it to the role, or have two roles",
						 i, spec->functions[i].name,
						 mine[j] ? deployment_rights_text(mine[j], has) : "no right",
						 spec->resources[j].name,
						 spec->functions[role->function].name,
						 first[j] ? deployment_rights_text(first[j], had) : "none",
						 role->name);
	}
	return 0;
}

/* By the sticky bit's rule only the directory's owner removes what others have put there. */
static int check_append(const struct spec *spec, size_t resource, struct error *err)
{
	const char *name = spec->resources[resource].name;
	ssize_t writer = -1;
	bool append = false;
	unsigned int rights;
	size_t i;

	for (i = 0; i < spec->nr_roles; i++)
		append |= spec_role_rights(spec, i, resource) & RIGHT_APPEND;
	for (i = 0; append && i < spec->nr_roles; i++) {
		rights = spec_role_rights(spec, i, resource);
		if (!(rights & RIGHT_WRITE))
			continue;
		if (!(rights & RIGHT_READ))
			return error_set(err, EINVAL, "resources[%zu]: %s may write %s, which others append to, and so owns it: give it read, too",
					 resource, spec->roles[i].name, name);
		if (writer >= 0)
			return error_set(err, EINVAL, "resources[%zu]: %s and %s may write %s, which others append to: the kernel lets only one user remove what is in a drop box, so give write to one role",
					 resource, spec->roles[writer].name, spec->roles[i].name, name);
		writer = i;
	}
	return 0;
}

static int compare_sources(const void *a, const void *b)
{
	const struct spec_resource *const *first = a, *const *second = b;

	return strcmp((*first)->source, (*second)->source);
}

static bool is_inside(const char *inner, const char *outer)
{
	size_t len = strlen(outer);

	return !strncmp(inner, outer, len) && (inner[len] == '/' || !inner[len]);
}

/* Who has the outer one has the inner one in it. */
static int check_nested(const struct spec *spec, const struct spec_resource *inner,
			const struct spec_resource *outer, struct error *err)
{
	size_t in = inner - spec->resources, out = outer - spec->resources, i;
	unsigned int more;
	char text[32];

	if (!strcmp(inner->source, outer->source))
		return error_set(err, EINVAL, "resources[%zu].path: %s is that of %s, too: make one resource of it",
				 in, inner->source, outer->name);
	for (i = 0; i < spec->nr_functions; i++) {
		more = spec_rights(spec, i, out) & (RIGHT_READ | RIGHT_WRITE) &
		       ~spec_rights(spec, i, in);
		if (more)
			return error_set(err, EINVAL, "resources[%zu].path: %s is inside %s (%s), so %s may %s it: give it that right, or take it from the outer one",
					 in, inner->source, outer->source, outer->name,
					 spec->functions[i].name, deployment_rights_text(more, text));
	}
	return 0;
}

/*
 * Sorted, what is inside a path comes after it, though not at once ("/a", "/a-b", "/a/b").
 * All that a path begins with is looked up among those before it.
 */
static int check_paths(const struct spec *spec, struct error *err)
{
	const struct spec_resource **sorted = calloc(spec->nr_resources + 1, sizeof(*sorted));
	size_t nr = 0, i, j;
	int ret = 0;

	if (!sorted)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < spec->nr_resources; i++)
		if (spec->resources[i].source)
			sorted[nr++] = &spec->resources[i];
	qsort(sorted, nr, sizeof(*sorted), compare_sources);
	for (i = 0; !ret && i < nr; i++)
		for (j = i + 1; !ret && j < nr && !strncmp(sorted[i]->source, sorted[j]->source,
							   strlen(sorted[i]->source)); j++)
			if (is_inside(sorted[j]->source, sorted[i]->source))
				ret = check_nested(spec, sorted[j], sorted[i], err);
	free(sorted);
	return ret;
}

static int check_all(const struct spec *spec, struct error *err)
{
	size_t i;

	if (check_equal(spec, err))
		return -1;
	for (i = 0; i < spec->nr_resources; i++)
		if (check_append(spec, i, err))
			return -1;
	return check_paths(spec, err);
}

/*
 * What is no more.
 */

static json_t *parse_names(const json_t *object, const char *key, const json_t *names,
			   struct error *err)
{
	const json_t *list = json_object_get(object, key), *value;
	json_t *set = json_object();
	size_t i;

	if (list && !json_is_array(list)) {
		field_refuse("gone", key, err, "it is no list");
		json_decref(set);
		return NULL;
	}
	json_array_foreach((json_t *)list, i, value) {
		const char *name = json_string_value(value);

		if (name && !json_object_get(names, name) && !json_object_set_new(set, name, json_true()))
			continue;
		field_refuse("gone", key, err, name ? "'%.80s' is still there" :
			     "it is no list of names%s", name ? name : "");
		json_decref(set);
		return NULL;
	}
	return set;
}

static int parse_gone(const json_t *object, struct spec *spec, const struct names *names,
		      struct error *err)
{
	static const char *const known[] = { "roles", "resources", NULL };
	const json_t *gone = json_object_get(object, "gone");

	if (gone && fields_check(gone, "gone", known, err))
		return -1;
	spec->gone_roles = parse_names(gone, "roles", names->roles, err);
	if (!spec->gone_roles)
		return -1;
	spec->gone_resources = parse_names(gone, "resources", names->resources, err);
	return spec->gone_resources ? 0 : -1;
}

int spec_parse(const json_t *object, struct spec *spec, struct error *err)
{
	struct names names = { json_object(), json_object(), json_object() };
	int ret;

	*spec = (struct spec){};
	ret = parse_head(object, spec, err) || parse_functions(object, spec, &names, err) ||
	      parse_resources(object, spec, &names, err) ||
	      parse_access_list(object, spec, &names, err) || check_all(spec, err) ||
	      parse_gone(object, spec, &names, err) ? -1 : 0;
	json_decref(names.functions);
	json_decref(names.roles);
	json_decref(names.resources);
	if (ret)
		spec_free(spec);
	return ret;
}

int spec_resolve(struct spec *spec, const char *directory, struct error *err)
{
	char *path;
	size_t i;

	for (i = 0; i < spec->nr_functions; i++) {
		struct spec_function *function = &spec->functions[i];

		if (!function->manifest || function->manifest[0] == '/')
			continue;
		if (asprintf(&path, "%s/%s", directory, function->manifest) < 0)
			return error_set(err, ENOMEM, "out of memory");
		free(function->manifest);
		function->manifest = path;
	}
	return 0;
}
