// SPDX-License-Identifier: GPL-2.0
/*
 * The rule set: read as a whole, changed in memory, put in force as a whole.
 *
 * A hook reads active.index once and looks up in that trie only. So the other trie
 * can be written at leisure as long as no hook still reads it, which is the case
 * once all that ran at the flip have ended ("drained").
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#include "redirect_pins.h"

#define ZERO (&(const __u32){ 0 })	/* key of the only element of "active" */

static int trie_fd(const struct pins *pins, __u32 index)
{
	return pins->map[index ? MAP_RULES_1 : MAP_RULES_0];
}

static int read_active(const struct pins *pins, struct active_value *active,
		       struct error *err)
{
	if (bpf_map_lookup_elem(pins->map[MAP_ACTIVE], ZERO, active))
		return error_set(err, errno, "the index of the rules in force cannot be read: %s",
				 strerror(errno));
	return 0;
}

/* Eight aligned bytes, of which a hook reads one aligned half: it sees old or new. */
static int write_active(const struct pins *pins, __u32 index, bool draining)
{
	struct active_value active = { .index = index, .draining = draining };

	return bpf_map_update_elem(pins->map[MAP_ACTIVE], ZERO, &active, BPF_ANY);
}

/*
 * Wait until no program runs that was running on entry. An update of a map of maps
 * does that before it returns (kernel commit 1ae80cf31938); what is written is what
 * the slot holds anyway.
 */
static int wait_for_programs(const struct pins *pins, __u32 index)
{
	return bpf_map_update_elem(pins->map[MAP_RULES], &index,
				   &(__u32){ trie_fd(pins, index) }, BPF_ANY);
}

static int clear(int trie)
{
	struct rule_key key;

	while (!bpf_map_get_next_key(trie, NULL, &key))
		if (bpf_map_delete_elem(trie, &key))
			return -1;
	return errno == ENOENT ? 0 : -1;
}

static int fill(int trie, const struct rule_set *set)
{
	size_t i;

	for (i = 0; i < set->nr; i++)
		if (bpf_map_update_elem(trie, &set->entries[i].key,
					&set->entries[i].value, BPF_NOEXIST))
			return -1;
	return 0;
}

/* After this nobody reads the trie that is not in force, and it is empty. */
static int drain(const struct pins *pins, const struct active_value *active)
{
	if (active->draining && wait_for_programs(pins, !active->index))
		return -1;
	if (clear(trie_fd(pins, !active->index)))
		return -1;
	return active->draining ? write_active(pins, active->index, false) : 0;
}

int rules_settle(const struct pins *pins, struct error *err)
{
	struct active_value active;

	if (read_active(pins, &active, err))
		return -1;
	if (drain(pins, &active))
		return error_set(err, errno, "the spare set of rules cannot be emptied: %s",
				 strerror(errno));
	return 0;
}

int rules_swap(const struct pins *pins, const struct rule_set *set, struct error *err)
{
	struct active_value active;
	int spare;

	if (rules_settle(pins, err) || read_active(pins, &active, err))
		return -1;
	spare = trie_fd(pins, !active.index);
	if (fill(spare, set) || write_active(pins, !active.index, true)) {
		error_set(err, errno, "the new rules cannot be written: %s: the old ones stay in force",
			  strerror(errno));
		(void)!clear(spare);
		return -1;
	}
	/* In force from here on: what is left to do can also be done by the next swap. */
	active = (struct active_value){ .index = !active.index, .draining = true };
	(void)!drain(pins, &active);
	return 0;
}

int rules_append(struct rule_set *set, const struct rule_entry *entry, struct error *err)
{
	size_t allocated = set->allocated ? 2 * set->allocated : 64;
	struct rule_entry *entries;

	if (set->nr == REDIRECT_RULES_MAX)
		return error_set(err, ENOSPC, "all %d overrides that the hub can hold are in use: delete one first",
				 REDIRECT_RULES_MAX);
	if (set->nr == set->allocated) {
		entries = reallocarray(set->entries, allocated, sizeof(*entries));
		if (!entries)
			return error_set(err, ENOMEM, "out of memory");
		set->entries = entries;
		set->allocated = allocated;
	}
	set->entries[set->nr++] = *entry;
	return 0;
}

int rules_read(const struct pins *pins, struct rule_set *set, struct error *err)
{
	struct rule_key *previous = NULL, last;
	struct rule_entry entry;
	struct active_value active;
	int trie;

	if (read_active(pins, &active, err))
		return -1;
	trie = trie_fd(pins, active.index);
	while (!bpf_map_get_next_key(trie, previous, &entry.key)) {
		if (bpf_map_lookup_elem(trie, &entry.key, &entry.value))
			break;
		if (rules_append(set, &entry, err))
			return -1;
		last = entry.key;
		previous = &last;
	}
	if (errno != ENOENT)
		return error_set(err, errno, "the rules cannot be read: %s", strerror(errno));
	return 0;
}

const struct rule_entry *rules_find(const struct rule_set *set, const struct rule_key *key)
{
	size_t i;

	for (i = 0; i < set->nr; i++)
		if (!memcmp(&set->entries[i].key, key, sizeof(*key)))
			return &set->entries[i];
	return NULL;
}

void rules_remove_group(struct rule_set *set, __u32 group)
{
	size_t i, kept = 0;

	for (i = 0; i < set->nr; i++)
		if (set->entries[i].key.group != group)
			set->entries[kept++] = set->entries[i];
	set->nr = kept;
}

void rules_free(struct rule_set *set)
{
	free(set->entries);
	*set = (struct rule_set){};
}
