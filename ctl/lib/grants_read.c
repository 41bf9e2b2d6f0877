// SPDX-License-Identifier: GPL-2.0
/*
 * Grants from JSON. Who writes the file is trusted to decide, not to be right: nothing is
 * taken that could mean two things, or more than it says.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "grants.h"
#include "json_read.h"

#define UMASK_DEFAULT	027
/* (uid_t)-1 stands for "no user" in the kernel, and root is no function. */
#define NUMBER_MAX	(UINT32_MAX - 1)

static int check_keys(const json_t *object, const char *const *known, const char *what,
		      struct error *err)
{
	const char *const *name, *key;
	json_t *value;

	if (!json_is_object(object))
		return error_usage(err, "%s is no object", what);
	json_object_foreach((json_t *)object, key, value) {
		for (name = known; *name && strcmp(*name, key); name++)
			;
		if (!*name)
			return error_usage(err, "'%.80s' is no field of %s", key, what);
	}
	return 0;
}

static int read_number(const json_t *object, const char *key, uint32_t lowest, uint32_t *number,
		       struct error *err)
{
	const json_t *value = json_object_get(object, key);
	json_int_t given = json_integer_value(value);

	if (!json_is_integer(value) || given < lowest || given > NUMBER_MAX)
		return error_usage(err, "%s is not a number from %u to %u", key, lowest, NUMBER_MAX);
	*number = given;
	return 0;
}

/*
 * One resource.
 */

/* One spelling of each path: what is compared as text is then the same place. */
static int check_path(const char *key, const char *path, struct error *err)
{
	const char *part = path;

	if (!path || path[0] != '/' || strlen(path) >= PATH_MAX / 2)
		return error_usage(err, "%s is no absolute path", key);
	while (*part == '/') {
		size_t len = strcspn(++part, "/");

		if (!len || (len == 1 && part[0] == '.') || (len == 2 && !strncmp(part, "..", 2)))
			return error_usage(err, "%s %.200s has empty parts or dots: give the plain path",
					   key, path);
		if (len > NAME_MAX)
			return error_usage(err, "%s %.200s has a name that is too long", key, path);
		part += len;
	}
	return 0;
}

static int read_path(const json_t *object, const char *key, char **path, struct error *err)
{
	const json_t *value = json_object_get(object, key);

	if (check_path(key, json_string_value(value), err))
		return -1;
	*path = strdup(json_string_value(value));
	return *path ? 0 : error_set(err, ENOMEM, "out of memory");
}

static bool is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return !strncmp(path, directory, len) && (!path[len] || path[len] == '/');
}

/* What tasks have there is the same for all of them, or each task's own. */
static int check_target(const struct grant *grant, struct error *err)
{
	static const char *const taken[] = { "/proc", "/sys", "/tmp", "/dev", "/var/tmp" };
	const char *target = grant->target;
	size_t i;

	if (grant->kind == GRANT_DEVICE) {
		if (!is_below(target, "/dev") || !target[4])
			return error_usage(err, "the target %.200s of a device is not below /dev", target);
		return 0;
	}
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (is_below(target, taken[i]))
			return error_usage(err, "the target %.200s is in %s, which tasks have of their own: choose another one",
					   target, taken[i]);
	return 0;
}

static int read_kind(const json_t *object, struct grant *grant, struct error *err)
{
	const char *text = json_string_value(json_object_get(object, "kind"));
	int kind;

	for (kind = 0; text && kind < GRANT_KINDS; kind++)
		if (!strcmp(text, grant_kinds[kind])) {
			grant->kind = kind;
			return 0;
		}
	return error_usage(err, "kind is not volume, path, code, device or secret");
}

static int read_right(const json_t *value, struct grant *grant, struct error *err)
{
	const char *text = json_string_value(value);
	int bit;

	for (bit = 0; text && bit < GRANT_RIGHTS; bit++)
		if (!strcmp(text, grant_rights[bit])) {
			grant->rights |= 1U << bit;
			return 0;
		}
	return error_usage(err, "rights are read, write, append and traverse");
}

static int check_rights(const struct grant *grant, struct error *err)
{
	static const unsigned int possible[GRANT_KINDS] = {
		[GRANT_VOLUME] = GRANT_READ | GRANT_WRITE | GRANT_APPEND | GRANT_TRAVERSE,
		[GRANT_PATH] = GRANT_READ | GRANT_WRITE | GRANT_APPEND | GRANT_TRAVERSE,
		[GRANT_CODE] = GRANT_READ | GRANT_TRAVERSE,
		[GRANT_DEVICE] = GRANT_READ | GRANT_WRITE,
		[GRANT_SECRET] = GRANT_READ | GRANT_TRAVERSE,
	};
	char text[32];

	if (!grant->rights)
		return error_usage(err, "there are no rights: leave the grant out");
	if (!(grant->rights & ~possible[grant->kind]))
		return 0;
	grant_rights_text(grant->rights & ~possible[grant->kind], text);
	return error_usage(err, "nobody can be given the right to %s a %s", text,
			   grant_kinds[grant->kind]);
}

