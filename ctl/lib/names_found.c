// SPDX-License-Identifier: GPL-2.0
/*
 * Hosts that tasks have asked for under a wildcard. There can be as many as tasks think of, so
 * a group has only so many, and the hub too; further ones have the wildcard's own address.
 *
 * A host's record: {number, wildcard, asked (seconds), real4, real6}, and released, once its wildcard
 * is given up.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "json_put.h"
#include "names_parts.h"

#define STAMP	3600	/* seconds in which a host that is asked for is noted once */

static const char *wildcard_of(const json_t *record)
{
	return json_string_value(json_object_get(record, "wildcard")) ?: "";
}

/* With the wildcard's rules, as long as that is in use itself. */
static bool read_found(const struct names *names, const char *group, const char *host,
		       const json_t *record, struct name *name)
{
	struct name wildcard;

	if (!names_record_in_use(record) ||
	    !names_find(names, group, wildcard_of(record), &wildcard))
		return false;
	names_record_read(names, group, host, record, name);
	name->wildcard = wildcard_of(record);
	name->alias4 = wildcard.v4;
	name->alias6 = wildcard.v6;
	name->v4_answered = wildcard.v4_answered;
	name->v6_answered = wildcard.v6_answered;
	return true;
}

bool names_find_found(const struct names *names, const char *group, const char *host,
		      struct name *name)
{
	const json_t *record = json_object_get(names_found(names, group), host);

	return record && read_found(names, group, host, record, name);
}

static size_t count_all(const struct names *names)
{
	const char *group;
	json_t *entry;
	size_t nr = 0;

	json_object_foreach(names_groups(names), group, entry)
		nr += json_object_size(names_found(names, group));
	return nr;
}

/* When it was of use for the last time. */
static json_int_t last_of(const json_t *record)
{
	const json_t *released = json_object_get(record, "released");

	return json_integer_value(released ?: json_object_get(record, "asked"));
}

/* The one that has been of no use for the longest time, and for a day. */
struct idle {
	const char *group, *host;	/* NULL: there is none */
	json_int_t last;
};

static void look_for_idle(const struct names *names, const char *group, struct idle *idle)
{
	const char *host;
	json_t *record;

	json_object_foreach(names_found(names, group), host, record)
		if (last_of(record) < idle->last)
			*idle = (struct idle){ group, host, last_of(record) };
}

static void drop(struct names *names, const struct idle *idle, struct found *found)
{
	json_t *records = names_found(names, idle->group);

	strncpy(found->gone_host, idle->host, sizeof(found->gone_host) - 1);
	names_record_read(names, idle->group, found->gone_host,
			  json_object_get(records, idle->host), &found->gone);
	names_record_drop(names, records, found->gone_host);
}

/* False if no host can be spared for another: of the group, or of all where there are too many. */
static bool make_room(struct names *names, const char *group, struct found *found)
{
	bool full = json_object_size(names_found(names, group)) >= NAMES_FOUND_MAX;
	struct idle idle = { .last = time(NULL) - NAMES_REST };
	const char *other;
	json_t *entry;

	if (!full && count_all(names) < NAMES_FOUND_ALL)
		return true;
	if (full)
		look_for_idle(names, group, &idle);
	else
		json_object_foreach(names_groups(names), other, entry)
			look_for_idle(names, other, &idle);
	if (!idle.host)
		return false;
	drop(names, &idle, found);
	return true;
}

static json_t *make_record(struct names *names, const char *group, const char *host,
			   struct error *err)
{
	json_t *record = names_record_make(names, err);

	if (!record)
		return NULL;
	if (!names_found(names, group))
		json_object_set_new(json_object_get(names_groups(names), group), "found",
				    json_object());
	return json_put(names_found(names, group), host, record, err) ? NULL : record;
}

/* Whoever is asked for again and again is not written down each time. */
static bool note(json_t *record, const char *wildcard)
{
	json_int_t now = time(NULL), asked = json_integer_value(json_object_get(record, "asked"));

	if (!json_object_get(record, "released") && !strcmp(wildcard_of(record), wildcard) &&
	    asked <= now && now - asked < STAMP)
		return false;
	json_object_del(record, "released");
	json_object_set_new(record, "wildcard", json_string(wildcard));
	json_object_set_new(record, "asked", json_integer(now));
	return true;
}

int names_take_found(struct names *names, const char *group, const char *wildcard,
		     const char *host, struct found *found, struct error *err)
{
	json_t *record = json_object_get(names_found(names, group), host);
	struct name ignored;

	*found = (struct found){};
	if (!names_find(names, group, wildcard, &ignored) ||
	    (!record && !make_room(names, group, found)))
		return 0;
	record = record ?: make_record(names, group, host, err);
	if (!record)
		return -1;
	found->changed = note(record, wildcard);
	return read_found(names, group, host, record, &found->name);
}

bool names_is_asked_for(const struct names *names, const struct name *name)
{
	const json_t *record = json_object_get(names_found(names, name->group), name->host);

	return time(NULL) - last_of(record) < 2 * STAMP;
}

static int each_host(const struct names *names, const char *group, name_fn fn, void *data)
{
	int view = names_view(names, group), result;
	struct name name;
	const char *host;
	json_t *record;

	json_object_foreach(names_found(names, group), host, record) {
		if (!read_found(names, group, host, record, &name))
			continue;
		result = fn(&name, view, data);
		if (result)
			return result;
	}
	return 0;
}

int names_each_found(const struct names *names, const char *group, name_fn fn, void *data)
{
	return names_each_of(names, group, each_host, fn, data);
}
