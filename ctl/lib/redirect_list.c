// SPDX-License-Identifier: GPL-2.0
/* Overrides of socket endpoints: reading back what is in force, and its statistics. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cleanup.h"
#include "redirect.h"
#include "redirect_groups.h"
#include "redirect_pins.h"
#include "redirect_table.h"

static __u64 now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static int read_stats(const struct pins *pins, __u32 index, struct stats_value *sum)
{
	int cpus = libbpf_num_possible_cpus(), i;
	autofree struct stats_value *stats = cpus > 0 ? calloc(cpus, sizeof(*stats)) : NULL;

	*sum = (struct stats_value){};
	if (!stats || bpf_map_lookup_elem(pins->map[MAP_STATS], &index, stats))
		return -1;
	for (i = 0; i < cpus; i++) {
		sum->redirected += stats[i].redirected;
		sum->missed += stats[i].missed;
		sum->fell_through += stats[i].fell_through;
		sum->denied += stats[i].denied;
		sum->no_handler += stats[i].no_handler;
		sum->events_lost += stats[i].events_lost;
	}
	return 0;
}

static void put_handlers(const struct pins *pins, const struct override_value *value,
			 struct override_info *info)
{
	struct override *override = &info->override;
	struct handler_value handler;
	struct path_value path;
	unsigned int upto = 0;
	__u32 index;
	size_t i;

	for (i = 0; i < value->nr_choices && i < REDIRECT_CHOICES_MAX; i++) {
		index = value->choices[i].handler;
		handler = (struct handler_value){};
		path = (struct path_value){};
		(void)!bpf_map_lookup_elem(pins->map[MAP_HANDLERS], &index, &handler);
		if (handler.family == AF_UNIX)
			(void)!bpf_map_lookup_elem(pins->map[MAP_PATHS], &index, &path);
		override->handlers[i].address = redirect_handler_endpoint(&handler, path.path);
		override->handlers[i].weight = value->choices[i].upto - upto;
		upto = value->choices[i].upto;
		info->down[i] = handler.down_until > now();
	}
	override->nr_handlers = i;
}

static void put_group(const struct pins *pins, __u32 number, struct override_info *info)
{
	struct group_value group = {};

	if (number == REDIRECT_HUB)
		strcpy(group.name, REDIRECT_HUB_NAME);
	else
		(void)!bpf_map_lookup_elem(pins->map[MAP_GROUPS], &number, &group);
	snprintf(info->group, sizeof(info->group), "%.*s", (int)sizeof(info->group) - 1, group.name);
}

void redirect_group_name(__u32 number, char name[REDIRECT_GROUP_NAME])
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	struct override_info info = {};
	struct error ignored;

	if (!pins_open(&pins, PINS_READ, &ignored) && pins.ready)
		put_group(&pins, number, &info);
	memcpy(name, info.group, REDIRECT_GROUP_NAME);
}

void redirect_rule_path(__u32 rule, char path[REDIRECT_PATH])
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	struct label_value label = {};
	struct error ignored;

	if (!pins_open(&pins, PINS_READ, &ignored) && pins.ready)
		(void)!bpf_map_lookup_elem(pins.map[MAP_LABELS], &rule, &label);
	snprintf(path, REDIRECT_PATH, "%.*s", REDIRECT_PATH - 1, label.label);
}

static struct override_info make_info(const struct pins *pins, const struct rule_entry *entry)
{
	struct override_info info = {
		.override.endpoint = redirect_key_endpoint(&entry->key),
		.rule = entry->value.rule,
	};
	struct override_value value = {};
	struct label_value label = {};

	(void)!bpf_map_lookup_elem(pins->map[MAP_OVERRIDES], &info.rule, &value);
	(void)!bpf_map_lookup_elem(pins->map[MAP_LABELS], &info.rule, &label);
	(void)!read_stats(pins, info.rule, &info.stats);
	put_group(pins, entry->key.group, &info);
	put_handlers(pins, &value, &info);
	info.override.policy = value.policy;
	info.override.kind = value.kind;
	info.cloud_down = value.cloud_down_until > now();
	if (entry->key.family == AF_UNIX)
		snprintf(info.override.endpoint.path, REDIRECT_PATH, "%.*s", REDIRECT_PATH - 1,
			 label.label);
	else
		memcpy(info.override.label, label.label, sizeof(label.label) - 1);
	return info;
}

/* A further key of an override: of the other protocol, or of the other family. */
static void add_key(struct override *override, const struct rule_key *key)
{
	struct endpoint endpoint = redirect_key_endpoint(key);

	if (endpoint.family == override->endpoint.family)
		override->endpoint.protocol = 0;
	else if (override->also.family)
		override->also.protocol = 0;
	else
		override->also = endpoint;
}

