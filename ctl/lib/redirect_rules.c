// SPDX-License-Identifier: GPL-2.0
/*
 * The rule set: read as a whole, changed in memory, put in force as a whole.
 *
 * A hook reads active.index once and looks up in that trie only. So the other trie
 * can be written at leisure as long as no hook still reads it, which is the case
 * once all that ran at the flip have ended ("drained"). The same goes for the halves of
 * "ports" and "exact".
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#include "cleanup.h"
#include "redirect_pins.h"

#define ZERO (&(const __u32){ 0 })	/* key of the only element of "active" */
#define BATCH 4096

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

/* Append all that @trie holds to @set. */
static int read_trie(int trie, struct rule_set *set, struct error *err)
{
	autofree struct rule_key *keys = calloc(BATCH, sizeof(*keys));
	autofree struct rule_value *values = calloc(BATCH, sizeof(*values));
	struct rule_key next;
	bool more = true, first = true;
	__u32 nr, i;

	if (!keys || !values)
		return error_set(err, ENOMEM, "out of memory");
	while (more) {
		nr = BATCH;
		if (bpf_map_lookup_batch(trie, first ? NULL : &next, &next, keys, values,
					 &nr, NULL)) {
			if (errno != ENOENT)
				return error_set(err, errno, "the rules cannot be read: %s",
						 strerror(errno));
			more = false;
		}
		first = false;
		for (i = 0; i < nr; i++)
			if (rules_append(set, &(struct rule_entry){ keys[i], values[i] }, err))
				return -1;
	}
	return 0;
}

/* The keys and values of @set side by side, as the batch calls want them. */
static int split_set(const struct rule_set *set, struct rule_key **keys,
		     struct rule_value **values)
{
	size_t i;

	*keys = calloc(set->nr + 1, sizeof(**keys));
	*values = calloc(set->nr + 1, sizeof(**values));
	if (!*keys || !*values)
		return -1;
	for (i = 0; i < set->nr; i++) {
		(*keys)[i] = set->entries[i].key;
		(*values)[i] = set->entries[i].value;
	}
	return 0;
}

static int clear(int trie)
{
	cleanup_rules struct rule_set left = {};
	autofree struct rule_key *keys = NULL;
	autofree struct rule_value *values = NULL;
	struct error err;
	__u32 nr;

	if (read_trie(trie, &left, &err) || split_set(&left, &keys, &values)) {
		errno = ENOMEM;
		return -1;
	}
	nr = left.nr;
	return nr && bpf_map_delete_batch(trie, keys, &nr, NULL) ? -1 : 0;
}

static int fill(int trie, const struct rule_set *set)
{
	autofree struct rule_key *keys = NULL;
	autofree struct rule_value *values = NULL;
	__u32 nr = set->nr;

	if (split_set(set, &keys, &values))
		return -1;
	return nr && bpf_map_update_batch(trie, keys, values, &nr, NULL) ? -1 : 0;
}

/*
 * "exact": of each set those rules that are for one port of a whole address.
 */

static bool is_exact(const struct rule_key *key)
{
	return key->first == key->last && key->prefixlen == RULE_KEY_FULL(key->family);
}

static struct exact_key make_exact(__u32 index, const struct rule_key *key)
{
	struct exact_key exact = {
		.index = index,
		.group = key->group,
		.port = key->first,
		.protocol = key->protocol,
		.family = key->family,
	};

	memcpy(exact.address, key->address, sizeof(exact.address));
	return exact;
}

static int fill_exact(const struct pins *pins, __u32 index, const struct rule_set *set)
{
	autofree struct exact_key *keys = calloc(set->nr + 1, sizeof(*keys));
	autofree struct rule_value *values = calloc(set->nr + 1, sizeof(*values));
	__u32 nr = 0;
	size_t i;

	if (!keys || !values)
		return -1;
	for (i = 0; i < set->nr; i++) {
		if (!is_exact(&set->entries[i].key))
			continue;
		keys[nr] = make_exact(index, &set->entries[i].key);
		values[nr++] = set->entries[i].value;
	}
	return nr && bpf_map_update_batch(pins->map[MAP_EXACT], keys, values, &nr, NULL) ? -1 : 0;
}

/* Those of @nr keys that are of the set: moved to the front, and counted. */
static __u32 pick_exact(struct exact_key *keys, __u32 nr, __u32 index)
{
	__u32 picked = 0, i;

	for (i = 0; i < nr; i++)
		if (keys[i].index == index)
			keys[picked++] = keys[i];
	return picked;
}

/* Whatever is there, also what a killed controller left. */
static int clear_exact(const struct pins *pins, __u32 index)
{
	__u32 room = 2 * REDIRECT_KEYS_MAX, nr = room, batch;
	autofree struct exact_key *keys = calloc(room, sizeof(*keys));
	autofree struct rule_value *values = calloc(room, sizeof(*values));

	if (!keys || !values)
		return -1;
	if (bpf_map_lookup_batch(pins->map[MAP_EXACT], NULL, &batch, keys, values, &nr, NULL) &&
	    errno != ENOENT)
		return -1;
	nr = pick_exact(keys, nr, index);
	return nr && bpf_map_delete_batch(pins->map[MAP_EXACT], keys, &nr, NULL) ? -1 : 0;
}

