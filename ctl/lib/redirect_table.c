// SPDX-License-Identifier: GPL-2.0
/*
 * The rules with what their numbers stand for.
 *
 * A rule's number, and a handler's index, are given anew only when no hook can be following
 * a rule that has them. So whatever they stand for can be written before the rules
 * that use them are in force, and a controller that dies in between has changed nothing.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cleanup.h"
#include "redirect_table.h"

#define SLOTS (2 * REDIRECT_HANDLERS_MAX)

struct endpoint redirect_key_endpoint(const struct rule_key *key)
{
	struct endpoint endpoint = {
		.family = key->family,
		.prefixlen = key->prefixlen - RULE_KEY_FIXED,
		.protocol = key->protocol,
		.port = key->last == 65535 && !key->first ? 0 : key->first,
		.last = key->last == 65535 && !key->first ? 0 : key->last,
	};

	memcpy(endpoint.address, key->address, sizeof(endpoint.address));
	return endpoint;
}

struct endpoint redirect_handler_endpoint(const struct handler_value *value, const char *path)
{
	struct endpoint endpoint = {
		.family = value->family,
		.prefixlen = value->family == AF_INET ? 32 : 128,
		.protocol = value->family == AF_UNIX ? 0 : IPPROTO_TCP,
		.port = value->port,
		.last = value->port,
	};

	memcpy(endpoint.address, value->address, sizeof(endpoint.address));
	if (value->family == AF_UNIX && path)
		memcpy(endpoint.path, path, sizeof(endpoint.path) - 1);
	return endpoint;
}

static struct rule_key make_key(__u32 group, const struct endpoint *endpoint, __u8 protocol)
{
	bool any = !endpoint->port && endpoint->family != AF_UNIX;
	struct rule_key key = {
		.prefixlen = RULE_KEY_FIXED + endpoint->prefixlen,
		.group = group,
		.first = endpoint->port,
		.last = any ? 65535 : endpoint->last > endpoint->port ? endpoint->last : endpoint->port,
		.protocol = protocol,
		.family = endpoint->family,
	};

	/* Zero beyond an IPv4 address, whatever the caller left there. */
	memcpy(key.address, endpoint->address, endpoint->family == AF_INET ? 4 : 16);
	return key;
}

/*
 * Reading.
 */

static int allocate(struct table *table, struct error *err)
{
	table->overrides = calloc(REDIRECT_RULES_MAX, sizeof(*table->overrides));
	table->handlers = calloc(REDIRECT_HANDLERS_MAX, sizeof(*table->handlers));
	table->labels = calloc(REDIRECT_RULES_MAX, sizeof(*table->labels));
	table->rule_state = calloc(REDIRECT_RULES_MAX, 1);
	table->handler_state = calloc(REDIRECT_HANDLERS_MAX, 1);
	table->nr_keys = calloc(REDIRECT_RULES_MAX, 1);
	table->slots = calloc(SLOTS, sizeof(*table->slots));
	table->paths = calloc(REDIRECT_HANDLERS_MAX, sizeof(*table->paths));
	if (table->overrides && table->handlers && table->labels && table->rule_state &&
	    table->handler_state && table->nr_keys && table->slots && table->paths)
		return 0;
	return error_set(err, ENOMEM, "out of memory");
}

static __u32 hash_handler(const struct handler_value *value)
{
	const __u8 *byte = value->address;
	__u32 sum = value->port * 31 + value->family;
	size_t i;

	for (i = 0; i < sizeof(value->address); i++)
		sum = (sum ^ byte[i]) * 16777619;
	return sum;
}

/* The slot of the handler in the table of hashes, or the free one where it belongs. */
static __u32 *find_slot(const struct table *table, const struct handler_value *value)
{
	__u32 i = hash_handler(value) % SLOTS;

	for (; table->slots[i]; i = (i + 1) % SLOTS) {
		const struct handler_value *other = &table->handlers[table->slots[i] - 1];

		if (other->family == value->family && other->port == value->port &&
		    !memcmp(other->address, value->address, sizeof(value->address)))
			break;
	}
	return &table->slots[i];
}

static void mark_handlers(struct table *table, const struct override_value *override)
{
	__u32 index;
	size_t i;

	for (i = 0; i < override->nr_choices && i < REDIRECT_CHOICES_MAX; i++) {
		index = override->choices[i].handler % REDIRECT_HANDLERS_MAX;
		table->handler_state[index] |= TABLE_OLD;
		*find_slot(table, &table->handlers[index]) = index + 1;
	}
}

