/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private to redirect*.c: the directory of pins, its lock, and the rule set.
 *
 *	/sys/fs/bpf/coppice/maps/NAME		maps, shared by all groups
 *	/sys/fs/bpf/coppice/groups/GROUP/HOOK	links, one a hook
 *	/sys/fs/bpf/coppice/groups/GROUP@ID/HOOK	the same of containers that have its overrides
 */
#ifndef COPPICE_REDIRECT_PINS_H
#define COPPICE_REDIRECT_PINS_H

#include <limits.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "coppice/redirect.h"
#include "error.h"

#define BPFFS		"/sys/fs/bpf"
#define PIN_DIR		BPFFS "/coppice"
#define PIN_MAPS	PIN_DIR "/maps"
#define PIN_GROUPS	PIN_DIR "/groups"

enum pin_map {
	MAP_RULES, MAP_RULES_0, MAP_RULES_1, MAP_EXACT, MAP_ACTIVE, MAP_PORTS, MAP_OVERRIDES,
	MAP_HANDLERS, MAP_PATHS, MAP_NAMES, MAP_LABELS, MAP_STATS, MAP_GROUPS, MAP_CGROUPS,
	MAP_ORIGIN, MAP_ORIGIN_KEPT, MAP_UNIX_ORIGIN, MAP_FLOWS, MAP_EVENTS,
	NR_PIN_MAPS,
};

extern const char *const pin_map_names[NR_PIN_MAPS];

struct pins {
	int lock;		/* descriptor of PIN_DIR, or -1: there is none */
	bool ready;		/* all maps are there and open */
	int map[NR_PIN_MAPS];
};

#define PINS_CLOSED { .lock = -1, .map = { [0 ... NR_PIN_MAPS - 1] = -1 } }

enum pins_mode {
	PINS_READ,		/* shared lock */
	PINS_WRITE,		/* exclusive lock */
	PINS_CREATE,		/* exclusive lock; mounts bpffs and makes PIN_DIR */
};

#define cleanup_pins __attribute__((cleanup(pins_close)))
#define cleanup_fd __attribute__((cleanup(redirect_close_fd)))
#define cleanup_origins __attribute__((cleanup(redirect_unmap_origins)))

/* Without PINS_CREATE it is no error that nothing is pinned: !ready. */
int __must_check pins_open(struct pins *pins, enum pins_mode mode, struct error *err);
int __must_check pins_open_maps(struct pins *pins, struct error *err);
void pins_close(struct pins *pins);
void redirect_close_fd(int *fd);

/* All @nr values of a map that is an array, in one call. */
int __must_check pins_read_array(const struct pins *pins, enum pin_map map, void *values,
				 __u32 nr, struct error *err);
/* The records of sockets, as the programs write them: REDIRECT_ORIGINS_MAX; NULL. */
struct origin_value *pins_map_origins(const struct pins *pins, struct error *err);
void redirect_unmap_origins(struct origin_value **origins);

/* Take away the maps and directories: for when no group is left. */
void pins_prune(void);

/* DIRECTORY/GROUP, as the bpf file system can have it. */
void pins_encode(const char *directory, const char *group, char path[PATH_MAX]);
/* The path of a group's directory of links. */
void pins_group_path(const char *group, char path[PATH_MAX]);

/* The name of a group; "" if there is none. */
void redirect_group_name(__u32 number, char name[REDIRECT_GROUP_NAME]);

/* A copy of the rules in force. */
struct rule_entry {
	struct rule_key key;
	struct rule_value value;
};

struct rule_set {
	struct rule_entry *entries;	/* sorted by key after rules_read() and rules_sort() */
	size_t nr, allocated;
};

#define cleanup_rules __attribute__((cleanup(rules_free)))

int __must_check rules_read(const struct pins *pins, struct rule_set *set, struct error *err);
/* Finish what a killed controller left: then no hook follows any rule but those in force. */
int __must_check rules_settle(const struct pins *pins, struct error *err);
/* Put @set in force as a whole, with what @named says; on failure the rules stay as they were. */
typedef bool (*rule_named_fn)(__u32 rule, const void *data);
int __must_check rules_swap(const struct pins *pins, const struct rule_set *set,
			    rule_named_fn is_named, const void *data, struct error *err);
int __must_check rules_append(struct rule_set *set, const struct rule_entry *entry,
			      struct error *err);
void rules_sort(struct rule_set *set);
/* In a sorted set. */
const struct rule_entry *rules_find(const struct rule_set *set, const struct rule_key *key);
void rules_free(struct rule_set *set);

/* The path of a rule for one; "" if it is none, or is gone. */
void redirect_rule_path(__u32 rule, char path[REDIRECT_PATH]);

#endif /* COPPICE_REDIRECT_PINS_H */
