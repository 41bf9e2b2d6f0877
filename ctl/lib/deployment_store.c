// SPDX-License-Identifier: GPL-2.0
/* The deployments of a hub; see deployment_store.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beneath.h"
#include "cleanup.h"
#include "deployment_store.h"
#include "file.h"
#include "json_put.h"
#include "name.h"

#define LOCK	DEPLOYMENTS_DIRECTORY "/lock"
#define TRASH	"trash"		/* is being removed */
#define RETIRED	"retired.json"

/* The names in NAME/ are on the disk, in the order in which they were changed. */
static int sync_base(const struct deployment_store *store, struct error *err)
{
	if (!fsync(store->base))
		return 0;
	return error_set(err, errno, "the directory of deployment %s cannot be written to the disk: %s",
			 store->name, strerror(errno));
}

static int move(const struct deployment_store *store, const char *from, const char *to,
		unsigned int flags, struct error *err)
{
	if (!renameat2(store->base, from, store->base, to, flags))
		return sync_base(store, err);
	if (errno == EINVAL && flags == RENAME_EXCHANGE)
		return error_set(err, EOPNOTSUPP, "the file system of " DEPLOYMENTS_DIRECTORY " cannot exchange directories: put it on ext4, XFS or btrfs");
	return error_set(err, errno, "%s of deployment %s cannot become %s: %s", from, store->name,
			 to, strerror(errno));
}

static json_t *read_object(const struct deployment_store *store, const char *path,
			   struct error *err)
{
	size_t len = 0;
	autofree char *text = beneath_read(store->base, path, SLOT_FILE_MAX, &len, err);
	char what[128];

	snprintf(what, sizeof(what), "%s of deployment %s", path, store->name);
	return text ? file_parse(text, len, what, "delete the deployment and apply it again", err) : NULL;
}

json_t *deployment_store_record(const struct deployment_store *store, const char *slot,
				struct error *err)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/" SLOT_RECORD, slot);
	return read_object(store, path, err);
}

/* NULL if there is none, or what is there is damaged. */
static int look_up(const struct deployment_store *store, const char *path, json_t **object,
		   struct error *err)
{
	*object = read_object(store, path, err);
	return !*object && error_hides(err->code) ? -1 : 0;
}

int deployment_store_sequence(const struct deployment_store *store, const char *slot,
			      json_int_t *sequence, struct error *err)
{
	autojson json_t *record = NULL;
	char path[64];

	snprintf(path, sizeof(path), "%s/" SLOT_RECORD, slot);
	if (look_up(store, path, &record, err))
		return -1;
	*sequence = json_integer_value(json_object_get(record, "sequence"));
	return 0;
}

static int drop(const struct deployment_store *store, const char *slot, struct error *err)
{
	if (!beneath_exists(store->base, slot))
		return 0;
	return move(store, slot, TRASH, RENAME_NOREPLACE, err) ||
	       beneath_remove(store->base, TRASH, err) ? -1 : 0;
}

/* 1 or 0, or -1 with err set. */
static int next_is_current(const struct deployment_store *store, struct error *err)
{
	autojson json_t *next = NULL, *current = NULL;

	if (look_up(store, SLOT_NEXT "/" SLOT_RECORD, &next, err) ||
	    look_up(store, SLOT_CURRENT "/" SLOT_RECORD, &current, err))
		return -1;
	return next && current && json_equal(json_object_get(next, "digest"),
					     json_object_get(current, "digest"));
}

/*
 * What the switch has left in "next". The same version applied once more is no reason to lose
 * the one that a rollback would lead to.
 */
static int keep_previous(const struct deployment_store *store, struct error *err)
{
	int same = next_is_current(store, err);

	if (same < 0)
		return -1;
	if (same)
		return drop(store, SLOT_NEXT, err);
	return drop(store, SLOT_PREVIOUS, err) ||
	       move(store, SLOT_NEXT, SLOT_PREVIOUS, RENAME_NOREPLACE, err) ? -1 : 0;
}

