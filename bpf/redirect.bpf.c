// SPDX-License-Identifier: GPL-2.0
/*
 * Redirect sockets of a group's tasks from an endpoint to a local handler.
 *
 * connect4/6 and, for datagrams of sockets that are not connected, sendmsg4/6
 * rewrite the destination before the kernel looks at it, so nothing is done per
 * byte, and an endpoint needs no route. getpeername4/6 and recvmsg4/6 give the task
 * the address that it asked for; sock_release forgets it.
 *
 * The programs run for the cgroup in which the *socket* was made, and for all
 * cgroups below the one they are attached to. The group is therefore read from
 * the storage of the attachment, not derived from the current task.
 *
 * All addresses here are IPv6 ones, with IPv4 as ::ffff:a.b.c.d: an IPv6 socket may ask for
 * an IPv4 endpoint by either hook, and be answered through the other.
 */
#include "rules.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif

char _license[] SEC("license") = "GPL";

/* False on a kernel without MPTCP, whose verifier does not know the helper's type. */
const volatile bool has_mptcp = true;

struct address {
	__u32 word[4];
};

/* IPPROTO_TCP, IPPROTO_UDP, or 0: nothing that an endpoint speaks. */
static __always_inline __u8 protocol_of(const struct bpf_sock_addr *ctx)
{
	if (ctx->protocol == IPPROTO_TCP || ctx->protocol == IPPROTO_MPTCP)
		return IPPROTO_TCP;
	return ctx->protocol == IPPROTO_UDP ? IPPROTO_UDP : 0;
}

static __always_inline bool is_mapped(const struct address *address)
{
	return !address->word[0] && !address->word[1] &&
	       address->word[2] == bpf_htonl(0xffff);
}

static __always_inline void set_mapped(struct address *address, __u32 address4)
{
	address->word[0] = 0;
	address->word[1] = 0;
	address->word[2] = bpf_htonl(0xffff);
	address->word[3] = address4;
}

static __always_inline bool same_address(const __u8 *left, const struct address *right)
{
	const __u32 *word = (const __u32 *)left;

	return word[0] == right->word[0] && word[1] == right->word[1] &&
	       word[2] == right->word[2] && word[3] == right->word[3];
}

/*
 * The context may only be accessed at constant offsets. Four statements instead of
 * a loop keep the compiler from computing a pointer into it.
 */
static __always_inline void ctx_read(const struct bpf_sock_addr *ctx, bool is_ipv6,
				     struct address *address)
{
	if (!is_ipv6) {
		set_mapped(address, ctx->user_ip4);
		return;
	}
	address->word[0] = ctx->user_ip6[0];
	address->word[1] = ctx->user_ip6[1];
	address->word[2] = ctx->user_ip6[2];
	address->word[3] = ctx->user_ip6[3];
}

static __always_inline void ctx_write(struct bpf_sock_addr *ctx, bool is_ipv6,
				      const struct address *address, __u32 port)
{
	if (is_ipv6) {
		ctx->user_ip6[0] = address->word[0];
		ctx->user_ip6[1] = address->word[1];
		ctx->user_ip6[2] = address->word[2];
		ctx->user_ip6[3] = address->word[3];
	} else {
		ctx->user_ip4 = address->word[3];
	}
	ctx->user_port = bpf_htons(port);
}

/* Where a socket is sent instead. */
struct detour {
	struct address asked, to;
	__u32 asked_port, port;
	__u32 rule;
};

/*
 * The socket that the task holds. With MPTCP the hooks see the first subflow, but
 * getpeername() is asked of the MPTCP socket itself.
 */
static __always_inline struct mptcp_sock *mptcp_of(const struct bpf_sock_addr *ctx)
{
	return has_mptcp && ctx->sk ? bpf_skc_to_mptcp_sock(ctx->sk) : NULL;
}

static __always_inline struct origin_value *origin_kept_get(struct bpf_sock_addr *ctx,
							    __u64 flags)
{
	struct mptcp_sock *msk = mptcp_of(ctx);

	if (msk)
		return bpf_sk_storage_get(&origin_kept, msk, NULL, flags);
	return ctx->sk ? bpf_sk_storage_get(&origin_kept, ctx->sk, NULL, flags) : NULL;
}

