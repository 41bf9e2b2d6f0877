// SPDX-License-Identifier: GPL-2.0
/*
 * Overrides of socket endpoints: the rules that the attached programs follow.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "redirect.h"
#include "redirect_pins.h"

int redirect_check(const struct endpoint *endpoint, const struct endpoint *handler,
		   struct error *err)
{
	char from[REDIRECT_TEXT_MAX], to[REDIRECT_TEXT_MAX];

	if (endpoint->family == AF_INET6 || handler->family == AF_INET)
		return 0;
	endpoint_format(endpoint, from);
	endpoint_format(handler, to);
	return error_set(err, EAFNOSUPPORT, "%s cannot be sent to %s: IPv4 sockets reach no IPv6 address: let the handler listen on an IPv4 one too",
			 from, to);
}

static struct rule_key make_key(__u32 group, const struct endpoint *endpoint)
{
	struct rule_key key = {
		.prefixlen = RULE_KEY_FIXED + endpoint->prefixlen,
		.group = group,
		.port = endpoint->port,
		.protocol = IPPROTO_TCP,
		.family = endpoint->family,
	};

	/* Zero beyond an IPv4 address, whatever the caller left there. */
	memcpy(key.address, endpoint->address, endpoint->family == AF_INET ? 4 : 16);
	return key;
}

static struct handler_value make_handler(const struct endpoint *handler)
{
	struct handler_value value = { .family = handler->family, .port = handler->port };

	memcpy(value.address, handler->address, handler->family == AF_INET ? 4 : 16);
	return value;
}

static struct endpoint key_endpoint(const struct rule_key *key)
{
	struct endpoint endpoint = {
		.family = key->family,
		.prefixlen = key->prefixlen - RULE_KEY_FIXED,
		.port = key->port,
	};

	memcpy(endpoint.address, key->address, sizeof(endpoint.address));
	return endpoint;
}

static struct endpoint handler_endpoint(const struct handler_value *value)
{
	struct endpoint endpoint = {
		.family = value->family,
		.prefixlen = value->family == AF_INET ? 32 : 128,
		.port = value->port,
	};

	memcpy(endpoint.address, value->address, sizeof(endpoint.address));
	return endpoint;
}

/* A number that no rule in force or to come has. */
static __u32 free_rule(const struct rule_set *old, const struct rule_set *new)
{
	bool used[REDIRECT_RULES_MAX] = {};
	__u32 number = 0;
	size_t i;

	for (i = 0; i < old->nr; i++)
		used[old->entries[i].value.rule % REDIRECT_RULES_MAX] = true;
	for (i = 0; i < new->nr; i++)
		used[new->entries[i].value.rule % REDIRECT_RULES_MAX] = true;
	while (number < REDIRECT_RULES_MAX && used[number])
		number++;
	return number;
}

static int zero_stats(const struct pins *pins, __u32 rule)
{
	int cpus = libbpf_num_possible_cpus(), result;
	struct stats_value *zero;

	zero = cpus > 0 ? calloc(cpus, sizeof(*zero)) : NULL;
	if (!zero)
		return -1;
	result = bpf_map_update_elem(pins->map[MAP_STATS], &rule, zero, BPF_ANY);
	free(zero);
	return result;
}

/* Write what the rule's number stands for, before any hook can see the rule. */
static int write_handler(const struct pins *pins, __u32 rule,
			 const struct handler_value *value, struct error *err)
{
	if (!zero_stats(pins, rule) &&
	    !bpf_map_update_elem(pins->map[MAP_HANDLERS], &rule, value, BPF_ANY))
		return 0;
	return error_set(err, errno, "the handler cannot be written to %s/handlers: %s",
			 PIN_MAPS, strerror(errno));
}

static bool same_handler(const struct pins *pins, __u32 rule,
			 const struct handler_value *value)
{
	struct handler_value now;

	return !bpf_map_lookup_elem(pins->map[MAP_HANDLERS], &rule, &now) &&
	       !memcmp(&now, value, sizeof(now));
}

/* Add one override to @set, with the number that it has in @old if it is there as it is. */
static int add_rule(const struct pins *pins, const struct rule_set *old,
		    struct rule_set *set, __u32 group, const struct override *override,
		    struct error *err)
{
	struct rule_entry entry = { .key = make_key(group, &override->endpoint) };
	struct handler_value handler = make_handler(&override->handler);
	const struct rule_entry *was = rules_find(old, &entry.key);
	char text[REDIRECT_TEXT_MAX];

	if (redirect_check(&override->endpoint, &override->handler, err))
		return -1;
	endpoint_format(&override->endpoint, text);
	if (rules_find(set, &entry.key))
		return error_set(err, EEXIST, "%s is overridden already: delete that override first", text);
	if (was && same_handler(pins, was->value.rule, &handler)) {
		entry.value = was->value;
		return rules_append(set, &entry, err);
	}
	entry.value.rule = free_rule(old, set);
	if (entry.value.rule == REDIRECT_RULES_MAX)
		return error_set(err, ENOSPC, "all %d overrides that the hub can hold are in use, %s would be one more: delete some first",
				 REDIRECT_RULES_MAX, text);
	if (write_handler(pins, entry.value.rule, &handler, err))
		return -1;
	return rules_append(set, &entry, err);
}

