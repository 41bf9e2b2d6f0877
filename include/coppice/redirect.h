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
#define REDIRECT_RULES_MAX	16384
/* A rule for both protocols stands in a trie twice, for a name's two families again. */
#define REDIRECT_KEYS_MAX	(4 * REDIRECT_RULES_MAX)
#define REDIRECT_GROUPS_MAX	1024
#define REDIRECT_GROUP_NAME	64
#define REDIRECT_HANDLERS_MAX	4096
#define REDIRECT_CHOICES_MAX	8	/* handlers of one rule */
#define REDIRECT_RANGES_MAX	16	/* different port ranges of one group */
#define REDIRECT_NAMES_MAX	32768	/* two a name */
#define REDIRECT_FLOWS_MAX	16384
#define REDIRECT_ORIGINS_MAX	32768	/* a power of two */
#define REDIRECT_LABEL		256
#define REDIRECT_PATH		108	/* sun_path */
#define REDIRECT_EVENTS_SIZE	(256 * 1024)

/* The group whose rules hold for all groups, after their own. */
#define REDIRECT_HUB		0

/* Sockets with this mark are left alone. Setting it takes CAP_NET_ADMIN or CAP_NET_RAW. */
#define REDIRECT_BYPASS_MARK	0x436f7070

/*
 * Key of the tries "rules_0" and "rules_1". All in front of the address always
 * takes part in a match: prefixlen is RULE_KEY_FIXED + the endpoint's prefix length.
 * The address of AF_UNIX is a hash of the path.
 */
struct rule_key {
	__u32 prefixlen;
	__u32 group;
	__u16 first, last;	/* ports; 0 and 65535: any */
	__u8 protocol;		/* IPPROTO_TCP, IPPROTO_UDP; AF_UNIX: 0 */
	__u8 family;		/* AF_INET also for ::ffff:a.b.c.d */
	__u16 zero;
	__u8 address[16];
};

#define RULE_KEY_FIXED		96
#define RULE_KEY_FULL(family)	(RULE_KEY_FIXED + ((family) == 2 /* AF_INET */ ? 32 : 128))

/* The rule's number: its index in "overrides" and "stats". */
struct rule_value {
	__u32 rule;
};

/*
 * Key of the hash "exact": what the tries hold of whole addresses and single ports, which
 * most rules are for. Of a group's rules such a one wins over all others, so that what is
 * found here needs no other look-up.
 */
struct exact_key {
	__u32 index;		/* of the rule set */
	__u32 group;
	__u16 port;
	__u8 protocol, family;	/* as in a trie */
	__u8 address[16];
};

/* The only element of "active". */
struct active_value {
	__u32 index;		/* of the trie in force; read once per hook */
	__u32 draining;		/* the other trie may still have readers */
};

/* Element REDIRECT_PORTS_INDEX() of "ports": how a group's rules are looked up. */
struct ports_value {
	__u32 flags;		/* PORTS_… */
	__u32 nr_ranges;
	struct { __u16 first, last; } ranges[REDIRECT_RANGES_MAX];	/* narrowest first */
};

#define PORTS_TCP		0x1	/* there are rules for TCP */
#define PORTS_UDP		0x2
#define PORTS_UNIX		0x4
#define PORTS_SINGLE		0x8	/* there are rules for one port of a prefix */
#define PORTS_NAMES		0x10	/* there are rules for names */
#define PORTS_EXACT		0x20	/* there are rules for one port of one address */
#define REDIRECT_PORTS_INDEX(index, group)	((index) * (REDIRECT_GROUPS_MAX + 1) + (group))

/* What becomes of a socket that a rule matches. */
enum redirect_policy {
	REDIRECT_LOCAL,		/* to a handler; refused if all are down */
	REDIRECT_PREFER_LOCAL,	/* to a handler, or where it would go if all are down */
	REDIRECT_PREFER_CLOUD,	/* to a handler only while the cloud is marked unreachable */
	REDIRECT_BLOCK,		/* refused */
	NR_REDIRECT_POLICIES
};

enum redirect_kind {
	REDIRECT_ENDPOINT,	/* what users add, list and delete */
	REDIRECT_DNS,		/* port 53 to the hub's responder */
	NR_REDIRECT_KINDS
};

/* Element of "overrides", written before the rule that names it is in force. */
struct override_value {
	__u8 policy;
	__u8 kind;
	__u8 nr_choices;
	__u8 named;		/* a name's: see struct name_key */
	__u32 epoch;		/* counts the uses of this number */
	__u64 cloud_down_until;	/* CLOCK_MONOTONIC, in ns; for REDIRECT_PREFER_CLOUD */
	struct {
		__u16 handler;	/* index in "handlers" */
		__u16 upto;	/* sum of the weights up to and with this one */
	} choices[REDIRECT_CHOICES_MAX];
};

