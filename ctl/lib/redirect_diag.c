// SPDX-License-Identifier: GPL-2.0
/* Sockets of this network namespace, by sock_diag. */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "redirect_diag.h"

#define BUFFER 65536

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 diag;
	struct {
		struct rtattr outer, inner;
		__u32 map;
	} storage;
};

static int open_diag(struct error *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		error_set(err, errno, "the kernel does not show its sockets: %s: it needs CONFIG_INET_DIAG",
			  strerror(errno));
	return fd;
}

static int send_dump(int fd, const struct diag_query *query, __u8 family, struct error *err)
{
	bool with_kept = query->kept >= 0;
	struct request request = {
		.header = {
			.nlmsg_len = with_kept ? sizeof(request)
					       : NLMSG_LENGTH(sizeof(request.diag)),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.diag = {
			.sdiag_family = family,
			.sdiag_protocol = query->protocol,
			.idiag_states = query->states,
			.id = { .idiag_sport = htons(query->port) },
		},
		.storage = {
			.outer = { sizeof(request.storage), INET_DIAG_REQ_SK_BPF_STORAGES | NLA_F_NESTED },
			.inner = { sizeof(request.storage) - sizeof(struct rtattr),
				   SK_DIAG_BPF_STORAGE_REQ_MAP_FD },
			.map = query->kept,
		},
	};

	if (send(fd, &request, request.header.nlmsg_len, 0) == (ssize_t)request.header.nlmsg_len)
		return 0;
	return error_set(err, errno, "sockets cannot be asked for: %s", strerror(errno));
}

static const struct rtattr *find_attr(const void *data, int len, unsigned short type)
{
	const struct rtattr *attr = data;

	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len))
		if ((attr->rta_type & ~NLA_F_NESTED) == type)
			return attr;
	return NULL;
}

static const struct rtattr *find_in(const struct rtattr *attr, unsigned short type)
{
	return attr ? find_attr(RTA_DATA(attr), RTA_PAYLOAD(attr), type) : NULL;
}

static void read_socket(const struct nlmsghdr *header, __u8 protocol,
			struct diag_socket *socket, struct origin_value *kept)
{
	const struct inet_diag_msg *message = NLMSG_DATA(header);
	int len = header->nlmsg_len - NLMSG_LENGTH(sizeof(*message));
	const struct rtattr *attr;

	*socket = (struct diag_socket){
		.family = message->idiag_family,
		.protocol = protocol,
		.id = message->id,
		.cookie = (__u64)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0],
	};
	attr = find_attr(message + 1, len, INET_DIAG_CGROUP_ID);
	if (attr)
		memcpy(&socket->cgroup, RTA_DATA(attr), sizeof(socket->cgroup));
	attr = find_attr(message + 1, len, INET_DIAG_SK_BPF_STORAGES);
	attr = find_in(find_in(attr, SK_DIAG_BPF_STORAGE), SK_DIAG_BPF_STORAGE_MAP_VALUE);
	if (attr && RTA_PAYLOAD(attr) >= sizeof(*kept)) {
		memcpy(kept, RTA_DATA(attr), sizeof(*kept));
		socket->kept = kept;
	}
}

/* One datagram of answers: 1 if the dump goes on, 0 at its end, or what @fn says. */
static int read_answers(const struct nlmsghdr *header, int len, __u8 protocol, diag_fn fn,
			void *data, bool *more, struct error *err)
{
	struct diag_socket socket;
	struct origin_value kept;
	int result = 0;

	for (; NLMSG_OK(header, len) && !result && *more; header = NLMSG_NEXT(header, len)) {
		if (header->nlmsg_type == NLMSG_DONE) {
			*more = false;
		} else if (header->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *refusal = NLMSG_DATA(header);

			return error_set(err, -refusal->error, "the kernel does not show its sockets: %s: it needs CONFIG_INET_DIAG and CONFIG_INET_UDP_DIAG",
					 strerror(-refusal->error));
		} else {
			read_socket(header, protocol, &socket, &kept);
			result = fn(&socket, data);
		}
	}
	return result;
}

static int dump_family(const struct diag_query *query, __u8 family, diag_fn fn, void *data,
		       struct error *err)
{
	autofree char *buffer = malloc(BUFFER);
	autoclose int fd = open_diag(err);
	bool more = true;
	int result = 0;
	ssize_t len;

	if (!buffer)
		return error_set(err, ENOMEM, "out of memory");
	if (fd < 0 || send_dump(fd, query, family, err))
		return -1;
	while (more && !result) {
		len = recv(fd, buffer, BUFFER, 0);
		if (len <= 0)
			return error_set(err, errno, "sockets cannot be read: %s", strerror(errno));
		result = read_answers((struct nlmsghdr *)buffer, len, query->protocol, fn, data,
				      &more, err);
	}
	return result;
}

int diag_each(const struct diag_query *query, diag_fn fn, void *data, struct error *err)
{
	return dump_family(query, AF_INET, fn, data, err) ?:
	       dump_family(query, AF_INET6, fn, data, err);
}

int diag_destroy(const struct diag_socket *socket, struct error *err)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 diag;
	} request = {
		.header = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = SOCK_DESTROY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
		.diag = {
			.sdiag_family = socket->family,
			.sdiag_protocol = socket->protocol,
			.id = socket->id,
		},
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[256];
	} answer = {};
	autoclose int fd = open_diag(err);

	if (fd < 0)
		return -1;
	if (send(fd, &request, sizeof(request), 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		return error_set(err, errno, "a connection cannot be reset: %s", strerror(errno));
	/* It may have ended by itself. */
	if (!answer.error.error || answer.error.error == -ENOENT)
		return 0;
	return error_set(err, -answer.error.error, "a connection cannot be reset: %s: it needs CONFIG_INET_DIAG_DESTROY",
			 strerror(-answer.error.error));
}

void diag_address(__u8 family, const __be32 from[4], __u8 to[16])
{
	if (family == AF_INET6) {
		memcpy(to, from, 16);
		return;
	}
	memset(to, 0, 10);
	memset(to + 10, 0xff, 2);
	memcpy(to + 12, from, 4);
}
