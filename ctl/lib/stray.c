// SPDX-License-Identifier: GPL-2.0
/* What killed controllers left. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"
#include "build.h"
#include "cgroup.h"
#include "cleanup.h"
#include "grants.h"
#include "group.h"
#include "keeper.h"
#include "library.h"
#include "memfd_state.h"
#include "recipe.h"
#include "redirect.h"
#include "stray.h"

#define PINNED_GROUPS	"/sys/fs/bpf/coppice/groups"

const char *const stray_kinds[] = {
	[STRAY_CGROUP] = "cgroup",
	[STRAY_BUILD] = "build",
	[STRAY_PINS] = "overrides",
	[STRAY_KEEPER] = "keeper",
	[STRAY_GRANTS] = "grants",
	[STRAY_LIBRARY] = "library",
};

/* Strays are collected before any is handed out, as handing out may remove it. */
struct search {
	json_t *groups;		/* name → cgroup, of all backends */
	struct stray *strays;
	size_t nr;
	struct error *err;
};

static int append(struct search *search, int kind, const char *name)
{
	struct stray *strays = realloc(search->strays, (search->nr + 1) * sizeof(*strays));

	if (!strays)
		return error_set(search->err, ENOMEM, "out of memory");
	search->strays = strays;
	strays[search->nr] = (struct stray) { .kind = kind };
	snprintf(strays[search->nr].name, sizeof(strays->name), "%s", name);
	search->nr++;
	return 0;
}

static bool contains(const struct search *search, int kind, const char *name)
{
	size_t i;

	for (i = 0; i < search->nr; i++)
		if ((int)search->strays[i].kind == kind && !strcmp(search->strays[i].name, name))
			return true;
	return false;
}

static int add_group(const struct group_info *info, void *data)
{
	struct search *search = data;

	return json_object_set_new(search->groups, info->name, json_string(info->cgroup));
}

static int find_groups(struct search *search)
{
	struct error ignored;

	search->groups = json_object();
	if (backend_kernel.available(&ignored) &&
	    backend_kernel.group_each(add_group, search, search->err))
		return -1;
	return backend_memfd.group_each(add_group, search, search->err);
}

static bool is_build(const char *name)
{
	return !strncmp(name, CGROUP_BUILD, strlen(CGROUP_BUILD));
}

static bool is_group_cgroup(const struct search *search, const char *cgroup)
{
	const char *name;
	json_t *value;

	json_object_foreach(search->groups, name, value)
		if (!strcmp(json_string_value(value), cgroup))
			return true;
	return false;
}

static int check_cgroup(const char *name, void *data)
{
	struct search *search = data;
	char cgroup[PATH_MAX];

	snprintf(cgroup, sizeof(cgroup), CGROUP_PARENT "/%s", name);
	if (is_group_cgroup(search, cgroup))
		return 0;
	if (is_build(name))
		return build_abandoned(name) ? append(search, STRAY_BUILD, name) : 0;
	return append(search, STRAY_CGROUP, name);
}

static bool build_at_work(const char *name)
{
	struct error ignored;
	char cgroup[PATH_MAX];
	autoclose int fd = -1;

	snprintf(cgroup, sizeof(cgroup), CGROUP_PARENT "/%s", name);
	fd = cgroup_open(cgroup, &ignored);
	return fd >= 0 && !build_abandoned(name);
}

static int check_pins(struct search *search, const char *group)
{
	if (json_object_get(search->groups, group) || contains(search, STRAY_PINS, group))
		return 0;
	/* An abandoned build's go with it. */
	if (is_build(group) && (build_at_work(group) || contains(search, STRAY_BUILD, group)))
		return 0;
	return append(search, STRAY_PINS, group);
}

static int check_override(const struct override_info *info, void *data)
{
	if (!strcmp(info->group, REDIRECT_HUB_NAME))
		return 0;
	return check_pins(data, info->group);
}

/* The bpf file system has no dots in its names: see pins_group_path(). */
static void group_of_pins(char *name)
{
	char *dot;

	while ((dot = strstr(name, "%2e"))) {
		*dot = '.';
		memmove(dot + 1, dot + 3, strlen(dot + 3) + 1);
	}
}