static int read_rights(const json_t *object, struct grant *grant, struct error *err)
{
	const json_t *list = json_object_get(object, "rights"), *value;
	size_t i;

	if (!json_is_array(list))
		return error_usage(err, "rights is no list");
	json_array_foreach(list, i, value)
		if (read_right(value, grant, err))
			return -1;
	return check_rights(grant, err);
}

/* Both are the kernel's numbers of the source, taken by who decided on it. */
static int read_known(const json_t *object, struct grant *grant, struct error *err)
{
	const json_t *device = json_object_get(object, "device");
	const json_t *inode = json_object_get(object, "inode");

	if (!device && !inode)
		return 0;
	if (!json_is_integer(device) || !json_is_integer(inode))
		return error_usage(err, "device and inode are two numbers, and come together");
	grant->known = true;
	grant->device = json_integer_value(device);
	grant->inode = json_integer_value(inode);
	return 0;
}

/*
 * Owners.
 */

static bool overlaps(uint32_t a, uint32_t nr_a, uint32_t b, uint32_t nr_b)
{
	return a < (uint64_t)b + nr_b && b < (uint64_t)a + nr_a;
}

static int add_map(struct grant_maps *maps, const struct grant_map *map, struct error *err)
{
	size_t i;

	if ((uint64_t)map->host + map->count > NUMBER_MAX || (uint64_t)map->task + map->count > NUMBER_MAX)
		return error_usage(err, "the numbers from %u and %u on are not %u", map->host, map->task,
				   map->count);
	for (i = 0; i < maps->nr; i++)
		if (overlaps(map->host, map->count, maps->list[i].host, maps->list[i].count) ||
		    overlaps(map->task, map->count, maps->list[i].task, maps->list[i].count))
			return error_usage(err, "a number is mapped twice");
	if (maps->nr == GRANT_MAPS_MAX)
		return error_usage(err, "there are more than %d ranges", GRANT_MAPS_MAX);
	maps->list[maps->nr++] = *map;
	return 0;
}

static int read_maps(const json_t *idmap, const char *key, struct grant_maps *maps,
		     struct error *err)
{
	static const char *const keys[] = { "host", "task", "count", NULL };
	const json_t *list = json_object_get(idmap, key), *value;
	struct grant_map map;
	size_t i;

	if (!json_is_array(list) || !json_array_size(list))
		return error_usage(err, "idmap has no list of %s", key);
	json_array_foreach(list, i, value) {
		map.count = 1;
		if (check_keys(value, keys, "a range of an idmap", err) ||
		    read_number(value, "host", 0, &map.host, err) ||
		    read_number(value, "task", 1, &map.task, err) ||
		    (json_object_get(value, "count") &&
		     read_number(value, "count", 1, &map.count, err)) ||
		    add_map(maps, &map, err))
			return error_prefix(err, "%s", key);
	}
	return 0;
}

static int read_idmap(const json_t *object, struct grant *grant, struct error *err)
{
	static const char *const keys[] = { "uids", "gids", NULL };
	const json_t *idmap = json_object_get(object, "idmap");

	if (!idmap)
		return 0;
	if (grant->kind == GRANT_DEVICE)
		return error_usage(err, "a device has no idmap: its node is the task's own");
	if (check_keys(idmap, keys, "an idmap", err) || read_maps(idmap, "uids", &grant->uids, err))
		return -1;
	return read_maps(idmap, "gids", &grant->gids, err);
}

static int read_grant(const json_t *object, struct grant *grant, struct error *err)
{
	static const char *const keys[] = {
		"kind", "rights", "source", "target", "device", "inode", "idmap", NULL
	};

	if (check_keys(object, keys, "a grant", err) || read_kind(object, grant, err) ||
	    read_path(object, "source", &grant->source, err) ||
	    read_path(object, json_object_get(object, "target") ? "target" : "source",
		      &grant->target, err))
		return -1;
	if (check_target(grant, err) || read_rights(object, grant, err) ||
	    read_known(object, grant, err) || read_idmap(object, grant, err))
		return error_prefix(err, "%.200s", grant->source);
	return 0;
}

/*
 * All of them.
 */

static int by_target(const void *a, const void *b)
{
	return strcmp(((const struct grant *)a)->target, ((const struct grant *)b)->target);
}

static int sort(struct grants *grants, struct error *err)
{
	size_t i;

	qsort(grants->list, grants->nr, sizeof(*grants->list), by_target);
	for (i = 1; i < grants->nr; i++)
		if (!by_target(&grants->list[i - 1], &grants->list[i]))
			return error_usage(err, "the target %.200s is given twice: one grant would hide the other",
					   grants->list[i].target);
	return 0;
}