/* Open the pins for a change of the rules of @group; its number. */
static int begin_change(struct pins *pins, const char *group, __u32 *number,
			struct rule_set *set, struct error *err)
{
	if (redirect_check_group(group, err) || pins_open(pins, PINS_WRITE, err))
		return -1;
	*number = pins->ready ? redirect_find_group(pins, group) : 0;
	if (!*number)
		return error_set(err, ENOENT, "group %s has no overrides and no programs attached", group);
	/* Numbers of rules that a hook may still be following are not given again. */
	return rules_settle(pins, err) ? -1 : rules_read(pins, set, err);
}

int redirect_replace(const char *group, const struct override *overrides, size_t nr,
		     struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	cleanup_rules struct rule_set old = {}, set = {};
	__u32 number;
	size_t i;

	if (begin_change(&pins, group, &number, &old, err) || rules_read(&pins, &set, err))
		return -1;
	rules_remove_group(&set, number);
	for (i = 0; i < nr; i++)
		if (add_rule(&pins, &old, &set, number, &overrides[i], err))
			return -1;
	return rules_swap(&pins, &set, err);
}

int redirect_add(const char *group, const struct endpoint *endpoint,
		 const struct endpoint *handler, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	cleanup_rules struct rule_set set = {};
	const struct rule_set none = {};
	__u32 number;

	if (begin_change(&pins, group, &number, &set, err))
		return -1;
	if (add_rule(&pins, &none, &set, number,
		     &(struct override){ *endpoint, *handler }, err))
		return -1;
	return rules_swap(&pins, &set, err);
}

int redirect_delete(const char *group, const struct endpoint *endpoint, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	cleanup_rules struct rule_set set = {};
	char text[REDIRECT_TEXT_MAX];
	struct rule_entry *entry;
	struct rule_key key;
	__u32 number;

	if (begin_change(&pins, group, &number, &set, err))
		return -1;
	key = make_key(number, endpoint);
	entry = (struct rule_entry *)rules_find(&set, &key);
	endpoint_format(endpoint, text);
	if (!entry)
		return error_set(err, ENOENT, "group %s has no override of %s: see coppice override list %s",
				 group, text, group);
	*entry = set.entries[--set.nr];
	return rules_swap(&pins, &set, err);
}

/*
 * Listing.
 */

static uint64_t read_redirected(const struct pins *pins, __u32 rule)
{
	int cpus = libbpf_num_possible_cpus(), i;
	struct stats_value *stats;
	uint64_t sum = 0;

	stats = cpus > 0 ? calloc(cpus, sizeof(*stats)) : NULL;
	if (stats && !bpf_map_lookup_elem(pins->map[MAP_STATS], &rule, stats))
		for (i = 0; i < cpus; i++)
			sum += stats[i].redirected;
	free(stats);
	return sum;
}

static struct override_info make_info(const struct pins *pins, const struct rule_entry *entry)
{
	struct group_value group = {};
	struct handler_value handler = {};
	__u32 rule = entry->value.rule;
	struct override_info info = {
		.endpoint = key_endpoint(&entry->key),
		.redirected = read_redirected(pins, rule),
	};

	(void)!bpf_map_lookup_elem(pins->map[MAP_GROUPS], &entry->key.group, &group);
	(void)!bpf_map_lookup_elem(pins->map[MAP_HANDLERS], &rule, &handler);
	snprintf(info.group, sizeof(info.group), "%.*s", (int)sizeof(info.group) - 1, group.name);
	info.handler = handler_endpoint(&handler);
	return info;
}

/* By group, then address; the more specific first, as they are matched. */
static int compare_infos(const void *left, const void *right)
{
	const struct override_info *a = left, *b = right;
	int order = strcmp(a->group, b->group);

	if (!order)
		order = a->endpoint.family - b->endpoint.family;
	if (!order)
		order = memcmp(a->endpoint.address, b->endpoint.address,
			       sizeof(a->endpoint.address));
	if (!order)
		order = b->endpoint.prefixlen - a->endpoint.prefixlen;
	return order ? order : a->endpoint.port - b->endpoint.port;
}

/* All overrides of @group (NULL: of all), in *@infos; their number or -1. */
static ssize_t collect(const char *group, struct override_info **infos, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	cleanup_rules struct rule_set set = {};
	__u32 number = 0;
	ssize_t nr = 0;
	size_t i;

	if (pins_open(&pins, PINS_READ, err))
		return -1;
	if (pins.ready && group)
		number = redirect_find_group(&pins, group);
	if (!pins.ready || (group && !number))
		return 0;
	if (rules_read(&pins, &set, err))
		return -1;
	*infos = calloc(set.nr + 1, sizeof(**infos));
	if (!*infos)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < set.nr; i++)
		if (!group || set.entries[i].key.group == number)
			(*infos)[nr++] = make_info(&pins, &set.entries[i]);
	return nr;
}

/* @fn is called without the lock: it may call back into here. */
int redirect_each(const char *group, override_fn fn, void *data, struct error *err)
{
	struct override_info *infos = NULL;
	ssize_t nr = collect(group, &infos, err), i;
	int result = nr < 0 ? -1 : 0;

	if (nr > 0)
		qsort(infos, nr, sizeof(*infos), compare_infos);
	for (i = 0; i < nr && !result; i++)
		result = fn(&infos[i], data);
	free(infos);
	return result;
}
