// SPDX-License-Identifier: GPL-2.0
/* Containers: cgroups that are somewhere else, with links of their own to the group's programs. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "redirect.h"
#include "redirect_container.h"
#include "redirect_groups.h"
#include "redirect_links.h"
#include "redirect_pins.h"
#include "redirect_programs.h"
#include "redirect_target.h"

void containers_remove(const char *group, bool all)
{
	char prefix[PATH_MAX], place[PATH_MAX];
	autoclosedir DIR *list = opendir(PIN_GROUPS);
	struct dirent *entry;
	size_t len;

	pins_group_path(group, prefix);
	len = strlen(strcat(prefix, "@")) - strlen(PIN_GROUPS "/");
	while (list && (entry = readdir(list))) {
		if (strncmp(entry->d_name, prefix + strlen(PIN_GROUPS "/"), len))
			continue;
		/* What is encoded once is not encoded again: it has no dots. */
		snprintf(place, sizeof(place), "%s", entry->d_name);
		if (all || links_gone(place))
			links_remove(place);
	}
}

int redirect_check_container(const char *id, struct error *err)
{
	const char *c;

	for (c = id; isalnum((unsigned char)*c) || strchr("._+-", *c); c++)
		if (!*c)
			break;
	if (*id && !*c && strlen(id) < REDIRECT_CONTAINER)
		return 0;
	return error_set(err, EINVAL, "'%.160s' is no container's id: use up to %d letters, digits, '.', '_', '+' and '-'",
			 id, REDIRECT_CONTAINER - 1);
}

static void container_place(const char *group, const char *id, char place[PATH_MAX])
{
	snprintf(place, PATH_MAX, "%s@%s", group, id);
}

static int attach_container(struct pins *pins, struct target *target, struct error *err)
{
	cleanup_programs struct programs programs = {};

	if (programs_load(&programs, err) || pins_open_maps(pins, err))
		return -1;
	if (!links_make(pins, target, &programs, err))
		return 0;
	links_remove(target->place);
	return -1;
}

int redirect_attach_container(const char *group, const char *id, const char *cgroup_path,
			      struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	char place[PATH_MAX];
	struct target target = { .group = group, .place = place, .cgroup = -1 };
	int result = -1;

	if (redirect_check_group(group, err) || redirect_check_container(id, err) ||
	    target_open(&target, cgroup_path, err))
		goto out;
	container_place(group, id, place);
	if (pins_open(&pins, PINS_WRITE, err))
		goto out;
	target.number = pins.ready ? redirect_find_group(&pins, group) : 0;
	if (!target.number) {
		error_set(err, ENOENT, "group %s has no overrides that a container could have", group);
		goto out;
	}
	containers_remove(group, false);
	result = attach_container(&pins, &target, err);
out:
	redirect_close_fd(&target.cgroup);
	return result;
}

int redirect_detach_container(const char *group, const char *id, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	char place[PATH_MAX];

	if (redirect_check_group(group, err) || redirect_check_container(id, err) ||
	    pins_open(&pins, PINS_WRITE, err))
		return -1;
	container_place(group, id, place);
	if (pins.lock >= 0)
		links_remove(place);
	return 0;
}