static int read_list(const json_t *object, struct grants *grants, struct error *err)
{
	const json_t *list = json_object_get(object, "grants"), *value;
	size_t i;

	if (!json_is_array(list))
		return error_usage(err, "there is no list of grants");
	if (json_array_size(list) > GRANTS_MAX)
		return error_usage(err, "there are %zu grants: a function can have %d",
				   json_array_size(list), GRANTS_MAX);
	grants->list = calloc(json_array_size(list) + 1, sizeof(*grants->list));
	if (!grants->list)
		return error_set(err, ENOMEM, "out of memory");
	json_array_foreach(list, i, value)
		if (read_grant(value, &grants->list[grants->nr++], err))
			return error_prefix(err, "grant %zu", i + 1);
	return sort(grants, err);
}

static bool is_seen(const struct grants *grants, const char *path)
{
	static const char *const system[] = { "/usr", "/lib", "/lib64" };
	size_t i;

	for (i = 0; i < sizeof(system) / sizeof(system[0]); i++)
		if (is_below(path, system[i]))
			return true;
	for (i = 0; i < grants->nr; i++)
		if (is_below(path, grants->list[i].target))
			return true;
	return false;
}

int grants_add_code(struct grants *grants, const char *path, struct error *err)
{
	struct grant grant = { .kind = GRANT_CODE, .rights = GRANT_READ };
	struct grant *list;

	if (is_seen(grants, path))
		return 0;
	grant.source = strdup(path);
	grant.target = strdup(path);
	list = realloc(grants->list, (grants->nr + 1) * sizeof(*list));
	if (list)
		grants->list = list;
	if (!list || !grant.source || !grant.target || grants->nr == GRANTS_MAX ||
	    check_target(&grant, err)) {
		free(grant.source);
		free(grant.target);
		return error_set(err, ENOSPC, "%.200s, which is needed to run, cannot be granted besides: install it below /usr",
				 path);
	}
	list[grants->nr++] = grant;
	return sort(grants, err);
}

static int read_groups(const json_t *object, struct grants *grants, struct error *err)
{
	const json_t *list = json_object_get(object, "groups"), *value;
	const size_t most = sizeof(grants->groups) / sizeof(grants->groups[0]);
	json_int_t number;
	size_t i;

	if (list && !json_is_array(list))
		return error_usage(err, "groups is no list");
	if (json_array_size(list) > most)
		return error_usage(err, "there are more than %zu groups", most);
	json_array_foreach(list, i, value) {
		number = json_integer_value(value);
		if (!json_is_integer(value) || number < 1 || number > NUMBER_MAX)
			return error_usage(err, "groups has what is no number from 1 to %u", NUMBER_MAX);
		grants->groups[grants->nr_groups++] = number;
	}
	return 0;
}

/* As text, in octal: JSON has no octal numbers, and decimal ones would be misread. */
static int read_umask(const json_t *object, struct grants *grants, struct error *err)
{
	const json_t *value = json_object_get(object, "umask");
	const char *text = json_string_value(value);

	grants->umask = UMASK_DEFAULT;
	if (!value)
		return 0;
	if (!text || !text[0] || strlen(text) > 4 || strspn(text, "01234567") != strlen(text) ||
	    strtoul(text, NULL, 8) > 0777)
		return error_usage(err, "umask is no text of octal digits, such as \"027\"");
	grants->umask = strtoul(text, NULL, 8);
	return 0;
}

static int parse(const json_t *object, struct grants *grants, struct error *err)
{
	static const char *const keys[] = { "uid", "gid", "groups", "umask", "grants", NULL };

	if (check_keys(object, keys, "a function's grants", err) ||
	    read_number(object, "uid", 1, &grants->uid, err) ||
	    read_number(object, "gid", 1, &grants->gid, err) ||
	    read_groups(object, grants, err) || read_umask(object, grants, err))
		return -1;
	return read_list(object, grants, err);
}

int grants_parse(const json_t *object, struct grants *grants, struct error *err)
{
	*grants = (struct grants) {};
	if (!parse(object, grants, err))
		return 0;
	grants_free(grants);
	return -1;
}

int grants_read(const char *path, struct grants *grants, struct error *err)
{
	autojson json_t *object = NULL;
	json_error_t wrong;

	*grants = (struct grants) {};
	if (strcmp(path, "-"))
		object = json_read_file(path, JSON_REJECT_DUPLICATES, &wrong);
	else
		object = json_read_stream(stdin, JSON_REJECT_DUPLICATES, &wrong);
	if (!object)
		return json_read_starved(path, err) ? -1 :
			error_usage(err, "%.200s: %.160s (line %d)", path, wrong.text, wrong.line);
	return grants_parse(object, grants, err) ? error_prefix(err, "%.200s", path) : 0;
}
