/* SPDX-License-Identifier: GPL-2.0 */
/* Which rule is for a socket, and which handler it is sent to. */
#ifndef COPPICE_BPF_RULES_H
#define COPPICE_BPF_RULES_H

#include "maps.h"

/* <sys/socket.h> and <errno.h> are not for this target. */
#define AF_UNIX		1
#define AF_INET		2
#define AF_INET6	10
#define ECONNREFUSED	111

#define ALLOW		1	/* go on, with the address as it is now */
#define REFUSE		0

/* A socket's way out, as a hook sees it. */
struct call {
	struct rule_key key;	/* family, protocol and address: what is looked up */
	__u32 group;		/* of the task */
	__u32 port;
	__u32 rule;		/* found */
	__u32 epoch;		/* of the rule */
	__u32 set;		/* index of the rule set in force, read once */
};

static __always_inline __u32 current_group(void)
{
	struct cgroup_value *value = bpf_get_local_storage(&cgroups, 0);

	return value->group;	/* never NULL: it is made by the attachment */
}

static __always_inline __u32 current_pid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

#define COUNTER(name)	__builtin_offsetof(struct stats_value, name)

/* Atomic: a task preempted here may be followed by another on this CPU. */
static __always_inline void count(__u32 index, __u32 counter)
{
	void *value = bpf_map_lookup_elem(&stats, &index);

	if (value)
		__sync_fetch_and_add((__u64 *)(value + counter), 1);
}

static __always_inline __u32 active_set(void)
{
	const struct active_value *current;
	__u32 zero = 0;

	current = bpf_map_lookup_elem(&active, &zero);
	/* Once: all look-ups have to see the same rule set. */
	return current ? *(const volatile __u32 *)&current->index : 0;
}

static __always_inline const struct ports_value *ports_of(__u32 set, __u32 group)
{
	__u32 index = REDIRECT_PORTS_INDEX(set, group);

	return bpf_map_lookup_elem(&ports, &index);
}

/* One port's rules win over a range's, a narrow range's over a wide one's. */
static __always_inline const __u32 *find_in_group(void *trie, const struct ports_value *known,
						  struct rule_key *key, __u32 port)
{
	const __u32 *rule;
	__u32 i;

	if (known->flags & PORTS_SINGLE) {
		key->first = port;
		key->last = port;
		rule = bpf_map_lookup_elem(trie, key);
		if (rule)
			return rule;
	}
	for (i = 0; i < REDIRECT_RANGES_MAX; i++) {
		if (i >= known->nr_ranges)
			break;
		if (port < known->ranges[i].first || port > known->ranges[i].last)
			continue;
		key->first = known->ranges[i].first;
		key->last = known->ranges[i].last;
		rule = bpf_map_lookup_elem(trie, key);
		if (rule)
			return rule;
	}
	return NULL;
}

static __always_inline bool find_exact(struct call *call, __u32 group)
{
	const struct ports_value *known = ports_of(call->set, group);
	struct exact_key key = {
		.index = call->set,
		.group = group,
		.port = call->port,
		.protocol = call->key.protocol,
		.family = call->key.family,
	};
	const struct rule_value *found;

	if (!known || !(known->flags & PORTS_EXACT))
		return false;
	__builtin_memcpy(key.address, call->key.address, sizeof(key.address));
	found = bpf_map_lookup_elem(&exact, &key);
	if (found)
		call->rule = found->rule;
	return found;
}

/*
 * The rule for @call, but for exact ones of the group itself; a group's own win over the
 * hub's. Like the other functions that are not inlined it is verified by itself, once:
 * inlined, their loops would multiply into more states than the verifier looks at.
 *
 * Keys are copied to the stack: the verifier of 6.1 takes no other memory.
 */
