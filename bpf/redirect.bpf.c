// SPDX-License-Identifier: GPL-2.0
/*
 * Redirect connections of a group's tasks from an endpoint to a local handler.
 *
 * connect4/connect6 rewrite the destination before the kernel looks at it, so
 * nothing is done per byte, and an endpoint needs no route. getpeername4/6 give
 * the task the address that it asked for.
 *
 * The programs run for the cgroup in which the *socket* was made, and for all
 * cgroups below the one they are attached to. The group is therefore read from
 * the storage of the attachment, not derived from the current task.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "coppice/redirect.h"

/* <sys/socket.h> is not for this target. */
#define AF_INET		2
#define AF_INET6	10
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif

#define ALLOW		1	/* verdict: go on, with the address as it is now */

char _license[] SEC("license") = "GPL";

/*
 * Two tries, of which "active" names one. The controller fills in the other and
 * flips the index, so that a rule set changes as a whole; LPM tries alone cannot be
 * rewritten under their readers without a moment in which an endpoint is missed.
 */
struct rule_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, REDIRECT_RULES_MAX);
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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct active_value);
} active SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REDIRECT_RULES_MAX);
	__type(key, __u32);
	__type(value, struct handler_value);
} handlers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REDIRECT_RULES_MAX);
	__type(key, __u32);
	__type(value, struct stats_value);
} stats SEC(".maps");

/* For the controller only: the programs know groups by number. */
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

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct origin_value);
} origin SEC(".maps");

/* False on a kernel without MPTCP, whose verifier does not know the helper's type. */
const volatile bool has_mptcp = true;

/* The four words of an IPv6 address; IPv4 uses the first. */
struct address {
	__u32 word[4];
};

static __always_inline bool is_tcp(const struct bpf_sock_addr *ctx)
{
	return ctx->protocol == IPPROTO_TCP || ctx->protocol == IPPROTO_MPTCP;
}

static __always_inline __u32 current_group(void)
{
	struct cgroup_value *value = bpf_get_local_storage(&cgroups, 0);

	return value->group;	/* never NULL: it is made by the attachment */
}

static __always_inline bool is_mapped(const struct address *address)
{
	return !address->word[0] && !address->word[1] &&
	       address->word[2] == bpf_htonl(0xffff);
}

/*
 * The context may only be accessed at constant offsets. Four statements instead of
 * a loop keep the compiler from computing a pointer into it.
 */
static __always_inline void ctx_read6(const struct bpf_sock_addr *ctx,
				      struct address *address)
{
	address->word[0] = ctx->user_ip6[0];
	address->word[1] = ctx->user_ip6[1];
	address->word[2] = ctx->user_ip6[2];
	address->word[3] = ctx->user_ip6[3];
}

static __always_inline void ctx_write6(struct bpf_sock_addr *ctx,
				       const struct address *address)
{
	ctx->user_ip6[0] = address->word[0];
	ctx->user_ip6[1] = address->word[1];
	ctx->user_ip6[2] = address->word[2];
	ctx->user_ip6[3] = address->word[3];
}

/* The number of the rule for @key; one that names the port wins over one for any. */
static __always_inline const __u32 *find_rule(struct rule_key *key)
{
	const struct active_value *current;
	__u32 index = 0;
	void *trie;
	const __u32 *rule;

	current = bpf_map_lookup_elem(&active, &index);
	if (!current)
		return NULL;
	/* Once: both look-ups have to see the same rule set. */
	index = *(volatile const __u32 *)&current->index;
	trie = bpf_map_lookup_elem(&rules, &index);
	if (!trie)
		return NULL;
	rule = bpf_map_lookup_elem(trie, key);
	if (rule)
		return rule;
	key->port = 0;
	return bpf_map_lookup_elem(trie, key);
}

/*
 * The socket that the task holds. With MPTCP the hooks see the first subflow, but
 * getpeername() is asked of the MPTCP socket itself.
 */
static __always_inline void *origin_get(struct bpf_sock_addr *ctx,
					struct origin_value *init, __u64 flags)
{
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return NULL;
	if (has_mptcp) {
		struct mptcp_sock *msk = bpf_skc_to_mptcp_sock(sk);

		if (msk)
			return bpf_sk_storage_get(&origin, msk, init, flags);
	}
	return bpf_sk_storage_get(&origin, sk, init, flags);
}

/*
 * No rule of @group matches. What the socket asked for in an earlier attempt must
 * not be reported any more, unless a group further down has just said so.
 */
static __always_inline int miss(struct bpf_sock_addr *ctx, __u32 group)
{
	struct origin_value *asked = origin_get(ctx, NULL, 0);

	if (asked && asked->group == group)
		asked->group = 0;
	return ALLOW;
}

/*
 * Remember what was asked for. With one group's cgroup above another's, the inner
 * one's programs ran first: what they recorded stands.
 */