/* After this nobody reads the trie that is not in force, and it is empty. */
static int drain(const struct pins *pins, const struct active_value *active)
{
	if (active->draining && wait_for_programs(pins, !active->index))
		return -1;
	if (clear(trie_fd(pins, !active->index)) || clear_exact(pins, !active->index))
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

/*
 * Ports: what a hook has to look for.
 */

static int compare_ranges(const void *left, const void *right)
{
	const typeof(((struct ports_value *)0)->ranges[0]) *a = left, *b = right;
	int order = (a->last - a->first) - (b->last - b->first);

	return order ? order : a->first - b->first;
}

static int add_range(struct ports_value *ports, const struct rule_key *key, struct error *err)
{
	__u32 i;

	for (i = 0; i < ports->nr_ranges; i++)
		if (ports->ranges[i].first == key->first && ports->ranges[i].last == key->last)
			return 0;
	if (ports->nr_ranges == REDIRECT_RANGES_MAX)
		return error_set(err, ENOSPC, "a group can have %d different port ranges, and %u-%u would be one more: use wider ones, or * for any port",
				 REDIRECT_RANGES_MAX, key->first, key->last);
	ports->ranges[ports->nr_ranges].first = key->first;
	ports->ranges[ports->nr_ranges++].last = key->last;
	return 0;
}

static int add_key(struct ports_value *ports, const struct rule_key *key, struct error *err)
{
	if (key->family == AF_UNIX)
		ports->flags |= PORTS_UNIX;
	else
		ports->flags |= key->protocol == IPPROTO_TCP ? PORTS_TCP : PORTS_UDP;
	if (key->first != key->last)
		return add_range(ports, key, err);
	ports->flags |= is_exact(key) ? PORTS_EXACT : PORTS_SINGLE;
	return 0;
}

/* One half of "ports", for @set. */
static int make_ports(const struct rule_set *set, struct ports_value *ports,
		      rule_named_fn is_named, const void *data, struct error *err)
{
	size_t i;

	for (i = 0; i < set->nr; i++) {
		const struct rule_key *key = &set->entries[i].key;

		if (key->group > REDIRECT_GROUPS_MAX || add_key(&ports[key->group], key, err))
			return -1;
		if (is_named(set->entries[i].value.rule, data))
			ports[key->group].flags |= PORTS_NAMES;
	}
	for (i = 0; i <= REDIRECT_GROUPS_MAX; i++)
		qsort(ports[i].ranges, ports[i].nr_ranges, sizeof(ports[i].ranges[0]),
		      compare_ranges);
	return 0;
}

static int write_ports(const struct pins *pins, __u32 index, const struct ports_value *ports)
{
	__u32 keys[REDIRECT_GROUPS_MAX + 1], nr = REDIRECT_GROUPS_MAX + 1, i;

	for (i = 0; i < nr; i++)
		keys[i] = REDIRECT_PORTS_INDEX(index, i);
	return bpf_map_update_batch(pins->map[MAP_PORTS], keys, ports, &nr, NULL);
}

int rules_swap(const struct pins *pins, const struct rule_set *set, rule_named_fn is_named,
	       const void *data, struct error *err)
{
	autofree struct ports_value *ports = calloc(REDIRECT_GROUPS_MAX + 1, sizeof(*ports));
	struct active_value active;
	int spare;

	if (!ports)
		return error_set(err, ENOMEM, "out of memory");
	if (make_ports(set, ports, is_named, data, err) || rules_settle(pins, err) ||
	    read_active(pins, &active, err))
		return -1;
	spare = trie_fd(pins, !active.index);
	if (fill(spare, set) || fill_exact(pins, !active.index, set) || write_ports(pins, !active.index, ports) ||
	    write_active(pins, !active.index, true)) {
		error_set(err, errno, "the new rules cannot be written: %s: the old ones stay in force",
			  strerror(errno));
		(void)!clear(spare);
		(void)!clear_exact(pins, !active.index);
		return -1;
	}
	/* In force from here on: what is left to do can also be done by the next swap. */
	active = (struct active_value){ .index = !active.index, .draining = true };
	(void)!drain(pins, &active);
	return 0;
}

/*
 * The set in memory.
 */

int rules_append(struct rule_set *set, const struct rule_entry *entry, struct error *err)
{
	size_t allocated = set->allocated ? 2 * set->allocated : 64;
	struct rule_entry *entries;

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

static int compare_entries(const void *left, const void *right)
{
	const struct rule_entry *a = left, *b = right;

	return memcmp(&a->key, &b->key, sizeof(a->key));
}

void rules_sort(struct rule_set *set)
{
	if (set->nr)
		qsort(set->entries, set->nr, sizeof(*set->entries), compare_entries);
}

int rules_read(const struct pins *pins, struct rule_set *set, struct error *err)
{
	struct active_value active;

	if (read_active(pins, &active, err) ||
	    read_trie(trie_fd(pins, active.index), set, err))
		return -1;
	rules_sort(set);
	return 0;
}

const struct rule_entry *rules_find(const struct rule_set *set, const struct rule_key *key)
{
	struct rule_entry wanted = { .key = *key };

	if (!set->nr)
		return NULL;
	return bsearch(&wanted, set->entries, set->nr, sizeof(*set->entries), compare_entries);
}

void rules_free(struct rule_set *set)
{
	free(set->entries);
	*set = (struct rule_set){};
}