__noinline int rule_search(struct call *call, __u32 wanted)
{
	const struct ports_value *known;
	struct rule_key key;
	const __u32 *rule;
	__u32 set, i;
	void *trie;

	if (!call)
		return 0;
	set = call->set;
	trie = bpf_map_lookup_elem(&rules, &set);
	if (!trie)
		return 0;
	key = call->key;
	key.prefixlen = RULE_KEY_FULL(key.family);
	for (i = 0; i < 2; i++) {
		key.group = i ? REDIRECT_HUB : call->group;
		known = ports_of(set, key.group);
		if (!known || !(known->flags & wanted))
			continue;
		if (i && find_exact(call, REDIRECT_HUB))
			return 1;
		rule = find_in_group(trie, known, &key, call->port);
		if (!rule)
			continue;
		call->rule = *rule;
		return 1;
	}
	return 0;
}

static __always_inline bool rule_find(struct call *call, __u32 wanted)
{
	return find_exact(call, call->group) || rule_search(call, wanted);
}

/* Records are lost rather than waited for: a task may not stop the hub from counting. */
static __always_inline void report(struct bpf_sock_addr *ctx, const struct call *call,
				   __u32 verdict)
{
	struct redirect_event *event;

	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(REDIRECT_STATS_GROUP(REDIRECT_HUB), COUNTER(events_lost));
		return;
	}
	event->time = bpf_ktime_get_ns();
	event->cookie = bpf_get_socket_cookie(ctx);
	event->verdict = verdict;
	event->group = call->group;
	event->rule = call->rule;
	event->pid = current_pid();
	event->protocol = call->key.protocol;
	event->family = call->key.family;
	event->port = call->port;
	event->zero = 0;
	__builtin_memcpy(event->address, call->key.address, sizeof(event->address));
	bpf_ringbuf_submit(event, 0);
}

static __always_inline int refuse(void)
{
	bpf_set_retval(-ECONNREFUSED);
	return REFUSE;
}

static __always_inline bool is_over(__u64 until)
{
	return !until || bpf_ktime_get_ns() >= until;
}

