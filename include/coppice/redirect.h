/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) */
/*
 * What lies in the maps pinned under /sys/fs/bpf/coppice/maps: shared by the
 * programs in bpf/ and the controller. Their BTF makes `bpftool map dump` print
 * these names.
 *
 * Addresses are bytes in network order (IPv4: the first four), ports are in host
 * order. No structure has padding, so that a key has one representation only.
 */
#ifndef COPPICE_REDIRECT_MAPS_H
#define COPPICE_REDIRECT_MAPS_H

#include <linux/types.h>

/* Also the length of the arrays indexed by a rule's number. */
#define REDIRECT_RULES_MAX	4096
#define REDIRECT_GROUPS_MAX	1024
#define REDIRECT_GROUP_NAME	64

/*
 * Key of the tries "rules_0" and "rules_1". All in front of the address always
 * takes part in a match: prefixlen is RULE_KEY_FIXED + the endpoint's prefix length.
 */
struct rule_key {
	__u32 prefixlen;
	__u32 group;
	__u16 port;		/* 0: any */
	__u8 protocol;		/* IPPROTO_TCP */
	__u8 family;		/* AF_INET also for ::ffff:a.b.c.d */
	__u8 address[16];
};

#define RULE_KEY_FIXED		64
#define RULE_KEY_FULL(family)	(RULE_KEY_FIXED + ((family) == AF_INET ? 32 : 128))

/* The rule's number: its index in "handlers" and "stats". */
struct rule_value {
	__u32 rule;
};

/* The only element of "active". */
struct active_value {
	__u32 index;		/* of the trie in force; read once per hook */
	__u32 draining;		/* the other trie may still have readers */
};

/* Element of "handlers". Written before the rule that names it is in force. */
struct handler_value {
	__u16 family;		/* 0: unused */
	__u16 port;
	__u8 address[16];
};

/* Element of the hash "groups", keyed by the group's number (1 and up). */
struct group_value {
	__u64 cgroup;		/* id of the cgroup that the programs are attached to */
	char name[REDIRECT_GROUP_NAME];
};

/* Element of the cgroup storage "cgroups", keyed by cgroup id. */
struct cgroup_value {
	__u32 group;		/* 0: none */
};

/* Socket storage "origin": what the task asked for, in the family of its socket. */
struct origin_value {
	__u32 group;		/* whose rule it was */
	__u32 rule;
	__u32 port;
	__u8 address[16];
};

/* Element of the per-CPU array "stats". */
struct stats_value {
	__u64 redirected;	/* connects sent to the handler */
};

#endif /* COPPICE_REDIRECT_MAPS_H */