/* Groups have a directory of links, rules, or both. */
static int find_pins(struct search *search)
{
	autoclosedir DIR *dir = opendir(PINNED_GROUPS);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		group_of_pins(entry->d_name);
		if (entry->d_name[0] != '.' && check_pins(search, entry->d_name))
			return -1;
	}
	return redirect_each(NULL, check_override, search, search->err);
}

struct keeper_search {
	const struct keeper *keeper;
	bool known;
};

static int match_keeper(const char *name, const json_t *record, void *data)
{
	uint64_t start = json_integer_value(json_object_get(record, "keeper_start"));
	pid_t pid = json_integer_value(json_object_get(record, "keeper_pid"));
	struct keeper_search *search = data;

	(void)name;
	if (pid == search->keeper->pid && start == search->keeper->start)
		search->known = true;
	return 0;
}

static int check_keeper(const struct keeper *keeper, const char *image, void *data)
{
	struct keeper_search keepers = { .keeper = keeper };
	struct search *search = data;
	char pid[16];

	(void)image;
	if (state_each(STATE_IMAGES, match_keeper, &keepers, search->err))
		return -1;
	snprintf(pid, sizeof(pid), "%d", keeper->pid);
	return keepers.known ? 0 : append(search, STRAY_KEEPER, pid);
}

/* A keeper waits for its record under the lock: without it all there are have theirs. */
static int find_keepers(struct search *search)
{
	autoclose int lock = state_lock(search->err);

	return lock < 0 ? -1 : keeper_each(check_keeper, search, search->err);
}

static int check_grants(const char *group, void *data)
{
	struct search *search = data;

	return json_object_get(search->groups, group) ? 0 : append(search, STRAY_GRANTS, group);
}

static int check_library(const char *id, void *data)
{
	if (recipe_has_library(id) || library_in_work(id))
		return 0;
	/* Its recipe may have been written between the two questions. */
	return recipe_has_library(id) ? 0 : append(data, STRAY_LIBRARY, id);
}

int stray_each(stray_fn fn, void *data, struct error *err)
{
	autoclose int lock = cgroup_lock(err);
	struct search search = { .err = err };
	size_t i;
	int ret;

	ret = lock < 0 || find_groups(&search) || cgroup_each(check_cgroup, &search, err) ||
	      find_pins(&search) || find_keepers(&search) ||
	      grants_each(check_grants, &search, err) ||
	      library_each(check_library, &search, err) ? -1 : 0;
	for (i = 0; !ret && i < search.nr; i++)
		ret = fn(&search.strays[i], data, err);
	free(search.strays);
	json_decref(search.groups);
	return ret;
}

static int match_pid(const struct keeper *keeper, const char *image, void *data)
{
	struct keeper *wanted = data;

	(void)image;
	if (keeper->pid == wanted->pid)
		*wanted = *keeper;
	return 0;
}

static int remove_keeper(const char *pid, struct error *err)
{
	struct keeper keeper = { .pid = atoi(pid) };

	/* Its start is looked up again, so that only a keeper is ended. */
	if (keeper_each(match_pid, &keeper, err))
		return -1;
	return keeper.start ? keeper_stop(&keeper, err) : 0;
}

int stray_remove(const struct stray *stray, struct error *err)
{
	char cgroup[PATH_MAX];

	snprintf(cgroup, sizeof(cgroup), CGROUP_PARENT "/%s", stray->name);
	switch (stray->kind) {
	case STRAY_CGROUP:
		return cgroup_destroy(cgroup, err);
	case STRAY_BUILD:
		return build_prune(stray->name, err);
	case STRAY_PINS:
		return redirect_detach(stray->name, err);
	case STRAY_KEEPER:
		return remove_keeper(stray->name, err);
	case STRAY_GRANTS:
		return group_take_grants(stray->name, err);
	case STRAY_LIBRARY:
		return library_remove(stray->name, err);
	}
	return 0;
}
