// SPDX-License-Identifier: GPL-2.0
/* Overrides that outlive a reboot. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "file.h"
#include "kept.h"
#include "redirect.h"

#define DIRECTORY	STATE_DIRECTORY "/overrides"
#define SUFFIX		".json"

static void path_of(const char *group, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, DIRECTORY "/%.200s" SUFFIX, group);
}

static json_t *handlers_of(const struct override *override)
{
	json_t *handlers = json_array();
	char text[REDIRECT_TEXT_MAX];
	size_t i;

	for (i = 0; i < override->nr_handlers; i++) {
		endpoint_format(&override->handlers[i].address, text);
		json_array_append_new(handlers, json_pack("{s:s, s:i}", "handler", text, "weight",
							  override->handlers[i].weight));
	}
	return handlers;
}

struct list {
	json_t *array;
	struct error *err;
};

/* Those for DNS are made anew with the names. */
static int add(const struct override_info *info, void *data)
{
	char endpoint[REDIRECT_TEXT_MAX + REDIRECT_LABEL];
	const struct override *override = &info->override;
	struct list *list = data;

	if (override->kind != REDIRECT_ENDPOINT)
		return 0;
	override_format(override, endpoint);
	if (!json_array_append_new(list->array,
				   json_pack("{s:s, s:o, s:s}", "endpoint", endpoint,
					     "handlers", handlers_of(override), "policy",
					     redirect_policies[override->policy % NR_REDIRECT_POLICIES])))
		return 0;
	return error_set(list->err, ENOMEM, "out of memory");
}

static int write_list(const char *group, uid_t owner, struct error *err)
{
	struct list list = { .array = json_array(), .err = err };
	autojson json_t *object = json_pack("{s:o}", "overrides", list.array), *before = NULL;
	char path[PATH_MAX];

	path_of(group, path);
	if (!object)
		return error_set(err, ENOMEM, "out of memory");
	if (redirect_each(group, add, &list, err))
		return -1;
	if (!json_array_size(list.array))
		return file_remove(path, err);
	if (owner == KEPT_NOBODY) {
		before = kept_read(group, err);
		/* Who has it is not to be lost because it could not be read. */
		if (!before && error_hides(err->code))
			return -1;
		json_object_set(object, "owner", json_object_get(before, "owner"));
	} else {
		json_object_set_new(object, "owner", json_integer(owner));
	}
	return file_write_json(path, 0600, object, err);
}

int kept_explain(const char *group, struct error *err)
{
	return error_prefix(err, "the overrides of %.80s are in force, but a reboot would lose the change until the command is repeated",
			    group);
}

/* Under a lock: of two changes at a time, the one that writes last writes both. */
int kept_write(const char *group, uid_t owner, struct error *err)
{
	autoclose int lock = -1;

	if (!file_make_directory(DIRECTORY, 0700, err))
		lock = file_lock(DIRECTORY "/lock", err);
	if (lock >= 0 && !write_list(group, owner, err))
		return 0;
	return kept_explain(group, err);
}

int kept_remove(const char *group, struct error *err)
{
	char path[PATH_MAX];

	path_of(group, path);
	return file_remove(path, err);
}

json_t *kept_read(const char *group, struct error *err)
{
	char path[PATH_MAX];
	json_t *object;

	path_of(group, path);
	object = file_read_json(path, err);
	if (!object && err->code == ENOENT)
		error_set(err, ENOENT, "nothing is kept of %.80s: it had no overrides when it was changed last",
			  group);
	return object;
}

static int is_kept(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name), suffix = strlen(SUFFIX);

	return len > suffix && !strcmp(entry->d_name + len - suffix, SUFFIX);
}

json_t *kept_groups(struct error *err)
{
	struct dirent **entries = NULL;
	json_t *groups = json_array();
	int failed = 0;
	int nr = scandir(DIRECTORY, &entries, is_kept, alphasort), i;

	if (nr < 0 && errno != ENOENT) {
		error_set(err, errno, "%s cannot be read: %s", DIRECTORY, strerror(errno));
		json_decref(groups);
		return NULL;
	}
	for (i = 0; i < nr; i++) {
		failed |= json_array_append_new(groups, json_stringn(entries[i]->d_name,
								     strlen(entries[i]->d_name) - strlen(SUFFIX)));
		free(entries[i]);
	}
	free(entries);
	if (groups && !failed)
		return groups;
	error_set(err, ENOMEM, "out of memory");
	json_decref(groups);
	return NULL;
}