/* Is there a socket that would answer? */
static __always_inline bool is_listening(struct bpf_sock_addr *ctx, __u8 protocol,
					 const struct handler_value *handler)
{
	__u32 size = handler->family == AF_INET ? sizeof(((struct bpf_sock_tuple *)0)->ipv4)
						: sizeof(((struct bpf_sock_tuple *)0)->ipv6);
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;

	if (handler->family == AF_INET) {
		__builtin_memcpy(&tuple.ipv4.daddr, handler->address, 4);
		tuple.ipv4.dport = bpf_htons(handler->port);
	} else {
		__builtin_memcpy(&tuple.ipv6.daddr, handler->address, 16);
		tuple.ipv6.dport = bpf_htons(handler->port);
	}
	if (protocol == IPPROTO_TCP)
		sk = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

static __always_inline bool is_alive(struct bpf_sock_addr *ctx, __u8 protocol,
				     const struct handler_value *handler)
{
	return is_over(handler->down_until) &&
	       (!handler->here || is_listening(ctx, protocol, handler));
}

/* Is the handler of this index alive? */
__noinline int handler_alive(struct bpf_sock_addr *ctx, __u32 index, __u32 protocol)
{
	const struct handler_value *handler = bpf_map_lookup_elem(&handlers, &index);

	return handler && is_alive(ctx, protocol, handler);
}

/* The choice whose share of the weights @ticket falls in. */
__noinline int handler_draw(__u32 rule, __u32 ticket)
{
	const struct override_value *override = bpf_map_lookup_elem(&overrides, &rule);
	__u32 nr, slot = 0, i;

	if (!override)
		return 0;
	nr = override->nr_choices;
	if (nr < 2 || nr > REDIRECT_CHOICES_MAX)
		return 0;
	ticket %= override->choices[(nr - 1) & (REDIRECT_CHOICES_MAX - 1)].upto ?: 1;
	for (i = 0; i < REDIRECT_CHOICES_MAX - 1; i++)
		if (i < nr && ticket >= override->choices[i].upto)
			slot = i + 1;
	return slot;
}

/*
 * Of several, the handler that is drawn, or the first after it that is alive; its index, or
 * -1. All datagrams of a socket go to the same one as long as it is.
 */
__noinline int handler_choose(struct bpf_sock_addr *ctx, __u32 rule, __u32 protocol)
{
	const struct override_value *override = bpf_map_lookup_elem(&overrides, &rule);
	__u32 ticket, slot, index, i;

	if (!override)
		return -1;
	ticket = protocol == IPPROTO_UDP ? bpf_get_socket_cookie(ctx) * 0x9e3779b1u >> 8
					 : bpf_get_prandom_u32();
	slot = handler_draw(rule, ticket);
	for (i = 0; i < REDIRECT_CHOICES_MAX; i++, slot++) {
		if (i >= override->nr_choices)
			break;
		if (slot >= override->nr_choices)
			slot = 0;
		index = override->choices[slot & (REDIRECT_CHOICES_MAX - 1)].handler;
		if (handler_alive(ctx, index, protocol))
			return index;
	}
	return -1;
}

/*
 * Where a connect can go nowhere else, the kernel is about to look for the listening socket
 * anyway, and refuses without one: only what "override watch" has found is asked here.
 */
static __always_inline bool may_answer(struct bpf_sock_addr *ctx, const struct call *call,
				       const struct override_value *override,
				       const struct handler_value *handler)
{
	if (override->policy == REDIRECT_LOCAL && call->key.protocol == IPPROTO_TCP)
		return is_over(handler->down_until);
	return is_alive(ctx, call->key.protocol, handler);
}

/* The handler of @override to go to, and its index; NULL if none is alive. */
static __always_inline void choose(struct bpf_sock_addr *ctx, const struct call *call,
				   const struct override_value *override,
				   const struct handler_value **handler, __u32 *index)
{
	if (override->nr_choices != 1) {
		*index = handler_choose(ctx, call->rule, call->key.protocol);
		*handler = bpf_map_lookup_elem(&handlers, index);
		return;
	}
	*index = override->choices[0].handler;
	*handler = bpf_map_lookup_elem(&handlers, index);
	if (*handler && !may_answer(ctx, call, override, *handler))
		*handler = NULL;
}

enum verdict {
	TO_HANDLER, TO_CLOUD, TO_NOWHERE
};

/* What the policy of the rule that was found says; counts and reports it. */
static __always_inline enum verdict decide(struct bpf_sock_addr *ctx, struct call *call,
					   const struct handler_value **handler, __u32 *index)
{
	const struct override_value *override;
	__u32 rule = call->rule;

	*handler = NULL;
	override = bpf_map_lookup_elem(&overrides, &rule);
	if (!override)
		return TO_CLOUD;
	call->epoch = override->epoch;
	if (override->policy == REDIRECT_BLOCK) {
		count(rule, COUNTER(denied));
		report(ctx, call, REDIRECT_DENIED);
		return TO_NOWHERE;
	}
	if (override->policy != REDIRECT_PREFER_CLOUD || !is_over(override->cloud_down_until))
		choose(ctx, call, override, handler, index);
	if (*handler) {
		count(rule, COUNTER(redirected));
		return TO_HANDLER;
	}
	if (override->policy == REDIRECT_LOCAL) {
		count(rule, COUNTER(no_handler));
		report(ctx, call, REDIRECT_NO_HANDLER);
		return TO_NOWHERE;
	}
	count(rule, COUNTER(fell_through));
	/* With prefer-cloud that is how it should be: no event. */
	if (override->policy == REDIRECT_PREFER_LOCAL)
		report(ctx, call, REDIRECT_FELL_THROUGH);
	return TO_CLOUD;
}

#endif /* COPPICE_BPF_RULES_H */
