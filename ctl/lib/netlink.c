// SPDX-License-Identifier: GPL-2.0
/* Generic netlink family "coppice"; see Documentation/netlink/specs/coppice.yaml. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/coppice.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "netlink.h"

/* The highest attribute number of any set. */
#define ATTR_MAX ((int)COPPICE_A_TASK_MAX)
_Static_assert((int)COPPICE_A_IMAGE_MAX <= ATTR_MAX && (int)COPPICE_A_GROUP_MAX <= ATTR_MAX &&
	       (int)COPPICE_A_STATUS_MAX <= ATTR_MAX, "ATTR_MAX is the largest set's");

/* What the callbacks of one exchange share. */
struct exchange {
	netlink_fn fn;
	void *data;
	struct error *err;
	bool failed;		/* err is set */
	bool done;		/* acknowledged, or the end of a dump */
};

static int out_of_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory");
}

/* Ask for sentences with refusals, and for no copy of the request. */
static void set_options(struct nl_sock *sock)
{
	int fd = nl_socket_get_fd(sock), one = 1;

	/* Neither can fail on kernels that the module supports; without them texts are poorer. */
	(void)!setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)!setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
}

static int resolve(struct netlink *netlink, struct error *err)
{
	netlink->family = genl_ctrl_resolve(netlink->sock, COPPICE_FAMILY_NAME);
	if (netlink->family >= 0)
		return 0;
	if (!access("/sys/module/coppice", F_OK))
		return error_set(err, ENOENT, "the module is loaded, but its netlink family cannot be reached: run coppice in the initial network namespace");
	return error_set(err, ENOENT, "the module coppice is not loaded: load it with insmod or modprobe, or use --backend memfd");
}

int netlink_open(struct netlink *netlink, struct error *err)
{
	netlink->sock = nl_socket_alloc();
	if (!netlink->sock)
		return out_of_memory(err);
	if (genl_connect(netlink->sock)) {
		error_set(err, errno, "generic netlink cannot be reached: %s", strerror(errno));
		netlink_close(netlink);
		return -1;
	}
	set_options(netlink->sock);
	/* A dump's messages may be larger than a page. */
	nl_socket_set_msg_buf_size(netlink->sock, 64 * 1024);
	if (!resolve(netlink, err))
		return 0;
	netlink_close(netlink);
	return -1;
}

void netlink_close(struct netlink *netlink)
{
	nl_socket_free(netlink->sock);
	netlink->sock = NULL;
}

struct nl_msg *netlink_request(const struct netlink *netlink, uint8_t cmd, int flags,
			       struct error *err)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, netlink->family, 0,
			       flags | (flags & NLM_F_DUMP ? 0 : NLM_F_ACK), cmd,
			       COPPICE_FAMILY_VERSION))
		return msg;
	nlmsg_free(msg);
	out_of_memory(err);
	return NULL;
}

/* A policy's refusal has no sentence, but says which byte of the request is at fault. */
static void offset_append(unsigned int offset, struct error *err)
{
	size_t len = strlen(err->text);

	snprintf(err->text + len, sizeof(err->text) - len,
		 " (attribute at byte %u of the request)", offset);
}

/* What an extended acknowledgement says: attributes in @len bytes at @data. */
static void decode_extack(void *data, int len, int code, struct error *err)
{
	struct nlattr *attrs[NLMSGERR_ATTR_MISS_TYPE + 1] = {};
	const char *text = NULL;

	if (len > 0 && !nla_parse(attrs, NLMSGERR_ATTR_MISS_TYPE, data, len, NULL) &&
	    attrs[NLMSGERR_ATTR_MSG])
		text = nla_get_string(attrs[NLMSGERR_ATTR_MSG]);
	/* Every sentence is whole by itself. */
	if (text)
		error_set(err, code, "%s", text);
	else if (attrs[NLMSGERR_ATTR_MISS_TYPE])
		error_set(err, code, "the module misses attribute %u of the request: use a controller and a module of one version",
			  nla_get_u32(attrs[NLMSGERR_ATTR_MISS_TYPE]));
	else if (code == EPERM)
		error_set(err, code, "the module refuses: Coppice is controlled with CAP_SYS_ADMIN: run as root");
	else
		error_set(err, code, "the module refuses: %s", strerror(code));
	if (attrs[NLMSGERR_ATTR_OFFS] && !text)
		offset_append(nla_get_u32(attrs[NLMSGERR_ATTR_OFFS]), err);
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *nlerr, void *arg)
{
	struct nlmsghdr *header = (struct nlmsghdr *)((char *)nlerr - NLMSG_HDRLEN);
	struct exchange *exchange = arg;
	int skip = sizeof(*nlerr);

	(void)from;
	/* Without NETLINK_CAP_ACK the whole request comes before the attributes. */
	if (!(header->nlmsg_flags & NLM_F_CAPPED))
		skip += nlerr->msg.nlmsg_len - NLMSG_HDRLEN;
	skip = NLMSG_ALIGN(skip);
	decode_extack((char *)nlerr + skip, header->nlmsg_flags & NLM_F_ACK_TLVS ?
		      nlmsg_datalen(header) - skip : 0, -nlerr->error, exchange->err);
	exchange->failed = true;
	exchange->done = true;
	return NL_STOP;
}