int table_read(struct table *table, const struct pins *pins, struct error *err)
{
	size_t i;

	if (allocate(table, err) || rules_settle(pins, err) ||
	    rules_read(pins, &table->old, err) ||
	    pins_read_array(pins, MAP_OVERRIDES, table->overrides, REDIRECT_RULES_MAX, err) ||
	    pins_read_array(pins, MAP_HANDLERS, table->handlers, REDIRECT_HANDLERS_MAX, err))
		return -1;
	for (i = 0; i < table->old.nr; i++) {
		__u32 rule = table->old.entries[i].value.rule % REDIRECT_RULES_MAX;

		table->nr_keys[rule]++;
		if (!(table->rule_state[rule] & TABLE_OLD))
			mark_handlers(table, &table->overrides[rule]);
		table->rule_state[rule] |= TABLE_OLD;
	}
	return 0;
}

/*
 * Changing.
 */

int table_keep(struct table *table, table_drop_fn drop, const void *data, struct error *err)
{
	size_t i;

	for (i = 0; i < table->old.nr; i++) {
		const struct rule_entry *entry = &table->old.entries[i];

		if (drop && drop(table, entry, data))
			continue;
		if (rules_append(&table->new, entry, err))
			return -1;
		table->rule_state[entry->value.rule] |= TABLE_NEW;
	}
	return 0;
}

/* Does the kernel here answer for that address? Then a socket shows who is alive. -1: that cannot be told. */
static int is_here(const struct handler_value *value, struct error *err)
{
	struct ifaddrs *addresses = NULL, *a;
	bool found = value->family == AF_INET ? value->address[0] == 127
			: !memcmp(value->address, &in6addr_loopback, 16);

	if (found)
		return found;
	if (getifaddrs(&addresses))
		return error_set(err, errno, "this hub's addresses cannot be read: %s", strerror(errno));
	for (a = addresses; a && !found; a = a->ifa_next) {
		if (!a->ifa_addr || a->ifa_addr->sa_family != value->family)
			continue;
		if (value->family == AF_INET)
			found = !memcmp(&((struct sockaddr_in *)a->ifa_addr)->sin_addr,
					value->address, 4);
		else
			found = !memcmp(&((struct sockaddr_in6 *)a->ifa_addr)->sin6_addr,
					value->address, 16);
	}
	freeifaddrs(addresses);
	return found;
}

static struct handler_value make_handler(const struct endpoint *address)
{
	struct handler_value value = { .family = address->family, .port = address->port };

	memcpy(value.address, address->address, address->family == AF_INET ? 4 : 16);
	return value;
}

/* The index of a handler, a new one if need be; -1. */
static int use_handler(struct table *table, const struct endpoint *address, struct error *err)
{
	struct handler_value value = make_handler(address);
	__u32 *slot = find_slot(table, &value), index;
	int here = 0;

	if (*slot)
		return *slot - 1;
	while (table->next_handler < REDIRECT_HANDLERS_MAX &&
	       table->handler_state[table->next_handler])
		table->next_handler++;
	index = table->next_handler;
	if (index == REDIRECT_HANDLERS_MAX)
		return error_set(err, ENOSPC, "all %d handlers that the hub can hold are in use: delete overrides first",
				 REDIRECT_HANDLERS_MAX);
	if (value.family != AF_UNIX)
		here = is_here(&value, err);
	if (here < 0)
		return -1;
	value.here = here;
	table->handlers[index] = value;
	memcpy(table->paths[index].path, address->path, REDIRECT_PATH);
	table->paths[index].len = strnlen(address->path, REDIRECT_PATH);
	table->handler_state[index] = TABLE_NEW | TABLE_WRITE;
	*slot = index + 1;
	return index;
}

static int make_override(struct table *table, const struct override *override,
			 struct override_value *value, struct error *err)
{
	unsigned int upto = 0;
	size_t i;

	*value = (struct override_value){
		.policy = override->policy,
		.kind = override->kind,
		.nr_choices = override->nr_handlers,
		.named = override->label[0] != '\0',
	};
	for (i = 0; i < override->nr_handlers; i++) {
		int index = use_handler(table, &override->handlers[i].address, err);

		if (index < 0)
			return -1;
		upto += override->handlers[i].weight ?: 1;
		value->choices[i].handler = index;
		value->choices[i].upto = upto;
	}
	return 0;
}

static bool same_override(const struct override_value *a, const struct override_value *b)
{
	return a->policy == b->policy && a->kind == b->kind && a->named == b->named &&
	       a->nr_choices == b->nr_choices &&
	       !memcmp(a->choices, b->choices, sizeof(a->choices));
}