/*
 * "next" is the older one after the switch, and anything else before it: without a record it is
 * unfinished, and with one it has the higher number.
 */
static int recover(const struct deployment_store *store, struct error *err)
{
	json_int_t next, current;

	if (beneath_remove(store->base, TRASH, err))
		return -1;
	if (!beneath_exists(store->base, SLOT_NEXT))
		return 0;
	if (deployment_store_sequence(store, SLOT_NEXT, &next, err) ||
	    deployment_store_sequence(store, SLOT_CURRENT, &current, err))
		return -1;
	if (next && next < current)
		return keep_previous(store, err);
	return drop(store, SLOT_NEXT, err);
}

static void base_path(const struct deployment_store *store, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, DEPLOYMENTS_DIRECTORY "/%s", store->name);
}

static int open_base(struct deployment_store *store, bool make, struct error *err)
{
	char path[PATH_MAX];

	base_path(store, path);
	if (make && file_make_directory(path, 0700, err))
		return -1;
	store->base = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (store->base >= 0)
		return 0;
	if (errno == ENOENT)
		return error_set(err, ENOENT, "there is no deployment %s on this hub: `coppice deployment status` lists them",
				 store->name);
	return error_set(err, errno, "%.200s cannot be opened: %s", path, strerror(errno));
}

int deployment_store_open(struct deployment_store *store, const char *name, bool make,
			  struct error *err)
{
	*store = (struct deployment_store) { .name = name, .lock = -1, .base = -1 };
	if (name_check("a deployment", name, err) ||
	    (make && file_make_directory(DEPLOYMENTS_DIRECTORY, 0700, err)))
		return -1;
	if (!make && access(DEPLOYMENTS_DIRECTORY, F_OK))
		return open_base(store, make, err);
	store->lock = file_lock(LOCK, err);
	return store->lock < 0 || open_base(store, make, err) || recover(store, err) ? -1 : 0;
}

/* A directory in which nothing has come to be is of no use. */
void deployment_store_close(struct deployment_store *store)
{
	char path[PATH_MAX];

	if (store->base >= 0) {
		base_path(store, path);
		rmdir(path);
	}
	cleanup_close(&store->base);
	cleanup_close(&store->lock);
	store->base = store->lock = -1;
}

int deployment_store_stage(struct deployment_store *store, struct error *err)
{
	return beneath_make(store->base, SLOT_NEXT, err);
}

int deployment_store_switch(struct deployment_store *store, struct error *err)
{
	if (!beneath_exists(store->base, SLOT_CURRENT))
		return move(store, SLOT_NEXT, SLOT_CURRENT, RENAME_NOREPLACE, err);
	return move(store, SLOT_NEXT, SLOT_CURRENT, RENAME_EXCHANGE, err) ||
	       keep_previous(store, err) ? -1 : 0;
}

int deployment_store_rollback(struct deployment_store *store, struct error *err)
{
	if (!beneath_exists(store->base, SLOT_PREVIOUS))
		return error_set(err, ENOENT, "deployment %s has no previous version to go back to: apply another",
				 store->name);
	return move(store, SLOT_PREVIOUS, SLOT_CURRENT, RENAME_EXCHANGE, err);
}

static bool is_newer(const json_t *record, const json_t *than)
{
	return !than || json_integer_value(json_object_get(record, "version")) >
			json_integer_value(json_object_get(than, "version"));
}

int deployment_store_newest(const struct deployment_store *store, json_t **newest,
			    struct error *err)
{
	static const char *const files[] = {
		SLOT_CURRENT "/" SLOT_RECORD, SLOT_PREVIOUS "/" SLOT_RECORD, RETIRED,
	};
	json_t *record;
	size_t i;

	*newest = NULL;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (look_up(store, files[i], &record, err)) {
			json_decref(*newest);
			return -1;
		}
		if (record && is_newer(record, *newest)) {
			json_decref(*newest);
			*newest = record;
		} else {
			json_decref(record);
		}
	}
	return 0;
}