static __always_inline struct origin_value *origin_slot(__u64 cookie)
{
	__u32 index = REDIRECT_ORIGIN_INDEX(cookie);

	return bpf_map_lookup_elem(&origin, &index);
}

/* What is recorded of the socket; NULL if nothing is. */
static __always_inline struct origin_value *origin_get(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct origin_value *slot = origin_slot(cookie);

	return slot && slot->cookie == cookie ? slot : origin_kept_get(ctx, 0);
}

/* The same, but with a new and empty record if there was none; NULL without memory. */
static __always_inline struct origin_value *origin_make(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct origin_value *slot = mptcp_of(ctx) ? NULL : origin_slot(cookie);

	if (slot && slot->cookie == cookie)
		return slot;
	if (!slot || __sync_val_compare_and_swap(&slot->cookie, 0, cookie))
		return origin_kept_get(ctx, BPF_SK_STORAGE_GET_F_CREATE);
	slot->group = 0;
	return slot;
}

/*
 * Remember what was asked for. With one group's cgroup above another's, the inner
 * one's programs ran first: what they recorded as asked for stands.
 */
static __always_inline void remember_connect(struct bpf_sock_addr *ctx,
					     const struct call *call,
					     const struct detour *detour)
{
	struct origin_value *asked = origin_make(ctx);

	if (!asked)
		return;
	__builtin_memcpy(asked->peer, &detour->to, sizeof(asked->peer));
	asked->peer_port = detour->port;
	if (asked->group && asked->group != call->group)
		return;
	asked->rule = detour->rule;
	asked->epoch = call->epoch;
	asked->pid = current_pid();
	asked->port = detour->asked_port;
	__builtin_memcpy(asked->address, &detour->asked, sizeof(asked->address));
	asked->group = call->group;
}

static __always_inline struct flow_key make_flow(struct bpf_sock_addr *ctx,
						 const struct address *peer, __u32 port)
{
	struct flow_key key = { .cookie = bpf_get_socket_cookie(ctx), .port = port };

	__builtin_memcpy(key.address, peer, sizeof(key.address));
	return key;
}

static __always_inline void remember_send(struct bpf_sock_addr *ctx,
					  const struct call *call,
					  const struct detour *detour)
{
	struct flow_key inner = make_flow(ctx, &detour->asked, detour->asked_port);
	struct flow_key key = make_flow(ctx, &detour->to, detour->port);
	const struct flow_value *first;
	struct flow_value value = {
		.group = call->group,
		.rule = detour->rule,
		.epoch = call->epoch,
		.pid = current_pid(),
		.port = detour->asked_port,
	};

	__builtin_memcpy(value.address, &detour->asked, sizeof(value.address));
	/* What a group further down has made of it is not what the task asked for. */
	first = bpf_map_lookup_elem(&udp_reverse, &inner);
	if (first && first->group != call->group) {
		value.port = first->port;
		__builtin_memcpy(value.address, first->address, sizeof(value.address));
	}
	/* Most datagrams follow others of their kind. */
	first = bpf_map_lookup_elem(&udp_reverse, &key);
	if (first && first->port == value.port && first->rule == value.rule &&
	    first->epoch == value.epoch &&
	    same_address(first->address, (const struct address *)value.address))
		return;
	bpf_map_update_elem(&udp_reverse, &key, &value, BPF_ANY);
}

/*
 * Nothing is changed. What the socket asked for in an earlier attempt must not be
 * reported any more, unless a group further down has just said so.
 */
static __always_inline int leave(struct bpf_sock_addr *ctx, const struct call *call,
				 const struct detour *detour, bool is_connect)
{
	struct origin_value *asked;
	struct flow_value *flow;
	struct flow_key key;

	if (is_connect) {
		asked = origin_get(ctx);
		if (asked && asked->group == call->group)
			asked->group = 0;
		return ALLOW;
	}
	key = make_flow(ctx, &detour->asked, detour->asked_port);
	flow = bpf_map_lookup_elem(&udp_reverse, &key);
	if (flow && flow->group == call->group)
		bpf_map_delete_elem(&udp_reverse, &key);
	return ALLOW;
}