/* By group, then address; the more specific first, as they are matched. */
static int compare_infos(const void *left, const void *right)
{
	const struct override_info *a = left, *b = right;
	const struct endpoint *x = &a->override.endpoint, *y = &b->override.endpoint;
	int order = strcmp(a->group, b->group);

	if (!order)
		order = x->family - y->family;
	if (!order)
		order = memcmp(x->address, y->address, sizeof(x->address));
	if (!order)
		order = y->prefixlen - x->prefixlen;
	if (!order)
		order = x->port - y->port;
	return order ? order : x->protocol - y->protocol;
}

/*
 * How many sockets are open by each rule: what the programs recorded of them is taken away
 * when they are closed. An older use of the rule's number does not count.
 */
static int count_open(const struct pins *pins, __u32 *open, struct error *err)
{
	autofree struct override_value *overrides = calloc(REDIRECT_RULES_MAX, sizeof(*overrides));
	cleanup_origins struct origin_value *origins = pins_map_origins(pins, err);
	__u32 rule, i;

	if (!origins)
		return -1;
	if (!overrides)
		return error_set(err, ENOMEM, "out of memory");
	if (pins_read_array(pins, MAP_OVERRIDES, overrides, REDIRECT_RULES_MAX, err))
		return -1;
	for (i = 0; i < REDIRECT_ORIGINS_MAX; i++) {
		rule = origins[i].rule;
		if (origins[i].cookie && origins[i].group && rule < REDIRECT_RULES_MAX &&
		    overrides[rule].epoch == origins[i].epoch)
			open[rule]++;
	}
	return 0;
}

struct list {
	struct override_info *infos;
	size_t nr;
	__u32 *place;		/* by rule: index in infos + 1 */
	__u32 *open;		/* by rule */
};

static void add_entry(struct list *list, const struct pins *pins,
		      const struct rule_entry *entry)
{
	__u32 *place = &list->place[entry->value.rule % REDIRECT_RULES_MAX];

	if (*place) {
		add_key(&list->infos[*place - 1].override, &entry->key);
		return;
	}
	list->infos[list->nr] = make_info(pins, entry);
	list->infos[list->nr].open = list->open[entry->value.rule % REDIRECT_RULES_MAX];
	*place = ++list->nr;
}

/* All overrides of @group (NULL: of all). */
static int collect(const char *group, struct list *list, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	cleanup_rules struct rule_set set = {};
	__u32 number = 0;
	size_t i;

	if (pins_open(&pins, PINS_READ, err))
		return -1;
	if (!pins.ready || (group && !redirect_group_number(&pins, group, &number)))
		return 0;
	if (rules_read(&pins, &set, err))
		return -1;
	list->infos = calloc(set.nr + 1, sizeof(*list->infos));
	list->place = calloc(REDIRECT_RULES_MAX, sizeof(*list->place));
	list->open = calloc(REDIRECT_RULES_MAX, sizeof(*list->open));
	if (!list->infos || !list->place || !list->open)
		return error_set(err, ENOMEM, "out of memory");
	if (count_open(&pins, list->open, err))
		return -1;
	for (i = 0; i < set.nr; i++)
		if (!group || set.entries[i].key.group == number)
			add_entry(list, &pins, &set.entries[i]);
	return 0;
}

/* @fn is called without the lock: it may call back into here. */
int redirect_each(const char *group, override_fn fn, void *data, struct error *err)
{
	struct list list = {};
	int result = collect(group, &list, err);
	size_t i;

	if (list.nr)
		qsort(list.infos, list.nr, sizeof(*list.infos), compare_infos);
	for (i = 0; i < list.nr && !result; i++)
		result = fn(&list.infos[i], data);
	free(list.infos);
	free(list.place);
	free(list.open);
	return result;
}

int redirect_totals(const char *group, struct redirect_totals *totals, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	struct stats_value stats = {};
	__u32 number;

	*totals = (struct redirect_totals){};
	if (pins_open(&pins, PINS_READ, err))
		return -1;
	if (!pins.ready || !redirect_group_number(&pins, group, &number))
		return 0;
	(void)!read_stats(&pins, REDIRECT_STATS_GROUP(number), &stats);
	totals->missed = stats.missed;
	(void)!read_stats(&pins, REDIRECT_STATS_GROUP(REDIRECT_HUB), &stats);
	totals->events_lost = stats.events_lost;
	return 0;
}

static int is_one(const struct override_info *info, void *data)
{
	(void)info;
	(void)data;
	return 1;
}

int redirect_any(const char *group, struct error *err)
{
	return redirect_each(group, is_one, NULL, err);
}
