// SPDX-License-Identifier: GPL-2.0
/* The groups that are entered in the maps: number ↔ name. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>

#include "redirect.h"
#include "redirect_groups.h"

int redirect_check_group(const char *group, struct error *err)
{
	size_t len = strlen(group), i;

	if (!strcmp(group, REDIRECT_HUB_NAME))
		return 0;
	if (!len || len >= REDIRECT_GROUP_NAME || group[0] == '.' || group[0] == '-')
		return error_set(err, EINVAL, "'%.80s' cannot name a group: use 1 to %d letters, digits, '.', '_' and '-', beginning with a letter, digit or '_'",
				 group, REDIRECT_GROUP_NAME - 1);
	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)group[i]) && !strchr("._-", group[i]))
			return error_set(err, EINVAL, "'%.80s' cannot name a group: '%c' is not a letter, digit, '.', '_' or '-'",
					 group, group[i]);
	return 0;
}

/* The next group after @number (0: the first); false at the end. */
static bool next_group(const struct pins *pins, __u32 *number, struct group_value *value)
{
	int groups = pins->map[MAP_GROUPS];

	while (!bpf_map_get_next_key(groups, *number ? number : NULL, number))
		if (!bpf_map_lookup_elem(groups, number, value))
			return true;
	return false;
}

__u32 redirect_find_group(const struct pins *pins, const char *group)
{
	struct group_value value;
	__u32 number = 0;

	while (next_group(pins, &number, &value))
		if (!strncmp(value.name, group, sizeof(value.name)))
			return number;
	return 0;
}

bool redirect_group_number(const struct pins *pins, const char *group, __u32 *number)
{
	if (!strcmp(group, REDIRECT_HUB_NAME)) {
		*number = REDIRECT_HUB;
		return true;
	}
	*number = redirect_find_group(pins, group);
	return *number;
}

static bool is_of_hub(const struct rule_set *set)
{
	size_t i;

	for (i = 0; i < set->nr; i++)
		if (set->entries[i].key.group == REDIRECT_HUB)
			return true;
	return false;
}

bool groups_in_use(const struct pins *pins)
{
	cleanup_rules struct rule_set set = {};
	struct error ignored;
	__u32 number;

	if (!bpf_map_get_next_key(pins->map[MAP_GROUPS], NULL, &number))
		return true;
	return rules_read(pins, &set, &ignored) || is_of_hub(&set);
}

static __u32 free_number(const struct pins *pins)
{
	struct group_value value;
	__u32 number = 1;

	while (number <= REDIRECT_GROUPS_MAX &&
	       !bpf_map_lookup_elem(pins->map[MAP_GROUPS], &number, &value))
		number++;
	return number;
}

int groups_set_cgroup(const struct pins *pins, __u64 id, __u32 number)
{
	struct cgroup_value value = { .group = number };

	return bpf_map_update_elem(pins->map[MAP_CGROUPS], &id, &value, BPF_EXIST);
}

int groups_enter(const struct pins *pins, struct target *target, struct error *err)
{
	struct group_value value = {};

	if (!target->number)
		target->number = free_number(pins);
	else if (!bpf_map_lookup_elem(pins->map[MAP_GROUPS], &target->number, &value) &&
		 value.cgroup != target->cgroup_id)
		(void)!groups_set_cgroup(pins, value.cgroup, 0);	/* likely gone */
	value = (struct group_value){ .cgroup = target->cgroup_id };
	snprintf(value.name, sizeof(value.name), "%s", target->group);
	if (!bpf_map_update_elem(pins->map[MAP_GROUPS], &target->number, &value, BPF_ANY))
		return 0;
	if (errno == E2BIG)
		return error_set(err, ENOSPC, "all %d groups that can have overrides are in use: delete one first",
				 REDIRECT_GROUPS_MAX);
	return error_set(err, errno, "group %s cannot be entered in %s/groups: %s",
			 target->group, PIN_MAPS, strerror(errno));
}