static __always_inline int divert(struct bpf_sock_addr *ctx, const struct call *call,
				  const struct detour *detour, bool is_ipv6, bool is_connect)
{
	/* The controller refuses other families: an IPv4 socket could not go there. */
	if (!is_ipv6 && !is_mapped(&detour->to))
		return refuse();
	if (is_connect)
		remember_connect(ctx, call, detour);
	else
		remember_send(ctx, call, detour);
	ctx_write(ctx, is_ipv6, &detour->to, detour->port);
	return ALLOW;
}

static __always_inline void set_handler(struct detour *detour,
					const struct handler_value *handler)
{
	if (handler->family == AF_INET)
		set_mapped(&detour->to, *(const __u32 *)handler->address);
	else
		__builtin_memcpy(&detour->to, handler->address, sizeof(detour->to));
	detour->port = handler->port;
}

/* The real address of a name, of a family that the socket can reach. */
static __always_inline bool set_real(struct detour *detour, const struct name_value *name,
				     bool is_ipv6, bool is_connect)
{
	detour->port = detour->asked_port;
	if (is_ipv6 && !is_mapped(&detour->asked)) {
		if (name->real & NAME_REAL6) {
			__builtin_memcpy(&detour->to, name->real6, sizeof(detour->to));
			return true;
		}
		/* A datagram of an IPv6 socket cannot be turned into an IPv4 one. */
		if (!is_connect)
			return false;
	}
	if (!(name->real & NAME_REAL4))
		return false;
	set_mapped(&detour->to, *(const __u32 *)name->real4);
	return true;
}

/* Is the address one that a name was given in this group, or in all? */
static __always_inline const struct name_value *find_name(const struct call *call)
{
	const struct ports_value *known;
	const struct name_value *name;
	struct name_key key = { .family = call->key.family };
	__u32 i;

	__builtin_memcpy(key.address, call->key.address, sizeof(key.address));
	for (i = 0; i < 2; i++) {
		key.group = i ? REDIRECT_HUB : call->group;
		known = ports_of(call->set, key.group);
		if (!known || !(known->flags & PORTS_NAMES))
			continue;
		name = bpf_map_lookup_elem(&names, &key);
		if (name)
			return name;
	}
	return NULL;
}

static __always_inline void set_key(struct call *call, const struct address *asked)
{
	if (is_mapped(asked)) {
		call->key.family = AF_INET;
		__builtin_memcpy(call->key.address, &asked->word[3], 4);
	} else {
		call->key.family = AF_INET6;
		__builtin_memcpy(call->key.address, asked, sizeof(*asked));
	}
}

/* To the cloud: where the socket was going, unless that is only a name's stand-in. */
static __always_inline int to_cloud(struct bpf_sock_addr *ctx, const struct call *call,
				    struct detour *detour, const struct name_value *name,
				    bool is_ipv6, bool is_connect)
{
	if (!name)
		return leave(ctx, call, detour, is_connect);
	if (!set_real(detour, name, is_ipv6, is_connect))
		return refuse();
	detour->rule = REDIRECT_NO_RULE;
	return divert(ctx, call, detour, is_ipv6, is_connect);
}

