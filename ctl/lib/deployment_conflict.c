// SPDX-License-Identifier: GPL-2.0
/* Numbers that somebody else on the hub has; see deployment_conflict.h. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "cleanup.h"
#include "deployment_conflict.h"
#include "deployment_numbers.h"
#include "deployment_source.h"
#include "name.h"

struct resolving {
	const struct deployment_store *store;
	const json_t *kept;		/* numbers, as in the result */
	const json_t *others;		/* records of other deployments, by name */
	struct deployment_range range;
	json_t *owners[NUMBER_KINDS];	/* number → where a file of it is */
	json_t *wanted[NUMBER_KINDS];	/* number → true: those of the deployment itself */
	json_t *given[NUMBER_KINDS];	/* number → true: those in the result */
	json_t *done[NUMBER_KINDS];	/* wanted number → true */
	json_t *result;
	const char *where;		/* what is being looked at */
};

static const char *const nouns[NUMBER_KINDS] = { "user", "group" };
static const char *const subordinate[NUMBER_KINDS] = { "/etc/subuid", "/etc/subgid" };

static const char *key_of(uint32_t number, char text[16])
{
	snprintf(text, 16, "%u", number);
	return text;
}

static json_t *find(const json_t *table, enum number_kind kind, uint32_t number)
{
	char text[16];

	return json_object_get(json_object_get(table, number_kinds[kind]), key_of(number, text));
}

/*
 * Who has it: each gives a reason, and true.
 */

static bool is_known(enum number_kind kind, uint32_t number, char *why, size_t size)
{
	const struct passwd *user = kind == NUMBER_USER ? getpwuid(number) : NULL;
	const struct group *group = kind == NUMBER_GROUP ? getgrgid(number) : NULL;

	if (user)
		snprintf(why, size, "is %s's", user->pw_name);
	if (group)
		snprintf(why, size, "is group %s's", group->gr_name);
	return user || group;
}

/* "alice:100000:65536" */
static bool is_lent(enum number_kind kind, uint32_t number, char *why, size_t size)
{
	autofclose FILE *file = fopen(subordinate[kind], "re");
	unsigned long long from, count;
	char line[512], name[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%127[^:]:%llu:%llu", name, &from, &count) == 3 &&
		    number >= from && number - from < count) {
			snprintf(why, size, "is lent to %s by %s", name, subordinate[kind]);
			return true;
		}
	return false;
}

/* A record's numbers are those of the deployment, and in their place the hub's. */
static bool has_value(const json_t *record, enum number_kind kind, uint32_t number)
{
	json_t *table = json_object_get(json_object_get(record, "numbers"), number_kinds[kind]);
	const char *key;
	json_t *value;

	json_object_foreach(table, key, value)
		if (json_integer_value(value) == number)
			return true;
	return false;
}

static bool is_others(const struct resolving *resolving, enum number_kind kind, uint32_t number,
		      char *why, size_t size)
{
	const char *name;
	json_t *record;

	json_object_foreach((json_t *)resolving->others, name, record)
		if (has_value(record, kind, number)) {
			snprintf(why, size, "is of deployment %s", name);
			return true;
		}
	return false;
}

static bool owns_files(const struct resolving *resolving, enum number_kind kind, uint32_t number,
		       char *why, size_t size)
{
	char text[16];
	const json_t *place = json_object_get(resolving->owners[kind], key_of(number, text));

	if (place)
		snprintf(why, size, "owns %s", json_string_value(place));
	return place;
}

/* Those of the deployment's own files are in order if it had the number before. */
static bool is_taken(const struct resolving *resolving, enum number_kind kind, uint32_t number,
		     bool had, char *why, size_t size)
{
	return is_known(kind, number, why, size) || is_lent(kind, number, why, size) ||
	       is_others(resolving, kind, number, why, size) ||
	       (!had && owns_files(resolving, kind, number, why, size));
}

/*
 * Owners on disk: of what is in the volumes, and of the hub's paths that functions will see.
 */

static int add_owner(const struct resolving *resolving, enum number_kind kind, uint32_t number,
		     const char *path)
{
	char text[16];

	if (!number || json_object_get(resolving->owners[kind], key_of(number, text)))
		return 0;
	return json_object_set_new(resolving->owners[kind], text,
				   json_sprintf("%s%s%s", resolving->where, *path ? "/" : "", path));
}