/* A dump ends with a number, negative if it failed, and attributes as above. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(msg);
	struct exchange *exchange = arg;
	int code = 0;

	exchange->done = true;
	if (nlmsg_datalen(header) >= (int)sizeof(code))
		memcpy(&code, nlmsg_data(header), sizeof(code));
	if (code >= 0)
		return NL_OK;
	decode_extack((char *)nlmsg_data(header) + NLMSG_ALIGN(sizeof(code)),
		      nlmsg_datalen(header) - NLMSG_ALIGN(sizeof(code)), -code, exchange->err);
	exchange->failed = true;
	return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct exchange *exchange = arg;

	(void)msg;
	exchange->done = true;
	return NL_STOP;
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[ATTR_MAX + 1];
	struct exchange *exchange = arg;
	uint8_t cmd = genlmsg_hdr(nlmsg_hdr(msg))->cmd;

	if (!exchange->fn || exchange->failed)
		return NL_OK;
	if (genlmsg_parse(nlmsg_hdr(msg), 0, attrs, ATTR_MAX, NULL)) {
		error_set(exchange->err, EPROTO, "the module's answer cannot be understood: use a controller and a module of one version");
		exchange->failed = true;
	} else if (exchange->fn(cmd, attrs, exchange->data, exchange->err)) {
		exchange->failed = true;
	}
	return NL_OK;
}

static struct nl_cb *callbacks(struct exchange *exchange)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (!cb)
		return NULL;
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, exchange);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, exchange);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, exchange);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, exchange);
	return cb;
}

/* Until acknowledged. An inconsistent dump is read to its end first. */
static int receive(struct netlink *netlink, struct exchange *exchange)
{
	struct nl_cb *cb = callbacks(exchange);
	bool inconsistent = false;
	int ret;

	if (!cb)
		return out_of_memory(exchange->err);
	while (!exchange->done) {
		ret = nl_recvmsgs(netlink->sock, cb);
		if (ret == -NLE_DUMP_INTR)
			inconsistent = true;
		else if (ret < 0 && !exchange->failed)
			exchange->failed = error_set(exchange->err, EIO, "the module's answer cannot be received: %s",
						     nl_geterror(ret));
		if (ret < 0)
			break;
	}
	nl_cb_put(cb);
	return exchange->failed ? -1 : inconsistent;
}

int netlink_call(struct netlink *netlink, struct nl_msg *msg, netlink_fn fn, void *data,
		 struct error *err)
{
	struct exchange exchange = { .fn = fn, .data = data, .err = err };
	int ret = nl_send_auto(netlink->sock, msg);

	nlmsg_free(msg);
	if (ret < 0)
		error_set(err, EIO, "the request cannot be sent to the module: %s",
			  nl_geterror(ret));
	else
		ret = receive(netlink, &exchange);
	/* The next request would wait for this one's answer, or take it for its own. */
	if (!exchange.done)
		netlink_close(netlink);
	return ret < 0 ? -1 : ret;
}

/* Events answer no request: they have no number to check. */
static int on_sequence(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

int netlink_events(struct netlink *netlink, netlink_fn fn, void *data, struct error *err)
{
	struct exchange exchange = { .fn = fn, .data = data, .err = err };
	int group = genl_ctrl_resolve_grp(netlink->sock, COPPICE_FAMILY_NAME,
					  COPPICE_MCGRP_EVENTS);
	struct nl_cb *cb;
	int ret = 0;

	if (group < 0 || nl_socket_add_membership(netlink->sock, group))
		return error_set(err, EPERM, "the module's events cannot be subscribed to: run as root");
	cb = callbacks(&exchange);
	if (!cb)
		return out_of_memory(err);
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_sequence, NULL);
	while (!exchange.failed && ret >= 0)
		ret = nl_recvmsgs(netlink->sock, cb);
	nl_cb_put(cb);
	if (exchange.failed)
		return -1;
	if (ret == -NLE_NOMEM)
		return error_set(err, ENOBUFS, "events came faster than they were read and some were lost: start monitor again");
	return error_set(err, EIO, "events cannot be received: %s", nl_geterror(ret));
}
