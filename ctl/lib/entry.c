// SPDX-License-Identifier: GPL-2.0
/* What the tasks of a group are started with. */
#include <errno.h>

#include "cgroup.h"
#include "cleanup.h"
#include "entry.h"
#include "library.h"
#include "overrides.h"
#include "policy.h"
#include "recipe.h"
#include "trust.h"

static bool gives_back_idle(const struct group_info *group)
{
	struct policy policy;
	struct error ignored;

	return !policy_parse(group->reshare, &policy, &ignored) && policy.when == POLICY_IDLE;
}

/* The image's libraries, for what tasks load later than its template did. */
static int open_libraries(struct entry *entry, struct error *err)
{
	autojson json_t *libraries = recipe_libraries(entry->backend, entry->group.image, err);

	return libraries ? library_mounts(libraries, &entry->mounts, err) : -1;
}

static int open_mounts(struct entry *entry, struct error *err)
{
	const char *group = entry->group.name;

	if (open_libraries(entry, err) ||
	    (trust_has(group) && trust_mounts(&entry->mounts, err)))
		return -1;
	return overrides_have_names(group) ? overrides_mounts(&entry->mounts, err) : 0;
}

/* Libraries and image are two questions, and have to be about the same. */
static int check_same(const struct entry *entry, struct error *err)
{
	if (entry->launch.group == entry->group.id)
		return 0;
	return error_set(err, EAGAIN, "group %s was changed while the task was being started: try again",
			 entry->group.name);
}

/* While it is given another image there is none of its name for a moment. */
static int find_group(struct entry *entry, const char *group, struct error *err)
{
	struct error ignored;
	int lock, ret;

	if (!entry->backend->group_find(group, &entry->group, err))
		return 0;
	lock = err->code == ENOENT ? cgroup_lock(&ignored) : -1;
	if (lock < 0)
		return -1;
	ret = entry->backend->group_find(group, &entry->group, err);
	close(lock);
	return ret;
}

int entry_open_plain(const struct backend *backend, const char *group, struct entry *entry,
		     struct error *err)
{
	*entry = (struct entry) ENTRY_NONE;
	entry->backend = backend;
	if (find_group(entry, group, err) || open_mounts(entry, err))
		return -1;
	return confinement_open(&entry->confinement, &entry->group, &entry->mounts, err);
}

int entry_open(const struct backend *backend, const char *group, struct entry *entry,
	       struct error *err)
{
	if (entry_open_plain(backend, group, entry, err) ||
	    backend->launch_open(group, &entry->launch, err) || check_same(entry, err))
		return -1;
	entry->launch.reshare_idle = gives_back_idle(&entry->group);
	return 0;
}

int entry_start(struct entry *entry, struct task_start *start, const struct report *report,
		pid_t *pid, struct error *err)
{
	struct confinement *confinement = &entry->confinement;
	int ret;

	if (confinement_begin(confinement, err))
		return -1;
	start->user = &confinement->user;
	start->enclosure = confinement->has_grants ? &confinement->enclosure : NULL;
	start->mounts = &entry->mounts;
	ret = task_start(start, report, pid, err);
	confinement_end(confinement);
	return ret;
}

void entry_close(struct entry *entry)
{
	confinement_close(&entry->confinement);
	if (entry->launch.segments)
		entry->backend->launch_close(&entry->launch);
	task_mounts_free(&entry->mounts);
}