static int add_owners(const struct beneath_entry *entry, void *data, struct error *err)
{
	const struct resolving *resolving = data;

	(void)err;
	add_owner(resolving, NUMBER_USER, entry->st.st_uid, entry->path);
	add_owner(resolving, NUMBER_GROUP, entry->st.st_gid, entry->path);
	return 0;
}

static int look_at(struct resolving *resolving, int fd, const char *where, struct error *err)
{
	struct beneath_entry entry = { .path = "" };

	resolving->where = where;
	if (fstat(fd, &entry.st))
		return error_set(err, errno, "%.200s cannot be looked at: %s", where, strerror(errno));
	if (!S_ISDIR(entry.st.st_mode))
		return add_owners(&entry, resolving, err);
	return beneath_walk(fd, add_owners, resolving, err) ?
		error_prefix(err, "%.100s", where) : 0;
}

static int look_at_source(struct resolving *resolving,
			  const struct deployment_resource *resource, struct error *err)
{
	autoclose int fd = source_open(resource, NULL, err);

	return fd < 0 ? -1 : look_at(resolving, fd, resource->source, err);
}

static int look(struct resolving *resolving, const struct deployment *deployment,
		struct error *err)
{
	autoclose int volumes = resolving->store->base < 0 ? -1 :
		beneath_open(resolving->store->base, SLOT_VOLUMES, O_RDONLY | O_DIRECTORY, 0);
	size_t i;

	if (volumes >= 0 && look_at(resolving, volumes, "the volumes", err))
		return -1;
	for (i = 0; i < deployment->nr_resources; i++)
		if (deployment->resources[i].kind == DEPLOYMENT_PATH &&
		    look_at_source(resolving, &deployment->resources[i], err))
			return -1;
	return 0;
}

/*
 * Resolving.
 */

static int give(const struct resolving *resolving, enum number_kind kind, uint32_t wanted,
		uint32_t number)
{
	char text[16];

	json_object_set_new(resolving->given[kind], key_of(number, text), json_true());
	return json_object_set_new(json_object_get(resolving->result, number_kinds[kind]),
				   key_of(wanted, text), json_integer(number));
}

static int refuse(enum number_kind kind, uint32_t number, const char *why, struct error *err)
{
	return error_set(err, EEXIST, "%s %u of the deployment %s: give a range of free numbers with --range or in "
			 DEPLOYMENT_CONFIGURATION, nouns[kind], number, why);
}

/* The lowest one that nobody has, and that the deployment itself has no use for. */
static int take_other(const struct resolving *resolving, enum number_kind kind, uint32_t wanted,
		      struct error *err)
{
	uint64_t number;
	char why[256], text[16];

	for (number = resolving->range.from; number <= resolving->range.to; number++) {
		key_of(number, text);
		if (!json_object_get(resolving->given[kind], text) &&
		    !json_object_get(resolving->wanted[kind], text) &&
		    !is_taken(resolving, kind, number, false, why, sizeof(why)))
			return give(resolving, kind, wanted, number);
	}
	return error_set(err, ENOSPC, "the range from %u to %u has no %s left in place of %u: give a larger one",
			 resolving->range.from, resolving->range.to, nouns[kind], wanted);
}

/* One that the applied deployment has: files on the disk carry it. */
static int check_kept(const struct resolving *resolving, enum number_kind kind, uint32_t number,
		      struct error *err)
{
	char why[256];

	if (!is_taken(resolving, kind, number, true, why, sizeof(why)))
		return 0;
	return error_set(err, EEXIST, "%s %u, which the applied deployment has already, %s now: one of both has to give way",
			 nouns[kind], number, why);
}

/* Of a table; true if it was in it before. */
static bool mark(json_t *table, uint32_t number)
{
	char text[16];
	bool had = json_object_get(table, key_of(number, text));

	json_object_set_new(table, text, json_true());
	return had;
}

static int resolve(enum number_kind kind, uint32_t *number, void *data, struct error *err)
{
	const struct resolving *resolving = data;
	const json_t *kept = find(resolving->kept, kind, *number);
	char why[256] = "has taken the place of another", text[16];

	if (mark(resolving->done[kind], *number))
		return 0;
	if (kept)
		return check_kept(resolving, kind, json_integer_value(kept), err);
	if (!json_object_get(resolving->given[kind], key_of(*number, text)) &&
	    !is_taken(resolving, kind, *number, false, why, sizeof(why)))
		return give(resolving, kind, *number, *number);
	if (!resolving->range.to)
		return refuse(kind, *number, why, err);
	return take_other(resolving, kind, *number, err);
}

