// SPDX-License-Identifier: GPL-2.0
/*
 * The same for sockets of a path (AF_UNIX), on kernels that have the hooks: 6.7 and later.
 * In an object of its own, because others cannot even load it.
 *
 * What is looked up is the text of the path as the task gives it: a relative one, or
 * one through a symbolic link, is another text. Abstract names are left alone.
 *
 * There is no program for getpeername(): the kernel runs those of the peer's cgroup, which is
 * the handler's. Tasks are shown the handler's path by it.
 */
#include "rules.h"

char _license[] SEC("license") = "GPL";

/* Of the running kernel, as far as it is read here. */
struct sockaddr;
struct bpf_sock_addr_kern {
	struct sockaddr *uaddr;
	__u32 uaddrlen;
} __attribute__((preserve_access_index));

void *bpf_cast_to_kern_ctx(void *ctx) __ksym;
int bpf_sock_addr_set_sun_path(struct bpf_sock_addr_kern *ctx, const __u8 *sun_path,
			       __u32 sun_path__sz) __ksym;

#define PATH_OFFSET	2	/* of sun_path */

struct path {
	char text[REDIRECT_PATH + 4];	/* zero behind it */
	__u64 hash[2];
};

/* Must be endpoint_hash_path(). Returns the length, 0 for none or an abstract name. */
__noinline int hash_path(struct path *path)
{
	__u64 sum0 = 0xcbf29ce484222325, sum1 = 0x84222325cbf29ce4;
	int len = 0, i;
	__u8 c;

	if (!path)
		return 0;
	for (i = 0; i < REDIRECT_PATH; i++) {
		c = path->text[i];
		if (!c)
			break;
		sum0 = (sum0 ^ c) * 0x100000001b3;
		sum1 = (sum1 ^ c ^ sum0 >> 32) * 0x100000001b3;
		len = i + 1;
	}
	path->hash[0] = sum0;
	path->hash[1] = sum1;
	return len;
}

/* The path in the context; false if it has none. */
static __always_inline bool read_path(struct bpf_sock_addr_kern *kern, struct path *path)
{
	/* Of 64 bits, so that what is compared is what is passed. */
	__u64 len = kern->uaddrlen;

	barrier_var(len);
	if (!kern->uaddr || len <= PATH_OFFSET || len > PATH_OFFSET + REDIRECT_PATH)
		return false;
	len -= PATH_OFFSET;
	if (bpf_probe_read_kernel(path->text, len, (const char *)kern->uaddr + PATH_OFFSET))
		return false;
	return hash_path(path);
}

static __always_inline int write_path(struct bpf_sock_addr_kern *kern,
				      const struct path_value *path, __u32 more)
{
	/* Of 64 bits, so that what is compared is what is passed. */
	__u64 len = path->len + more;

	barrier_var(len);
	if (!len || len > REDIRECT_PATH)
		return -1;
	return bpf_sock_addr_set_sun_path(kern, (const __u8 *)path->path, len);
}

static __always_inline void remember(struct bpf_sock_addr *ctx, const struct call *call,
				     const struct path *path, const struct handler_value *handler)
{
	struct unix_origin_value *asked;

	if (!ctx->sk)
		return;
	asked = bpf_sk_storage_get(&unix_origin, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!asked)
		return;
	__builtin_memcpy(asked->peer, handler->address, sizeof(asked->peer));
	/* A group further down has said what the task itself asked for. */
	if (asked->group && asked->group != call->group)
		return;
	asked->rule = call->rule;
	__builtin_memcpy(asked->asked, path->text, sizeof(asked->asked));
	asked->group = call->group;
}

static __always_inline int leave(struct bpf_sock_addr *ctx, const struct call *call)
{
	struct unix_origin_value *asked;

	if (!ctx->sk)
		return ALLOW;
	asked = bpf_sk_storage_get(&unix_origin, ctx->sk, NULL, 0);
	if (asked && asked->group == call->group)
		asked->group = 0;
	return ALLOW;
}

static __always_inline int way_out(struct bpf_sock_addr *ctx)
{
	struct bpf_sock_addr_kern *kern = bpf_cast_to_kern_ctx(ctx);
	const struct handler_value *handler;
	const struct path_value *to;
	struct call call = { .key.family = AF_UNIX };
	struct path path = {};
	__u32 index;

	call.group = current_group();
	if (!call.group || !read_path(kern, &path))
		return ALLOW;
	call.set = active_set();
	__builtin_memcpy(call.key.address, path.hash, sizeof(path.hash));
	if (!rule_find(&call, PORTS_UNIX))
		return leave(ctx, &call);
	switch (decide(ctx, &call, &handler, &index)) {
	case TO_HANDLER:
		to = bpf_map_lookup_elem(&paths, &index);
		if (!handler || !to || write_path(kern, to, 0))
			return refuse();
		remember(ctx, &call, &path, handler);
		return ALLOW;
	case TO_CLOUD:
		return leave(ctx, &call);
	default:
		leave(ctx, &call);
		return refuse();
	}
}

SEC("cgroup/connect_unix")
int coppice_connun(struct bpf_sock_addr *ctx)
{
	return way_out(ctx);
}

SEC("cgroup/sendmsg_unix")
int coppice_sendun(struct bpf_sock_addr *ctx)
{
	return way_out(ctx);
}

static __always_inline bool same_hash(const __u8 *left, const __u64 *right)
{
	const __u32 *a = (const __u32 *)left, *b = (const __u32 *)right;

	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

/* What the task asked for, in place of the handler that answers. */
SEC("cgroup/recvmsg_unix")
int coppice_recvun(struct bpf_sock_addr *ctx)
{
	struct bpf_sock_addr_kern *kern = bpf_cast_to_kern_ctx(ctx);
	const struct unix_origin_value *asked;
	struct path path = {}, first = {};
	int len;

	if (!ctx->sk)
		return ALLOW;
	asked = bpf_sk_storage_get(&unix_origin, ctx->sk, NULL, 0);
	if (!asked || !asked->group || !read_path(kern, &path))
		return ALLOW;
	if (!same_hash(asked->peer, path.hash))
		return ALLOW;
	__builtin_memcpy(first.text, asked->asked, REDIRECT_PATH);
	len = hash_path(&first) + 1;
	if (len < 2 || len > REDIRECT_PATH)
		return ALLOW;
	bpf_sock_addr_set_sun_path(kern, (const __u8 *)first.text, len);
	return ALLOW;
}