/* Element of "handlers": one a handler, whatever the number of its rules. */
struct handler_value {
	__u16 family;		/* 0: unused; AF_UNIX: the path is in "paths" */
	__u16 port;
	__u8 address[16];
	__u8 here;		/* on this machine: a socket shows whether it is alive */
	__u8 zero[3];
	__u64 down_until;	/* CLOCK_MONOTONIC, in ns: as a prober found it */
};

/* Element of the hash "paths", keyed by a handler's index. */
struct path_value {
	__u32 len;
	char path[REDIRECT_PATH];	/* zero behind it */
};

/* Element of the hash "labels", keyed by a rule's number: for people only. */
struct label_value {
	char label[REDIRECT_LABEL];
};

/*
 * Key of the hash "names": an address that a name was given. Tasks of the group that
 * ask for it are looked up as @alias and, where they are let through, go to a real one.
 */
struct name_key {
	__u32 group;
	__u32 family;		/* AF_INET, AF_INET6 */
	__u8 address[16];
};

struct name_value {
	__u8 alias[16];		/* of the key's family */
	__u8 real4[4];
	__u8 real6[16];
	__u32 real;		/* NAME_REAL4, NAME_REAL6: which are known */
};

#define NAME_REAL4		0x1
#define NAME_REAL6		0x2

/* Element of the hash "groups", keyed by the group's number (1 and up). */
struct group_value {
	__u64 cgroup;		/* id of the cgroup that the programs are attached to */
	char name[REDIRECT_GROUP_NAME];
};

/* Element of the cgroup storage "cgroups", keyed by cgroup id. */
struct cgroup_value {
	__u32 group;		/* 0: none */
};

/*
 * What the task asked for, of TCP and connected UDP; it goes with the socket. Element
 * REDIRECT_ORIGIN_INDEX() of the array "origin": cookies are given out one after the other,
 * so that sockets which are open at a time rarely meet in one. Who finds it taken is in the
 * socket storage "origin_kept", which takes longer to make, and there are those of MPTCP,
 * whose cookie is another one to each hook. Here and in flows an IPv4 address is
 * ::ffff:a.b.c.d.
 */
struct origin_value {
	__u64 cookie;		/* of the socket; 0: the element is free, whatever else it holds */
	__u32 group;		/* whose task it was; 0: nothing is redirected */
	__u32 rule;		/* REDIRECT_NO_RULE: a name's real address */
	__u32 epoch;
	__u32 pid;
	__u16 port;		/* asked for */
	__u16 peer_port;	/* where it was sent */
	__u8 address[16];
	__u8 peer[16];
	__u32 zero;
};

#define REDIRECT_ORIGIN_INDEX(cookie)	((cookie) & (REDIRECT_ORIGINS_MAX - 1))
#define REDIRECT_NO_RULE	0xffffffff

/* Key of the LRU hash "udp_reverse": a socket that is not connected, and who answers it. */
struct flow_key {
	__u64 cookie;
	__u8 address[16];
	__u32 port;
	__u32 zero;
};

/* What that socket asked for. */
struct flow_value {
	__u32 group;
	__u32 rule;
	__u32 epoch;
	__u32 pid;
	__u8 address[16];
	__u32 port;
};

/* Socket storage "unix_origin": which path the task asked for, and where it was sent. */
struct unix_origin_value {
	__u32 group;		/* 0: nothing is redirected */
	__u32 rule;
	char asked[REDIRECT_PATH];
	__u8 peer[16];		/* hash of the handler's path */
};

/*
 * Element of the per-CPU array "stats": by rule, and at REDIRECT_STATS_GROUP() what no
 * rule of the group was for.
 */
struct stats_value {
	__u64 redirected;	/* connects, and datagrams that are not connected, to a handler */
	__u64 missed;		/* no rule */
	__u64 fell_through;	/* to the cloud, by policy */
	__u64 denied;		/* by policy */
	__u64 no_handler;	/* all handlers were down */
	__u64 events_lost;
};

#define REDIRECT_STATS_GROUP(group)	(REDIRECT_RULES_MAX + (group))
#define REDIRECT_STATS_MAX		(REDIRECT_RULES_MAX + REDIRECT_GROUPS_MAX + 1)

/* Record of the ring buffer "events": what did not go to a handler although a rule was for it. */
struct redirect_event {
	__u64 time;		/* CLOCK_MONOTONIC, in ns */
	__u64 cookie;		/* of the socket */
	__u32 verdict;		/* enum redirect_verdict */
	__u32 group;
	__u32 rule;
	__u32 pid;
	__u8 protocol;
	__u8 family;
	__u16 port;		/* asked for */
	__u32 zero;
	__u8 address[16];
};

enum redirect_verdict {
	REDIRECT_FELL_THROUGH,
	REDIRECT_DENIED,
	REDIRECT_NO_HANDLER,
	NR_REDIRECT_VERDICTS
};

#endif /* COPPICE_REDIRECT_MAPS_H */