/* Before any is given: a number that is wanted later is not to be given in place of another. */
static int reserve(enum number_kind kind, uint32_t *number, void *data, struct error *err)
{
	const struct resolving *resolving = data;

	(void)err;
	mark(resolving->wanted[kind], *number);
	return 0;
}

/* Also what the deployment has no use for any more: there may be files of it. */
static void keep(const struct resolving *resolving, enum number_kind kind)
{
	json_t *table = json_object_get(resolving->kept, number_kinds[kind]), *value;
	const char *key;

	json_object_foreach(table, key, value)
		give(resolving, kind, strtoul(key, NULL, 10), json_integer_value(value));
}

static int is_new(enum number_kind kind, uint32_t *number, void *data, struct error *err)
{
	const struct resolving *resolving = data;

	(void)err;
	return !find(resolving->kept, kind, *number);
}

static int resolve_all(struct resolving *resolving, struct deployment *deployment,
		       struct error *err)
{
	/* Where nothing is new nothing is looked for. */
	if (deployment_numbers_each(deployment, is_new, resolving, err) &&
	    look(resolving, deployment, err))
		return -1;
	keep(resolving, NUMBER_USER);
	keep(resolving, NUMBER_GROUP);
	return deployment_numbers_each(deployment, reserve, resolving, err) ||
	       deployment_numbers_each(deployment, resolve, resolving, err) ? -1 : 0;
}

static void free_tables(struct resolving *resolving)
{
	int kind;

	for (kind = 0; kind < NUMBER_KINDS; kind++) {
		json_decref(resolving->owners[kind]);
		json_decref(resolving->wanted[kind]);
		json_decref(resolving->given[kind]);
		json_decref(resolving->done[kind]);
	}
}

json_t *conflict_resolve(struct deployment *deployment, const struct deployment_store *store,
			 const json_t *kept, const struct deployment_range *range,
			 struct error *err)
{
	autojson json_t *others = deployment_store_others(store);
	struct resolving resolving = {
		.store = store, .kept = kept, .others = others, .range = *range,
		.owners = { json_object(), json_object() },
		.wanted = { json_object(), json_object() },
		.given = { json_object(), json_object() },
		.done = { json_object(), json_object() },
		.result = json_pack("{s:{}, s:{}}", "uids", "gids"),
	};

	if (resolve_all(&resolving, deployment, err)) {
		json_decref(resolving.result);
		resolving.result = NULL;
	}
	free_tables(&resolving);
	return resolving.result;
}

/*
 * The hub's range.
 */

static int check_range(struct deployment_range *range, uint64_t from, uint64_t to,
		       struct error *err)
{
	*range = (struct deployment_range) { from, to };
	return deployment_range_check(range, err);
}

int conflict_range_parse(const char *text, struct deployment_range *range, struct error *err)
{
	const char *dash = strchr(text, '-');
	char first[32];
	uint64_t from, to;

	if (!dash)
		return error_usage(err, "'%.80s' is no range: give it as FROM-TO", text);
	snprintf(first, sizeof(first), "%.*s", (int)(dash - text), text);
	if (number_parse("the range's first number", first, UINT32_MAX, &from, err) ||
	    number_parse("the range's last number", dash + 1, UINT32_MAX, &to, err))
		return -1;
	return check_range(range, from, to, err);
}

int conflict_range_read(struct deployment_range *range, struct error *err)
{
	autojson json_t *object = NULL;
	json_int_t from, to;

	*range = (struct deployment_range) {};
	if (access(DEPLOYMENT_CONFIGURATION, F_OK))
		return 0;
	object = file_read_json(DEPLOYMENT_CONFIGURATION, err);
	if (!object)
		return -1;
	if (json_unpack(object, "{s:[I, I!]!}", "range", &from, &to) || from < 0 || to < 0)
		return error_set(err, EINVAL, DEPLOYMENT_CONFIGURATION " is not {\"range\": [FROM, TO]}: correct it");
	return check_range(range, from, to, err);
}