int deployment_store_kept(const struct deployment_store *store, json_t **kept, struct error *err)
{
	if (look_up(store, SLOT_CURRENT "/" SLOT_RECORD, kept, err))
		return -1;
	return *kept ? 0 : look_up(store, RETIRED, kept, err);
}

static int add_other(const struct deployment_store *other, json_t *others, struct error *err)
{
	json_t *record;

	if (other->base < 0)
		return error_hides(errno) ? error_set(err, errno, "deployment %s cannot be looked at: %s",
						      other->name, strerror(errno)) : 0;
	if (deployment_store_kept(other, &record, err))
		return -1;
	return record ? json_put(others, other->name, record, err) : 0;
}

static int add_others(const struct deployment_store *store, json_t *others, struct error *err)
{
	autoclosedir DIR *list = opendir(DEPLOYMENTS_DIRECTORY);
	struct dirent *entry;
	int ret = 0;

	if (!list && error_hides(errno))
		return error_set(err, errno, DEPLOYMENTS_DIRECTORY " cannot be read: %s", strerror(errno));
	while (!ret && list && (entry = readdir(list))) {
		struct deployment_store other = { .name = entry->d_name };

		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, store->name))
			continue;
		other.base = openat(dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ret = add_other(&other, others, err);
		cleanup_close(&other.base);
	}
	return ret;
}

json_t *deployment_store_others(const struct deployment_store *store, struct error *err)
{
	json_t *others = json_object();

	if (others && !add_others(store, others, err))
		return others;
	if (!others)
		error_set(err, ENOMEM, "out of memory");
	json_decref(others);
	return NULL;
}

/* Numbers are taken as long as files have them. */
static int retire(struct deployment_store *store, bool volumes, struct error *err)
{
	autojson json_t *newest = NULL, *kept = NULL;
	char path[PATH_MAX];

	if (deployment_store_newest(store, &newest, err) || deployment_store_kept(store, &kept, err))
		return -1;
	if (!newest)
		return 0;
	snprintf(path, sizeof(path), DEPLOYMENTS_DIRECTORY "/%s/" RETIRED, store->name);
	if (volumes)
		json_object_del(newest, "numbers");
	else if (kept && json_object_set(newest, "numbers", json_object_get(kept, "numbers")))
		return error_set(err, ENOMEM, "out of memory");
	return file_write_json(path, 0600, newest, err);
}

/* The current one first: without it the deployment is gone, and the rest is no more than space. */
int deployment_store_delete(struct deployment_store *store, bool volumes, struct error *err)
{
	if (retire(store, volumes, err) || drop(store, SLOT_CURRENT, err) ||
	    drop(store, SLOT_PREVIOUS, err))
		return -1;
	if (!volumes)
		return 0;
	return drop(store, SLOT_VOLUMES, err) || beneath_remove(store->base, SLOT_LABELLED, err) ||
	       sync_base(store, err) ? -1 : 0;
}

static bool has_current(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEPLOYMENTS_DIRECTORY "/%s/" SLOT_CURRENT, name);
	return name[0] != '.' && !access(path, F_OK);
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
	return strcmp((*left)->d_name, (*right)->d_name);
}

static int is_applied(const struct dirent *entry)
{
	return has_current(entry->d_name);
}

json_t *deployment_store_names(struct error *err)
{
	struct dirent **found = NULL;
	int nr = scandir(DEPLOYMENTS_DIRECTORY, &found, is_applied, by_name), i;
	json_t *names;

	if (nr < 0 && errno != ENOENT) {
		error_set(err, errno, DEPLOYMENTS_DIRECTORY " cannot be read: %s", strerror(errno));
		return NULL;
	}
	names = json_array();
	for (i = 0; i < nr; i++) {
		json_array_append_new(names, json_string(found[i]->d_name));
		free(found[i]);
	}
	free(found);
	if (!names)
		error_set(err, ENOMEM, "out of memory");
	return names;
}
