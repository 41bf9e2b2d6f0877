// SPDX-License-Identifier: GPL-2.0
/* Addresses of overridden host names. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "json_memory.h"
#include "names.h"
#include "names_parts.h"

#define FILE_PATH	STATE_DIRECTORY "/names.json"
#define LOCK_PATH	STATE_DIRECTORY "/names.lock"
#define V4_BASE		0xc6130000	/* 198.19.0.0 */

/* "fdXX:XXXX:XXXX::": 40 random bits, subnet 0. */
static json_t *make_prefix(void)
{
	struct in6_addr prefix = { .s6_addr = { 0xfd } };
	char text[INET6_ADDRSTRLEN];

	if (getrandom(prefix.s6_addr + 1, 5, 0) != 5)
		return NULL;
	return json_string(inet_ntop(AF_INET6, &prefix, text, sizeof(text)));
}

static json_t *make_empty(void)
{
	return json_pack("{s:o, s:i, s:{}}", "prefix", make_prefix(), "next", 1, "groups");
}

/* Everything that is used below without a further look. */
static bool is_whole(const json_t *root)
{
	const char *prefix = json_string_value(json_object_get(root, "prefix"));
	struct in6_addr address;

	return prefix && inet_pton(AF_INET6, prefix, &address) == 1 &&
	       json_is_integer(json_object_get(root, "next")) &&
	       json_is_object(json_object_get(root, "groups"));
}

static json_t *read_root(struct error *err)
{
	json_t *root = file_read_json(FILE_PATH, err);

	if (!root && err->code == ENOENT) {
		root = make_empty();
		if (!root)
			error_set(err, ENOMEM, "out of memory");
	}
	if (root && !is_whole(root)) {
		json_decref(root);
		root = NULL;
		error_set(err, EIO, FILE_PATH " is damaged: restore or delete it");
	}
	return root;
}

int names_open(struct names *names, struct error *err)
{
	*names = (struct names)NAMES_CLOSED;
	if (file_make_directory(STATE_DIRECTORY, 0755, err))
		return -1;
	names->lock = file_lock(LOCK_PATH, err);
	if (names->lock < 0)
		return -1;
	names->root = read_root(err);
	return names->root ? 0 : -1;
}

int names_read(struct names *names, struct error *err)
{
	*names = (struct names)NAMES_CLOSED;
	names->root = read_root(err);
	return names->root ? 0 : -1;
}

void names_unlock(struct names *names)
{
	cleanup_close(&names->lock);
	names->lock = -1;
}

void names_close(struct names *names)
{
	json_decref(names->root);
	free(names->used);
	names_unlock(names);
	*names = (struct names)NAMES_CLOSED;
}

int names_commit(struct names *names, struct error *err)
{
	return file_write_json(FILE_PATH, 0600, names->root, err);
}

/*
 * A host's record: {number, a, aaaa: what is answered, real4, real6: where it leads outside},
 * and once it is given up, released (seconds).
 */

json_t *names_groups(const struct names *names)
{
	return json_object_get(names->root, "groups");
}

json_t *names_hosts(const struct names *names, const char *group)
{
	return json_object_get(json_object_get(names_groups(names), group), "hosts");
}

json_t *names_found(const struct names *names, const char *group)
{
	return json_object_get(json_object_get(names_groups(names), group), "found");
}

static json_int_t number_of(const json_t *record)
{
	json_int_t number = json_integer_value(json_object_get(record, "number"));

	return number > 0 && number <= NAMES_MAX ? number : 0;
}

bool names_record_in_use(const json_t *record)
{
	return number_of(record) && !json_object_get(record, "released");
}

static void read_address(const json_t *record, const char *key, int family, void *address)
{
	const char *text = json_string_value(json_object_get(record, key));

	if (text)
		inet_pton(family, text, address);
}

void names_record_read(const struct names *names, const char *group, const char *host,
		       const json_t *record, struct name *name)
{
	json_int_t number = number_of(record);

	*name = (struct name){
		.group = group, .host = host,
		.v4.s_addr = htonl(V4_BASE + number),
		.v4_answered = !json_is_false(json_object_get(record, "a")),
		.v6_answered = !json_is_false(json_object_get(record, "aaaa")),
	};
	read_address(record, "real4", AF_INET, &name->real4);
	read_address(record, "real6", AF_INET6, &name->real6);
	inet_pton(AF_INET6, json_string_value(json_object_get(names->root, "prefix")), &name->v6);
	name->v6.s6_addr[14] = number >> 8;
	name->v6.s6_addr[15] = number;
	name->alias4 = name->v4;
	name->alias6 = name->v6;
}

