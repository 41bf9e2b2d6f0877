// SPDX-License-Identifier: GPL-2.0
/* What the kernel has of a group's overrides, for those that show it. */
#include <limits.h>

#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "override.h"
#include "override_library.h"

static int put_hook(const struct redirect_hook *hook, void *data)
{
	return json_array_append_new(data, json_pack("{s:s, s:i, s:b, s:i, s:i}", "hook", hook->name,
						     "program", hook->program, "effective",
						     hook->program != 0, "before", hook->before,
						     "after", hook->after));
}

static int put_override(const struct override_info *info, void *data)
{
	return json_array_append_new(data, override_json(info));
}

json_t *override_describe(const struct group_info *info, const char *path, struct error *err)
{
	json_t *hooks = json_array(), *overrides = json_array(), *libraries = json_array();
	autojson json_t *object = json_pack("{s:o, s:o, s:o}", "programs", hooks,
					    "overrides", overrides, "libraries", libraries);
	const char *group = info->name;
	struct redirect_totals totals;
	char own[PATH_MAX];

	if (cgroup_path(info->cgroup, own, err) ||
	    redirect_hooks(group, own, path, put_hook, hooks, err) ||
	    redirect_each(group, put_override, overrides, err) ||
	    redirect_each(REDIRECT_HUB_NAME, put_override, overrides, err) ||
	    override_library_rows(libraries, group, err) ||
	    redirect_totals(group, &totals, err))
		return NULL;
	json_object_set_new(object, "group", json_string(group));
	json_object_set_new(object, "cgroup", json_string(path));
	json_object_set_new(object, "missed", json_integer(totals.missed));
	json_object_set_new(object, "events_lost", json_integer(totals.events_lost));
	return json_incref(object);
}