#define KEYS_MAX 4	/* of one override: two protocols, two families */

static size_t make_keys(__u32 group, const struct override *override, struct rule_key *keys)
{
	static const __u8 both[] = { IPPROTO_TCP, IPPROTO_UDP };
	const struct endpoint *endpoints[] = { &override->endpoint, &override->also };
	size_t nr = 0, i, j;

	for (i = 0; i < 2; i++) {
		if (!endpoints[i]->family)
			continue;
		if (endpoints[i]->protocol || endpoints[i]->family == AF_UNIX) {
			keys[nr++] = make_key(group, endpoints[i], endpoints[i]->protocol);
			continue;
		}
		for (j = 0; j < 2; j++)
			keys[nr++] = make_key(group, endpoints[i], both[j]);
	}
	return nr;
}

static bool same_label(const struct pins *pins, __u32 rule, const struct override *override)
{
	const char *label = override->endpoint.family == AF_UNIX ? override->endpoint.path
								 : override->label;
	struct label_value value = {};

	if (!label[0])
		return true;
	return !bpf_map_lookup_elem(pins->map[MAP_LABELS], &rule, &value) &&
	       !strncmp(value.label, label, sizeof(value.label));
}

/* The number that the override has in the old set, if it is there as it is; or -1. */
static int old_number(const struct table *table, const struct pins *pins,
		      const struct rule_key *keys, size_t nr,
		      const struct override_value *value, const struct override *override)
{
	const struct rule_entry *entry = rules_find(&table->old, &keys[0]);
	__u32 rule;
	size_t i;

	if (!entry)
		return -1;
	rule = entry->value.rule;
	if (table->nr_keys[rule] != nr || !same_override(&table->overrides[rule], value) ||
	    !same_label(pins, rule, override))
		return -1;
	for (i = 1; i < nr; i++) {
		entry = rules_find(&table->old, &keys[i]);
		if (!entry || entry->value.rule != rule)
			return -1;
	}
	return rule;
}

static int new_number(struct table *table, struct override_value *value,
		      const struct override *override, struct error *err)
{
	char text[REDIRECT_TEXT_MAX + REDIRECT_LABEL];
	__u32 rule;

	while (table->next_rule < REDIRECT_RULES_MAX && table->rule_state[table->next_rule])
		table->next_rule++;
	rule = table->next_rule;
	override_format(override, text);
	if (rule == REDIRECT_RULES_MAX)
		return error_set(err, ENOSPC, "all %d overrides that the hub can hold are in use, %.200s would be one more: delete some first",
				 REDIRECT_RULES_MAX, text);
	value->epoch = table->overrides[rule].epoch + 1;
	table->overrides[rule] = *value;
	/* The path of a unix socket cannot be read back from its hash. */
	snprintf(table->labels[rule].label, REDIRECT_LABEL, "%s",
		 override->endpoint.family == AF_UNIX ? override->endpoint.path : override->label);
	table->rule_state[rule] = TABLE_WRITE;
	return rule;
}

int table_add(struct table *table, const struct pins *pins, __u32 number,
	      const struct override *override, struct error *err)
{
	struct override_value value;
	struct rule_key keys[KEYS_MAX];
	size_t nr = make_keys(number, override, keys), i;
	int rule;

	if (make_override(table, override, &value, err))
		return -1;
	rule = old_number(table, pins, keys, nr, &value, override);
	/* Taken over already: then this one is the second, and is refused as such. */
	if (rule < 0 || table->rule_state[rule] & TABLE_NEW)
		rule = new_number(table, &value, override, err);
	if (rule < 0)
		return -1;
	table->rule_state[rule] |= TABLE_NEW | TABLE_GIVEN;
	for (i = 0; i < nr; i++)
		if (rules_append(&table->new,
				 &(struct rule_entry){ keys[i], { rule } }, err))
			return -1;
	return 0;
}

/*
 * Writing.
 */

static int refuse_twins(const struct table *table, struct error *err)
{
	const struct rule_entry *entry = table->new.entries;
	char text[REDIRECT_TEXT_MAX];
	struct endpoint endpoint;
	size_t i;

	for (i = 1; i < table->new.nr; i++, entry++) {
		if (memcmp(&entry[0].key, &entry[1].key, sizeof(entry->key)))
			continue;
		endpoint = redirect_key_endpoint(&entry->key);
		if (endpoint.family == AF_UNIX)
			strcpy(endpoint.path, "\xe2\x80\xa6");
		endpoint_format(&endpoint, text);
		if (!(table->rule_state[entry[0].value.rule] & TABLE_GIVEN) ||
		    !(table->rule_state[entry[1].value.rule] & TABLE_GIVEN))
			return error_set(err, EEXIST, "%s is overridden already: delete that override first",
					 text);
		return error_set(err, EEXIST, "%s is given twice: one endpoint has one override",
				 text);
	}
	return 0;
}