/* All four ways out. The flags are constants in each. */
static __always_inline int way_out(struct bpf_sock_addr *ctx, bool is_ipv6, bool is_connect)
{
	const struct handler_value *handler;
	struct call call = { .key.protocol = protocol_of(ctx) };
	const struct name_value *name;
	struct detour detour = {};
	__u32 index;

	if (!call.key.protocol || (ctx->sk && ctx->sk->mark == REDIRECT_BYPASS_MARK))
		return ALLOW;
	call.group = current_group();
	if (!call.group)
		return ALLOW;
	call.port = bpf_ntohs(ctx->user_port);
	call.set = active_set();
	ctx_read(ctx, is_ipv6, &detour.asked);
	detour.asked_port = call.port;
	set_key(&call, &detour.asked);
	name = find_name(&call);
	if (name)
		__builtin_memcpy(call.key.address, name->alias, sizeof(name->alias));
	if (!rule_find(&call, call.key.protocol == IPPROTO_TCP ? PORTS_TCP : PORTS_UDP)) {
		count(REDIRECT_STATS_GROUP(call.group), COUNTER(missed));
		return to_cloud(ctx, &call, &detour, name, is_ipv6, is_connect);
	}
	switch (decide(ctx, &call, &handler, &index)) {
	case TO_HANDLER:
		if (!handler)
			return ALLOW;
		set_handler(&detour, handler);
		detour.rule = call.rule;
		return divert(ctx, &call, &detour, is_ipv6, is_connect);
	case TO_CLOUD:
		return to_cloud(ctx, &call, &detour, name, is_ipv6, is_connect);
	default:
		leave(ctx, &call, &detour, is_connect);
		return refuse();
	}
}

/* Names of programs are short, the kernel keeps 15 characters. */
SEC("cgroup/connect4")
int coppice_conn4(struct bpf_sock_addr *ctx)
{
	return way_out(ctx, false, true);
}

SEC("cgroup/connect6")
int coppice_conn6(struct bpf_sock_addr *ctx)
{
	return way_out(ctx, true, true);
}

SEC("cgroup/sendmsg4")
int coppice_send4(struct bpf_sock_addr *ctx)
{
	return way_out(ctx, false, false);
}

SEC("cgroup/sendmsg6")
int coppice_send6(struct bpf_sock_addr *ctx)
{
	return way_out(ctx, true, false);
}

/* What the task asked for on this socket, if a redirect is in force on it. */
static __always_inline const struct origin_value *asked_for(struct bpf_sock_addr *ctx)
{
	const struct origin_value *asked = origin_get(ctx);

	return asked && asked->group ? asked : NULL;
}

static __always_inline int show_peer(struct bpf_sock_addr *ctx, bool is_ipv6)
{
	const struct origin_value *asked = asked_for(ctx);

	if (protocol_of(ctx) && asked)
		ctx_write(ctx, is_ipv6, (const struct address *)asked->address, asked->port);
	return ALLOW;
}

SEC("cgroup/getpeername4")
int coppice_peer4(struct bpf_sock_addr *ctx)
{
	return show_peer(ctx, false);
}

SEC("cgroup/getpeername6")
int coppice_peer6(struct bpf_sock_addr *ctx)
{
	return show_peer(ctx, true);
}

/* The source of a datagram: the endpoint, if it came from where its datagrams are sent. */
static __always_inline int show_source(struct bpf_sock_addr *ctx, bool is_ipv6)
{
	const struct origin_value *asked;
	const struct flow_value *flow;
	__u32 port = bpf_ntohs(ctx->user_port);
	struct address from;
	struct flow_key key;

	if (ctx->protocol != IPPROTO_UDP)
		return ALLOW;
	ctx_read(ctx, is_ipv6, &from);
	asked = asked_for(ctx);
	if (asked && asked->peer_port == port && same_address(asked->peer, &from)) {
		ctx_write(ctx, is_ipv6, (const struct address *)asked->address, asked->port);
		return ALLOW;
	}
	key = make_flow(ctx, &from, port);
	flow = bpf_map_lookup_elem(&udp_reverse, &key);
	if (flow)
		ctx_write(ctx, is_ipv6, (const struct address *)flow->address, flow->port);
	return ALLOW;
}

SEC("cgroup/recvmsg4")
int coppice_recv4(struct bpf_sock_addr *ctx)
{
	return show_source(ctx, false);
}

SEC("cgroup/recvmsg6")
int coppice_recv6(struct bpf_sock_addr *ctx)
{
	return show_source(ctx, true);
}

/* The task has closed the socket: nobody will ask about it any more. */
SEC("cgroup/sock_release")
int coppice_release(struct bpf_sock *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct origin_value *slot = origin_slot(cookie);

	if (slot && slot->cookie == cookie)
		*(volatile __u64 *)&slot->cookie = 0;
	return ALLOW;
}
