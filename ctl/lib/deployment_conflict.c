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
#include "json_put.h"
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
 * Who has it: each gives a reason, and 1; or 0, or -1 with err set where that cannot be known.
 */

static int not_looked_up(enum number_kind kind, uint32_t number, const char *where, struct error *err)
{
	return error_set(err, errno, "%s %u could not be looked up%s: %s", nouns[kind], number, where,
			 strerror(errno));
}

static int is_known(enum number_kind kind, uint32_t number, char *why, size_t size,
		    struct error *err)
{
	const struct passwd *user;
	const struct group *group;

	errno = 0;
	user = kind == NUMBER_USER ? getpwuid(number) : NULL;
	group = kind == NUMBER_GROUP ? getgrgid(number) : NULL;
	if (!user && !group && error_hides(errno))
		return not_looked_up(kind, number, "", err);
	if (user)
		snprintf(why, size, "is %s's", user->pw_name);
	if (group)
		snprintf(why, size, "is group %s's", group->gr_name);
	return user || group;
}

/* "alice:100000:65536" */
static int is_lent(enum number_kind kind, uint32_t number, char *why, size_t size,
		   struct error *err)
{
	autofclose FILE *file = fopen(subordinate[kind], "re");
	unsigned long long from, count;
	char line[512], name[128];

	if (!file && error_hides(errno))
		return not_looked_up(kind, number, " among those that are lent", err);
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%127[^:]:%llu:%llu", name, &from, &count) == 3 &&
		    number >= from && number - from < count) {
			snprintf(why, size, "is lent to %s by %s", name, subordinate[kind]);
			return 1;
		}
	return 0;
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
static int is_taken(const struct resolving *resolving, enum number_kind kind, uint32_t number,
		    bool had, char *why, size_t size, struct error *err)
{
	int taken = is_known(kind, number, why, size, err);

	if (!taken)
		taken = is_lent(kind, number, why, size, err);
	return taken ?: is_others(resolving, kind, number, why, size) ||
			(!had && owns_files(resolving, kind, number, why, size));
}

/*
 * Owners on disk: of what is in the volumes, and of the hub's paths that functions will see.
 */

static int add_owner(const struct resolving *resolving, enum number_kind kind, uint32_t number,
		     const char *path, struct error *err)
{
	char text[16];

	if (!number || json_object_get(resolving->owners[kind], key_of(number, text)))
		return 0;
	return json_put(resolving->owners[kind], text,
			json_sprintf("%s%s%s", resolving->where, *path ? "/" : "", path), err);
}

static int add_owners(const struct beneath_entry *entry, void *data, struct error *err)
{
	const struct resolving *resolving = data;

	return add_owner(resolving, NUMBER_USER, entry->st.st_uid, entry->path, err) ||
	       add_owner(resolving, NUMBER_GROUP, entry->st.st_gid, entry->path, err) ? -1 : 0;
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

/* In a table. */
static int mark(json_t *table, uint32_t number, struct error *err)
{
	char text[16];

	return json_put(table, key_of(number, text), json_true(), err);
}

static int give(const struct resolving *resolving, enum number_kind kind, uint32_t wanted,
		uint32_t number, struct error *err)
{
	char text[16];

	if (mark(resolving->given[kind], number, err))
		return -1;
	return json_put(json_object_get(resolving->result, number_kinds[kind]),
			key_of(wanted, text), json_integer(number), err);
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
	int taken;

	for (number = resolving->range.from; number <= resolving->range.to; number++) {
		key_of(number, text);
		if (json_object_get(resolving->given[kind], text) ||
		    json_object_get(resolving->wanted[kind], text))
			continue;
		taken = is_taken(resolving, kind, number, false, why, sizeof(why), err);
		if (taken <= 0)
			return taken ?: give(resolving, kind, wanted, number, err);
	}
	return error_set(err, ENOSPC, "the range from %u to %u has no %s left in place of %u: give a larger one",
			 resolving->range.from, resolving->range.to, nouns[kind], wanted);
}

/* One that the applied deployment has: files on the disk carry it. */
static int check_kept(const struct resolving *resolving, enum number_kind kind, uint32_t number,
		      struct error *err)
{
	char why[256];
	int taken = is_taken(resolving, kind, number, true, why, sizeof(why), err);

	if (taken <= 0)
		return taken;
	return error_set(err, EEXIST, "%s %u, which the applied deployment has already, %s now: one of both has to give way",
			 nouns[kind], number, why);
}

static int resolve(enum number_kind kind, uint32_t *number, void *data, struct error *err)
{
	const struct resolving *resolving = data;
	const json_t *kept = find(resolving->kept, kind, *number);
	char why[256] = "has taken the place of another", text[16];
	int taken = 1;

	if (json_object_get(resolving->done[kind], key_of(*number, text)))
		return 0;
	if (mark(resolving->done[kind], *number, err))
		return -1;
	if (kept)
		return check_kept(resolving, kind, json_integer_value(kept), err);
	if (!json_object_get(resolving->given[kind], text))
		taken = is_taken(resolving, kind, *number, false, why, sizeof(why), err);
	if (taken <= 0)
		return taken ?: give(resolving, kind, *number, *number, err);
	if (!resolving->range.to)
		return refuse(kind, *number, why, err);
	return take_other(resolving, kind, *number, err);
}

/* Before any is given: a number that is wanted later is not to be given in place of another. */
static int reserve(enum number_kind kind, uint32_t *number, void *data, struct error *err)
{
	const struct resolving *resolving = data;

	return mark(resolving->wanted[kind], *number, err);
}

/* Also what the deployment has no use for any more: there may be files of it. */
static int keep(const struct resolving *resolving, enum number_kind kind, struct error *err)
{
	json_t *table = json_object_get(resolving->kept, number_kinds[kind]), *value;
	const char *key;

	json_object_foreach(table, key, value)
		if (give(resolving, kind, strtoul(key, NULL, 10), json_integer_value(value), err))
			return -1;
	return 0;
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
	return keep(resolving, NUMBER_USER, err) || keep(resolving, NUMBER_GROUP, err) ||
	       deployment_numbers_each(deployment, reserve, resolving, err) ||
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
	autojson json_t *others = deployment_store_others(store, err);
	struct resolving resolving = {
		.store = store, .kept = kept, .others = others, .range = *range,
		.owners = { json_object(), json_object() },
		.wanted = { json_object(), json_object() },
		.given = { json_object(), json_object() },
		.done = { json_object(), json_object() },
		.result = json_pack("{s:{}, s:{}}", "uids", "gids"),
	};

	if (!others || resolve_all(&resolving, deployment, err)) {
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
