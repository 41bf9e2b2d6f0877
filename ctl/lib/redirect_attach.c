// SPDX-License-Identifier: GPL-2.0
/*
 * Attaching the redirect programs to the cgroups of groups, and detaching them.
 *
 * Every operation holds the lock of the pins and may be killed anywhere in it. What
 * makes that harmless is the order: a group is entered in "groups" before it has
 * anything else, and leaves it last, so that a half-made one can be listed,
 * completed by the next attach and removed by a detach.
 */
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>

#include "redirect.h"
#include "redirect_container.h"
#include "redirect_groups.h"
#include "redirect_links.h"
#include "redirect_pins.h"
#include "redirect_programs.h"
#include "redirect_table.h"
#include "redirect_target.h"

static bool is_of_group(const struct table *table, const struct rule_entry *entry,
			const void *data)
{
	(void)table;
	return entry->key.group == *(const __u32 *)data;
}

static int drop_rules(const struct pins *pins, __u32 number, struct error *err)
{
	cleanup_table struct table table = {};

	if (table_read(&table, pins, err) || table_keep(&table, is_of_group, &number, err))
		return -1;
	return table.new.nr == table.old.nr ? 0 : table_commit(&table, pins, err);
}

/* The number may be given to another group, which has not these names. */
static void drop_names(const struct pins *pins, __u32 number)
{
	int names = pins->map[MAP_NAMES];
	struct name_key key, next;
	bool more = !bpf_map_get_next_key(names, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(names, &key, &next);
		if (key.group == number)
			(void)!bpf_map_delete_elem(names, &key);
	}
}

/* Nor has it these sockets, whose end no program of the group sees any more. */
static void drop_origins(const struct pins *pins, __u32 number)
{
	struct error ignored;
	cleanup_origins struct origin_value *origins = pins_map_origins(pins, &ignored);
	size_t i;

	for (i = 0; origins && i < REDIRECT_ORIGINS_MAX; i++) {
		__u64 cookie = origins[i].cookie;

		/* Not if it has become another socket's: the programs of other groups go on. */
		if (origins[i].group == number)
			(void)__sync_bool_compare_and_swap(&origins[i].cookie, cookie, 0);
	}
}

static int remove_group(const struct pins *pins, const char *group, struct error *err)
{
	struct group_value value;
	__u32 number = pins->ready ? redirect_find_group(pins, group) : 0;

	if (number && drop_rules(pins, number, err))
		return -1;
	containers_remove(group, true);
	links_remove(group);
	if (number && !bpf_map_lookup_elem(pins->map[MAP_GROUPS], &number, &value))
		(void)!groups_set_cgroup(pins, value.cgroup, 0);
	if (number) {
		drop_names(pins, number);
		drop_origins(pins, number);
	}
	if (number && bpf_map_delete_elem(pins->map[MAP_GROUPS], &number))
		return error_set(err, errno, "group %s cannot be removed from %s/groups: %s",
				 group, PIN_MAPS, strerror(errno));
	if (!pins->ready || !groups_in_use(pins))
		pins_prune();
	return 0;
}

/* It has rules only: programs are the groups'. */
static int remove_hub(const struct pins *pins, struct error *err)
{
	if (pins->ready && drop_rules(pins, REDIRECT_HUB, err))
		return -1;
	if (!pins->ready || !groups_in_use(pins))
		pins_prune();
	return 0;
}

static int attach(struct pins *pins, struct target *target, struct error *err)
{
	cleanup_programs struct programs programs = {};
	struct error ignored;
	bool is_new;

	if (programs_load(&programs, err) || pins_open_maps(pins, err))
		return -1;
	if (!pins->ready)
		return error_set(err, ENOENT, "the maps in %s are not complete: somebody removes them: try again",
				 PIN_MAPS);
	is_new = !target->number;
	if (!groups_enter(pins, target, err) && !links_make(pins, target, &programs, err))
		return 0;
	/* Refused, with nothing changed: but one that was there before keeps its rules. */
	if (is_new)
		(void)!remove_group(pins, target->group, &ignored);
	return -1;
}

int redirect_attach(const char *group, const char *cgroup_path, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	struct target target = { .group = group, .place = group, .cgroup = -1 };
	int result = -1;

	if (redirect_check_group(group, err) || target_open(&target, cgroup_path, err))
		goto out;
	if (!strcmp(group, REDIRECT_HUB_NAME)) {
		error_set(err, EINVAL, "%s is no group: programs are attached to groups", group);
		goto out;
	}
	if (pins_open(&pins, PINS_CREATE, err))
		goto out;
	if (pins.ready)
		target.number = redirect_find_group(&pins, group);
	result = pins.ready && links_attached(&pins, &target) ? 0 : attach(&pins, &target, err);
out:
	redirect_close_fd(&target.cgroup);
	return result;
}

int redirect_prepare(struct error *err)
{
	cleanup_programs struct programs programs = {};
	cleanup_pins struct pins pins = PINS_CLOSED;

	if (pins_open(&pins, PINS_CREATE, err))
		return -1;
	if (pins.ready)
		return 0;
	return programs_load(&programs, err);
}

int redirect_detach(const char *group, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;

	if (redirect_check_group(group, err) || pins_open(&pins, PINS_WRITE, err))
		return -1;
	if (pins.lock < 0)
		return 0;
	return strcmp(group, REDIRECT_HUB_NAME) ? remove_group(&pins, group, err) :
						  remove_hub(&pins, err);
}

bool redirect_is_attached(const char *group)
{
	return links_pinned(group);
}
