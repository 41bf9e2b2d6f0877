/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The maps, shared by all programs: whoever is loaded first makes and pins them. See
 * include/coppice/redirect.h for what is in them.
 */
#ifndef COPPICE_BPF_MAPS_H
#define COPPICE_BPF_MAPS_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "coppice/redirect.h"

/*
 * Two tries, of which "active" names one. The controller fills in the other and
 * flips the index, so that a rule set changes as a whole; LPM tries alone cannot be
 * rewritten under their readers without a moment in which an endpoint is missed.
 */
struct rule_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, REDIRECT_KEYS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct rule_key);
	__type(value, struct rule_value);
} rules_0 SEC(".maps"), rules_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct rule_trie);
} rules SEC(".maps") = { .values = { &rules_0, &rules_1 } };

/* Of both rule sets: a part of what the tries hold. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * REDIRECT_KEYS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct exact_key);
	__type(value, struct rule_value);
} exact SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct active_value);
} active SEC(".maps");

/* Of both rule sets: flipped with them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REDIRECT_PORTS_INDEX(2, 0));
	__type(key, __u32);
	__type(value, struct ports_value);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REDIRECT_RULES_MAX);
	__type(key, __u32);
	__type(value, struct override_value);
} overrides SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REDIRECT_HANDLERS_MAX);
	__type(key, __u32);
	__type(value, struct handler_value);
} handlers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, REDIRECT_HANDLERS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct path_value);
} paths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, REDIRECT_NAMES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct name_key);
	__type(value, struct name_value);
} names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REDIRECT_STATS_MAX);
	__type(key, __u32);
	__type(value, struct stats_value);
} stats SEC(".maps");

/* These two are for the controller only: the programs know rules and groups by number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, REDIRECT_RULES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct label_value);
} labels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, REDIRECT_GROUPS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct group_value);
} groups SEC(".maps");

/* A plain cgroup id as key: one value for all programs attached to a cgroup. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct cgroup_value);
} cgroups SEC(".maps");

/* Begins a page, so that an element is one line of the cache. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REDIRECT_ORIGINS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct origin_value);
} origin SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct origin_value);
} origin_kept SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, REDIRECT_FLOWS_MAX);
	__type(key, struct flow_key);
	__type(value, struct flow_value);
} udp_reverse SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct unix_origin_value);
} unix_origin SEC(".maps");

/* Ring buffers have no BTF of their own: struct redirect_event is in the programs'. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, REDIRECT_EVENTS_SIZE);
} events SEC(".maps");

#endif /* COPPICE_BPF_MAPS_H */