bool names_find(const struct names *names, const char *group, const char *host, struct name *name)
{
	const json_t *record = json_object_get(names_hosts(names, group), host);

	if (!names_record_in_use(record))
		return false;
	names_record_read(names, group, host, record, name);
	return true;
}

/*
 * Numbers.
 */

static void mark(struct names *names, json_int_t number, bool used)
{
	if (used)
		names->used[number / 8] |= 1 << number % 8;
	else
		names->used[number / 8] &= ~(1 << number % 8);
}

static bool is_used(const struct names *names, json_int_t number)
{
	return names->used[number / 8] & 1 << number % 8;
}

static int count_used(struct names *names)
{
	const char *group, *host;
	json_t *entry, *record;

	names->used = names->used ?: calloc(NAMES_MAX / 8 + 1, 1);
	if (!names->used)
		return -1;
	json_object_foreach(names_groups(names), group, entry) {
		json_object_foreach(names_hosts(names, group), host, record)
			mark(names, number_of(record), true);
		json_object_foreach(names_found(names, group), host, record)
			mark(names, number_of(record), true);
	}
	return 0;
}

void names_record_drop(struct names *names, json_t *records, const char *host)
{
	if (names->used)
		mark(names, number_of(json_object_get(records, host)), false);
	json_object_del(records, host);
}

/* Round and round, so that the one given up last is the last to be given again. */
static json_int_t next_number(struct names *names)
{
	json_int_t next = json_integer_value(json_object_get(names->root, "next"));
	json_int_t i, number;

	for (i = 0; i < NAMES_MAX; i++) {
		number = (next + i - 1) % NAMES_MAX + 1;
		if (is_used(names, number))
			continue;
		json_object_set_new(names->root, "next", json_integer(number + 1));
		mark(names, number, true);
		return number;
	}
	return 0;
}

static void forget_released(struct names *names, json_t *records)
{
	json_int_t before = time(NULL) - NAMES_REST;
	const char *host;
	json_t *record;
	void *next;

	json_object_foreach_safe(records, next, host, record) {
		json_t *released = json_object_get(record, "released");

		if (released && json_integer_value(released) < before)
			names_record_drop(names, records, host);
	}
}

/* Forget the names that have been out of use for long enough. */
static void forget(struct names *names)
{
	const char *group;
	json_t *entry;

	json_object_foreach(names_groups(names), group, entry) {
		forget_released(names, names_hosts(names, group));
		forget_released(names, names_found(names, group));
	}
}

static json_int_t take_number(struct names *names, struct error *err)
{
	json_int_t number = 0;

	if (!names->used && count_used(names))
		return error_set(err, ENOMEM, "out of memory");
	number = next_number(names);
	if (!number) {
		forget(names);
		number = next_number(names);
	}
	return number ?: error_set(err, ENOSPC, "all %d addresses for host names are in use, or were within the last day: delete overrides",
				   NAMES_MAX);
}

json_t *names_record_make(struct names *names, struct error *err)
{
	json_int_t number = take_number(names, err);
	json_t *record = number < 0 ? NULL : json_pack("{s:I}", "number", number);

	if (!record && number > 0)
		error_set(err, ENOMEM, "out of memory");
	return record;
}

/*
 * Groups: each with names in use has a view of the responder's.
 */

int names_view(const struct names *names, const char *group)
{
	const json_t *view = json_object_get(json_object_get(names_groups(names), group), "view");

	return json_is_integer(view) ? json_integer_value(view) : -1;
}

const char *names_group_of_view(const struct names *names, int view)
{
	const char *group;
	json_t *entry;

	json_object_foreach(names_groups(names), group, entry)
		if (names_view(names, group) == view)
			return group;
	return NULL;
}

static int free_view(const struct names *names)
{
	bool taken[NAMES_VIEWS] = {};
	const char *group;
	json_t *entry;
	int view;

	json_object_foreach(names_groups(names), group, entry) {
		view = names_view(names, group);
		if (view >= 0 && view < NAMES_VIEWS)
			taken[view] = true;
	}
	for (view = 0; view < NAMES_VIEWS && taken[view]; view++)
		;
	return view;
}

static int take_view(struct names *names, const char *group, struct error *err)
{
	json_t *entry = json_object_get(names_groups(names), group);
	int view;

	if (names_view(names, group) >= 0)
		return 0;
	view = free_view(names);
	if (view == NAMES_VIEWS)
		return error_set(err, ENOSPC, "%d groups have overrides of host names already: delete those of another",
				 NAMES_VIEWS);
	if (!entry) {
		entry = json_pack("{s:{}}", "hosts");
		if (json_object_set_new(names_groups(names), group, entry))
			return error_set(err, ENOMEM, "out of memory");
	}
	return json_object_set_new(entry, "view", json_integer(view)) ?
		error_set(err, ENOMEM, "out of memory") : 0;
}