/* What is to be written of an array indexed like @state, in one call. */
static int write_marked(int map, const __u8 *state, __u32 length, const void *values, size_t size)
{
	autofree __u32 *keys = calloc(length, sizeof(*keys));
	autofree char *packed = calloc(length, size);
	__u32 nr = 0, i;

	if (!keys || !packed)
		return -1;
	for (i = 0; i < length; i++) {
		if (!(state[i] & TABLE_WRITE))
			continue;
		if (values)
			memcpy(packed + nr * size, (const char *)values + i * size, size);
		keys[nr++] = i;
	}
	return nr && bpf_map_update_batch(map, keys, packed, &nr, NULL) ? -1 : 0;
}

static int zero_stats(const struct table *table, const struct pins *pins)
{
	int cpus = libbpf_num_possible_cpus();

	if (cpus < 0)
		return -1;
	return write_marked(pins->map[MAP_STATS], table->rule_state, REDIRECT_RULES_MAX, NULL,
			    sizeof(struct stats_value) * cpus);
}

static int write_labels(const struct table *table, const struct pins *pins)
{
	__u32 rule;

	for (rule = 0; rule < REDIRECT_RULES_MAX; rule++) {
		if (!(table->rule_state[rule] & TABLE_WRITE))
			continue;
		if (!table->labels[rule].label[0])
			(void)!bpf_map_delete_elem(pins->map[MAP_LABELS], &rule);
		else if (bpf_map_update_elem(pins->map[MAP_LABELS], &rule, &table->labels[rule],
					     BPF_ANY))
			return -1;
	}
	return 0;
}

static int write_paths(const struct table *table, const struct pins *pins)
{
	__u32 i;

	for (i = 0; i < REDIRECT_HANDLERS_MAX; i++) {
		if (!(table->handler_state[i] & TABLE_WRITE))
			continue;
		if (table->handlers[i].family != AF_UNIX)
			(void)!bpf_map_delete_elem(pins->map[MAP_PATHS], &i);
		else if (bpf_map_update_elem(pins->map[MAP_PATHS], &i, &table->paths[i],
					     BPF_ANY))
			return -1;
	}
	return 0;
}

static bool is_named(__u32 rule, const void *data)
{
	const struct table *table = data;

	return table->overrides[rule % REDIRECT_RULES_MAX].named;
}

int table_commit(struct table *table, const struct pins *pins, struct error *err)
{
	rules_sort(&table->new);
	if (refuse_twins(table, err))
		return -1;
	if (zero_stats(table, pins) || write_labels(table, pins) || write_paths(table, pins) ||
	    write_marked(pins->map[MAP_HANDLERS], table->handler_state, REDIRECT_HANDLERS_MAX,
			 table->handlers, sizeof(*table->handlers)) ||
	    write_marked(pins->map[MAP_OVERRIDES], table->rule_state, REDIRECT_RULES_MAX,
			 table->overrides, sizeof(*table->overrides)))
		return error_set(err, errno, "the overrides cannot be written to %s: %s: the old ones stay in force",
				 PIN_MAPS, strerror(errno));
	return rules_swap(pins, &table->new, is_named, table, err);
}

struct rule_gone *table_gone(const struct table *table, size_t *nr)
{
	struct rule_gone *gone = calloc(REDIRECT_RULES_MAX, sizeof(*gone));
	__u32 rule;

	*nr = 0;
	for (rule = 0; gone && rule < REDIRECT_RULES_MAX; rule++)
		if ((table->rule_state[rule] & (TABLE_OLD | TABLE_NEW)) == TABLE_OLD)
			gone[(*nr)++] = (struct rule_gone){ rule, table->overrides[rule].epoch };
	return gone;
}

void table_free(struct table *table)
{
	rules_free(&table->old);
	rules_free(&table->new);
	free(table->overrides);
	free(table->handlers);
	free(table->labels);
	free(table->rule_state);
	free(table->handler_state);
	free(table->nr_keys);
	free(table->slots);
	free(table->paths);
	*table = (struct table){};
}