static __always_inline void remember(struct bpf_sock_addr *ctx,
				     const struct address *address, __u32 port,
				     __u32 group, __u32 rule)
{
	struct origin_value *asked;

	asked = origin_get(ctx, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!asked || (asked->group && asked->group != group))
		return;
	asked->rule = rule;
	asked->port = port;
	__builtin_memcpy(asked->address, address, sizeof(asked->address));
	asked->group = group;
}

static __always_inline const struct handler_value *
find_handler(struct bpf_sock_addr *ctx, const struct address *address, __u32 port,
	     __u32 group, struct rule_key *key)
{
	const struct handler_value *handler;
	struct stats_value *count;
	const __u32 *number;
	__u32 rule;

	key->group = group;
	key->port = port;
	key->protocol = IPPROTO_TCP;
	key->prefixlen = RULE_KEY_FULL(key->family);
	number = find_rule(key);
	if (!number)
		return NULL;
	/* On the stack: the verifier of 6.1 takes no trie value as a key. */
	rule = *number;
	handler = bpf_map_lookup_elem(&handlers, &rule);
	if (!handler)
		return NULL;
	count = bpf_map_lookup_elem(&stats, &rule);
	if (count)
		/* Atomic: a task preempted here may be followed by another on this CPU. */
		__sync_fetch_and_add(&count->redirected, 1);
	remember(ctx, address, port, group, rule);
	return handler;
}

/* cgroup/connect4: names are short, the kernel keeps 15 characters. */
SEC("cgroup/connect4")
int coppice_conn4(struct bpf_sock_addr *ctx)
{
	struct address address = { { ctx->user_ip4 } };
	__u32 port = bpf_ntohs(ctx->user_port);
	const struct handler_value *handler;
	struct rule_key key = { .family = AF_INET };
	__u32 group;

	if (!is_tcp(ctx))
		return ALLOW;
	group = current_group();
	__builtin_memcpy(key.address, address.word, 4);
	handler = find_handler(ctx, &address, port, group, &key);
	if (!handler)
		return miss(ctx, group);
	/* The controller refuses other families; an IPv4 socket could not go there. */
	if (handler->family != AF_INET)
		return ALLOW;
	ctx->user_ip4 = *(const __u32 *)handler->address;
	ctx->user_port = bpf_htons(handler->port);
	return ALLOW;
}

static __always_inline void handler_address6(const struct handler_value *handler,
					     struct address *address)
{
	if (handler->family == AF_INET6) {
		__builtin_memcpy(address, handler->address, sizeof(*address));
		return;
	}
	address->word[0] = 0;
	address->word[1] = 0;
	address->word[2] = bpf_htonl(0xffff);
	address->word[3] = *(const __u32 *)handler->address;
}

SEC("cgroup/connect6")
int coppice_conn6(struct bpf_sock_addr *ctx)
{
	__u32 port = bpf_ntohs(ctx->user_port);
	const struct handler_value *handler;
	struct rule_key key = {};
	struct address address;
	__u32 group;

	if (!is_tcp(ctx))
		return ALLOW;
	group = current_group();
	ctx_read6(ctx, &address);
	if (is_mapped(&address)) {
		key.family = AF_INET;
		__builtin_memcpy(key.address, &address.word[3], 4);
	} else {
		key.family = AF_INET6;
		__builtin_memcpy(key.address, &address, sizeof(address));
	}
	handler = find_handler(ctx, &address, port, group, &key);
	if (!handler)
		return miss(ctx, group);
	handler_address6(handler, &address);
	ctx_write6(ctx, &address);
	ctx->user_port = bpf_htons(handler->port);
	return ALLOW;
}

/* What the task asked for on this socket, if a redirect is in force on it. */
static __always_inline const struct origin_value *asked_for(struct bpf_sock_addr *ctx)
{
	const struct origin_value *asked;

	if (!is_tcp(ctx) || !ctx->sk)
		return NULL;
	/* Here the socket is the one that the task holds, also with MPTCP. */
	asked = bpf_sk_storage_get(&origin, ctx->sk, NULL, 0);
	return asked && asked->group ? asked : NULL;
}

SEC("cgroup/getpeername4")
int coppice_peer4(struct bpf_sock_addr *ctx)
{
	const struct origin_value *asked = asked_for(ctx);

	if (!asked)
		return ALLOW;
	ctx->user_ip4 = *(const __u32 *)asked->address;
	ctx->user_port = bpf_htons(asked->port);
	return ALLOW;
}

SEC("cgroup/getpeername6")
int coppice_peer6(struct bpf_sock_addr *ctx)
{
	const struct origin_value *asked = asked_for(ctx);

	if (!asked)
		return ALLOW;
	ctx_write6(ctx, (const struct address *)asked->address);
	ctx->user_port = bpf_htons(asked->port);
	return ALLOW;
}