int names_take(struct names *names, const char *group, const char *host, struct name *name,
	       struct error *err)
{
	json_t *record;

	if (take_view(names, group, err))
		return -1;
	record = json_object_get(names_hosts(names, group), host);
	if (!record) {
		record = names_record_make(names, err);
		if (!record)
			return -1;
		if (json_object_set_new(names_hosts(names, group), host, record))
			return error_set(err, ENOMEM, "out of memory");
	}
	json_object_del(record, "released");
	names_record_read(names, group, host, record, name);
	return 0;
}

void names_set_families(struct names *names, const char *group, const char *host, bool v4,
			bool v6)
{
	json_t *record = json_object_get(names_hosts(names, group), host);

	json_object_set_new(record, "a", json_boolean(v4));
	json_object_set_new(record, "aaaa", json_boolean(v6));
}

/* An address that is not known any more is kept: it is better than none. */
static bool set_real(json_t *record, const char *key, int family, const void *address)
{
	static const struct in6_addr none;
	char text[INET6_ADDRSTRLEN];
	const char *before = json_string_value(json_object_get(record, key)) ?: "";

	if (!memcmp(address, &none, family == AF_INET ? 4 : 16))
		return false;
	inet_ntop(family, address, text, sizeof(text));
	if (!strcmp(before, text))
		return false;
	json_object_set_new(record, key, json_string(text));
	return true;
}

bool names_set_real(struct names *names, const struct name *name,
		    const struct in_addr *real4, const struct in6_addr *real6)
{
	json_t *records = name->wildcard ? names_found(names, name->group) :
					   names_hosts(names, name->group);
	json_t *record = json_object_get(records, name->host);
	bool changed = set_real(record, "real4", AF_INET, real4);

	return set_real(record, "real6", AF_INET6, real6) || changed;
}

int names_copy(const struct names *names, struct names *copy, struct error *err)
{
	*copy = (struct names)NAMES_CLOSED;
	copy->root = json_deep_copy(names->root);
	if (copy->root)
		return 0;
	/* Of what is written next nothing is left out. */
	(void)json_memory_was_short();
	return error_set(err, ENOMEM, "out of memory");
}

void names_forget(struct names *names, const char *group, const char *host)
{
	json_object_del(names_hosts(names, group), host);
}

void names_record_release(json_t *record)
{
	if (names_record_in_use(record))
		json_object_set_new(record, "released", json_integer(time(NULL)));
}

/* Without names in use a group needs no view. */
static void release_view(struct names *names, const char *group)
{
	const char *host;
	json_t *record;

	json_object_foreach(names_hosts(names, group), host, record)
		if (names_record_in_use(record))
			return;
	json_object_del(json_object_get(names_groups(names), group), "view");
}

void names_release(struct names *names, const char *group, const char *host)
{
	const char *found;
	json_t *record;

	names_record_release(json_object_get(names_hosts(names, group), host));
	json_object_foreach(names_found(names, group), found, record)
		if (!strcmp(json_string_value(json_object_get(record, "wildcard")) ?: "", host))
			names_record_release(record);
	release_view(names, group);
}

void names_release_group(struct names *names, const char *group)
{
	const char *host;
	json_t *record;

	json_object_foreach(names_hosts(names, group), host, record)
		names_record_release(record);
	json_object_foreach(names_found(names, group), host, record)
		names_record_release(record);
	release_view(names, group);
}

static int each_host(const struct names *names, const char *group, name_fn fn, void *data)
{
	int view = names_view(names, group), result = 0;
	const char *host;
	struct name name;
	json_t *record;

	json_object_foreach(names_hosts(names, group), host, record) {
		if (!names_record_in_use(record))
			continue;
		names_record_read(names, group, host, record, &name);
		result = fn(&name, view, data);
		if (result)
			break;
	}
	return result;
}

int names_each_of(const struct names *names, const char *group, hosts_fn each, name_fn fn, void *data)
{
	const char *key;
	json_t *entry;
	int result = 0;

	json_object_foreach(names_groups(names), key, entry) {
		if (group && strcmp(group, key))
			continue;
		result = each(names, key, fn, data);
		if (result)
			break;
	}
	return result;
}

int names_each(const struct names *names, const char *group, name_fn fn, void *data)
{
	return names_each_of(names, group, each_host, fn, data);
}
