// SPDX-License-Identifier: GPL-2.0
/*
 * Groups as a whole. What belongs to a group is made before it and removed after it, so
 * that a controller killed in between leaves strays that `status` shows, but never a
 * group that lacks something.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "device_grants.h"
#include "group.h"
#include "kept.h"
#include "overrides.h"
#include "recipe.h"

bool group_owns_cgroup(const struct group_info *group)
{
	return !strncmp(group->cgroup, CGROUP_PARENT "/", sizeof(CGROUP_PARENT));
}

static int refuse_existing(const struct backend *backend, const char *name, struct error *err)
{
	struct group_info info;

	if (!backend->group_get(name, &info, err))
		return error_set(err, EEXIST, "a group %s exists%s: choose another name or delete it first",
				 name, backend == &backend_memfd ? " (with --backend memfd)" : "");
	return err->code == ENOENT ? 0 : -1;
}

/* Cgroups and overrides know groups by name only, so a name is taken in both backends. */
static int check_name_free(const char *name, struct error *err)
{
	struct error ignored;

	if (backend_kernel.available(&ignored) && refuse_existing(&backend_kernel, name, err))
		return -1;
	return refuse_existing(&backend_memfd, name, err);
}

struct cgroup_search {
	const char *cgroup;
	char user[IMAGE_NAME_MAX + 1];
};

static int match_cgroup(const struct group_info *info, void *data)
{
	struct cgroup_search *search = data;

	if (!strcmp(info->cgroup, search->cgroup))
		memcpy(search->user, info->name, sizeof(search->user));
	return 0;
}

static int check_cgroup_free(const struct backend *backend, const char *cgroup,
			     struct error *err)
{
	struct cgroup_search search = { .cgroup = cgroup };

	if (backend->group_each(match_cgroup, &search, err))
		return -1;
	if (search.user[0])
		return error_set(err, EBUSY, "the cgroup %s is that of group %s: give each group its own",
				 cgroup, search.user);
	return 0;
}

static int refuse_processes(const char *cgroup, struct error *err)
{
	autofree pid_t *pids = NULL;
	size_t nr;

	if (cgroup_pids(cgroup, &pids, &nr, err))
		return -1;
	if (nr)
		return error_set(err, EBUSY, "the cgroup %s has %zu processes, one of them %d: end them first",
				 cgroup, nr, pids[0]);
	return 0;
}

/* Overrides of the hub are for new groups, too. */
static int follow_hub(const struct group_info *group, struct error *err)
{
	int any = redirect_any(REDIRECT_HUB_NAME, err);
	char path[PATH_MAX];

	if (any <= 0)
		return any;
	return cgroup_path(group->cgroup, path, err) ? -1 : redirect_attach(group->name, path, err);
}

/* Those are kept last, as they say that all else is done. */
static int give_grants(const struct group_info *group, const struct grants *grants,
		       struct error *err)
{
	char path[PATH_MAX];

	if (!grants)
		return 0;
	if (cgroup_path(group->cgroup, path, err) || device_grants_set(group->name, path, grants, err))
		return -1;
	return grants_keep(group->name, grants, err);
}

/* The file goes last: by it a stray is found. */
int group_take_grants(const char *name, struct error *err)
{
	return device_grants_forget(name, err) || grants_forget(name, err) ? -1 : 0;
}

/*
 * Under the lock. Takes over the empty cgroup and drops the overrides and grants of a group that
 * is gone.
 */
static int make(const struct backend *backend, const struct group_info *group,
		const struct cgroup_limits *limits, const struct grants *grants,
		struct error *err)
{
	struct error second;
	bool made;

	if (check_name_free(group->name, err) || check_cgroup_free(backend, group->cgroup, err) ||
	    (group_owns_cgroup(group) && refuse_processes(group->cgroup, err)) ||
	    overrides_forget(group->name, err) || group_take_grants(group->name, err) ||
	    cgroup_make(group->cgroup, limits, &made, err))
		return -1;
	if (!follow_hub(group, err) && !give_grants(group, grants, err) &&
	    !backend->group_add(group, err))
		return 0;
	/* The refusal is what counts; a cgroup that stays is a stray, and shown. */
	(void)!redirect_detach(group->name, &second);
	(void)!group_take_grants(group->name, &second);
	if (made)
		(void)!cgroup_remove(group->cgroup, &second);
	return -1;
}

int group_make(const struct backend *backend, const struct group_info *group,
	       const struct cgroup_limits *limits, const struct grants *grants,
	       struct error *err)
{
	autoclose int lock = cgroup_lock(err);

	if (grants && group_try_grants(grants, err))
		return -1;
	return lock < 0 ? -1 : make(backend, group, limits, grants, err);
}

/* Once the group is gone nobody asks for the rest again: what can go goes, and the first that can't is told. */
static int forget(const struct backend *backend, const struct group_info *info, struct error *err)
{
	struct error ignored;
	int ret = overrides_forget(info->name, err);

	ret |= kept_remove(info->name, ret ? &ignored : err);
	ret |= group_take_grants(info->name, ret ? &ignored : err);
	ret |= recipe_drop_image(backend, info->image, ret ? &ignored : err);
	if (group_owns_cgroup(info))
		ret |= cgroup_remove(info->cgroup, ret ? &ignored : err);
	return ret;
}

static int unmake(const struct backend *backend, const char *name, struct error *err)
{
	struct group_info info;

	if (backend->group_get(name, &info, err))
		return -1;
	/* Tasks are refused by the backend; these have left the group by execve(). */
	if (!info.tasks && group_owns_cgroup(&info) && refuse_processes(info.cgroup, err))
		return -1;
	return backend->group_delete(name, err) || forget(backend, &info, err) ? -1 : 0;
}

int group_unmake(const struct backend *backend, const char *name, struct error *err)
{
	autoclose int lock = cgroup_lock(err);

	return lock < 0 ? -1 : unmake(backend, name, err);
}

/* A group's image is for life, so it is made again under its name; its cgroup stays. */
static int move(const struct backend *backend, const char *name, const char *from,
		const char *to, struct error *err)
{
	struct group_info old, new;
	struct error second;

	if (backend->group_get(name, &old, err))
		return -1;
	if (old.tasks)
		return error_set(err, EBUSY, "group %s has %u tasks, which would keep the image without the change: end them first (coppice task kill %s)",
				 name, old.tasks, name);
	/* The new one was made of the old one: what came in between would be lost. */
	if (strcmp(old.image, from))
		return error_set(err, EAGAIN, "group %s got the image %s meanwhile, by another change: try again",
				 name, old.image);
	new = old;
	snprintf(new.image, sizeof(new.image), "%s", to);
	if (backend->group_delete(name, err))
		return -1;
	if (!backend->group_add(&new, err))
		return 0;
	if (backend->group_add(&old, &second))
		return error_prefix(err, "group %s is gone (%.100s): add it again, as its new image was refused", name,
				    second.text);
	return -1;
}

int group_move(const struct backend *backend, const char *name, const char *from,
	       const char *to, struct error *err)
{
	autoclose int lock = cgroup_lock(err);

	return lock < 0 ? -1 : move(backend, name, from, to, err);
}
