/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Overrides of socket endpoints: the eBPF programs of bpf/redirect*.bpf.c, their
 * pinned maps and links. The pins are the state: nothing is kept elsewhere, so
 * the controller may exit or be killed at any moment and redirects stay.
 */
#ifndef COPPICE_REDIRECT_H
#define COPPICE_REDIRECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "coppice/redirect.h"
#include "error.h"

#define REDIRECT_TEXT_MAX 160	/* "any:[2001:db8::/32]:1-65535", "unix:/run/…" and the like */

/* In place of a group: overrides that hold for every group, after its own. */
#define REDIRECT_HUB_NAME "@hub"

/*
 * What a task talks to. Text form [PROTOCOL:]ADDR[/LEN]:PORT[-PORT], [ADDR6[/LEN]] for
 * IPv6, PORT "*" = any, PROTOCOL tcp (if none is given), udp or any; or unix:PATH. Made
 * by endpoint_parse() or filled in; unused bytes are zero.
 */
struct endpoint {
	sa_family_t family;	/* AF_INET, AF_INET6, AF_UNIX; 0: none */
	uint8_t address[16];	/* network order, 4 or 16 bytes used */
	uint8_t prefixlen;
	uint8_t protocol;	/* IPPROTO_TCP, IPPROTO_UDP; 0: both */
	uint16_t port;		/* host order, the first of a range; 0: any (endpoints only) */
	uint16_t last;		/* the last of a range; equal to port, or 0, where there is none */
	char path[REDIRECT_PATH];
};

struct handler {
	struct endpoint address;	/* one address and port; prefixlen is full */
	unsigned int weight;		/* among the handlers of its override; 0 counts as 1 */
};

/*
 * One override. With names, @endpoint and @also are what the name was given in the two
 * families, and @label is the name: what people are shown in place of an address.
 */
struct override {
	struct endpoint endpoint;
	struct endpoint also;		/* or family 0 */
	struct handler handlers[REDIRECT_CHOICES_MAX];
	size_t nr_handlers;		/* none with REDIRECT_BLOCK */
	enum redirect_policy policy;
	enum redirect_kind kind;
	char label[REDIRECT_LABEL];	/* "" or a host name or wildcard, without a port */
};

struct override_info {
	char group[REDIRECT_GROUP_NAME];	/* or REDIRECT_HUB_NAME */
	struct override override;
	uint32_t rule;				/* its number in the maps */
	bool down[REDIRECT_CHOICES_MAX];	/* handlers that a prober found down */
	bool cloud_down;
	uint32_t open;				/* sockets that are connected by it now */
	struct stats_value stats;
};

int __must_check endpoint_parse(const char *text, struct endpoint *endpoint, struct error *err);
int __must_check handler_parse(const char *text, struct endpoint *handler, struct error *err);
/* "tcp:", "udp:", "any:" in front of @text, which is moved behind it; without, TCP. */
uint8_t endpoint_parse_protocol(const char **text);
/* The part behind the last colon: "443", "1000-1999", "*". @whole is for the refusal. */
int __must_check endpoint_parse_ports(const char *ports, const char *whole,
				      struct endpoint *endpoint, struct error *err);
void endpoint_format(const struct endpoint *endpoint, char text[REDIRECT_TEXT_MAX]);
/* The endpoint, by its label if it has one. */
void override_format(const struct override *override, char text[REDIRECT_TEXT_MAX + REDIRECT_LABEL]);
/* Two notations of one thing? */
bool endpoint_same(const struct endpoint *a, const struct endpoint *b);
/* An address of the Internet and its port, for connect(). */
socklen_t endpoint_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *to);

/* "local", "prefer-local", "prefer-cloud", "block". */
extern const char *const redirect_policies[NR_REDIRECT_POLICIES];
int __must_check policy_of_override(const char *text, enum redirect_policy *policy,
				    struct error *err);

/* Attach the programs to a group's cgroup (path in the file system), pinning the links; idempotent. */
int __must_check redirect_attach(const char *group, const char *cgroup_path, struct error *err);
/* Remove the rules and links of the group, or the hub's rules; no error if there are none. */
int __must_check redirect_detach(const char *group, struct error *err);
/* Have a group's programs been attached, and not taken away since, by a reboot say? */
bool redirect_is_attached(const char *group);
/* Make the maps, for rules of REDIRECT_HUB_NAME when no group has any yet; idempotent. */
int __must_check redirect_prepare(struct error *err);

/* Can this be in force? All that change rules ask; nothing is looked up. */
int __must_check redirect_check(const struct override *override, struct error *err);

/*
 * One transaction each, in force as a whole when the call returns: every connect sees the
 * old rules or the new ones. The group must be attached. An endpoint that the group has
 * already, or that is given twice, is refused, and then nothing has changed.
 *
 * Of connections that are open, those of rules that are gone or different stay as they
 * are, or are reset.
 */
enum redirect_connections { REDIRECT_KEEP, REDIRECT_RESET };

int __must_check redirect_add_all(const char *group, const struct override *overrides,
				  size_t nr, struct error *err);
/*
 * Replace those of one kind; those that stay the same keep their statistics. With EINPROGRESS in
 * @err the change is in force, but connections that it was to end may be open still.
 */
int __must_check redirect_replace(const char *group, enum redirect_kind kind,
				  const struct override *overrides, size_t nr,
				  enum redirect_connections connections, struct error *err);
int __must_check redirect_delete(const char *group, const struct endpoint *endpoint,
				 enum redirect_connections connections, struct error *err);
/* One endpoint, one handler. */
int __must_check redirect_add(const char *group, const struct endpoint *endpoint,
			      const struct endpoint *handler, struct error *err);

/*
 * DNS of a group: UDP and TCP to port 53 of any address goes to the responder, which
 * listens at both; NULL, NULL: no more. A rule of the group for port 53 of a certain address
 * is more specific and wins.
 */
int __must_check redirect_set_dns(const char *group, const struct endpoint *responder4,
				  const struct endpoint *responder6, struct error *err);

/*
 * Addresses that names were given. A rule is for @alias, the address in its endpoint (or
 * @also): the same for a host name, that of the wildcard for a host that matches one. A
 * task that asks for @address and is let through goes to @real4 or @real6 (family 0: not
 * known; then it is refused). They are in force at once, without a new rule set. An address that
 * has no name (any more) is looked up as it is.
 */
struct redirect_name {
	struct endpoint address;
	struct endpoint alias;
	struct endpoint real4, real6;
};

int __must_check redirect_name_set(const char *group, const struct redirect_name *name,
				   struct error *err);
int __must_check redirect_name_set_all(const char *group, const struct redirect_name *names,
				       size_t nr, struct error *err);
/* No error if there is none. */
int __must_check redirect_name_delete(const char *group, const struct endpoint *address,
				      struct error *err);

/*
 * What the task at the other end of a handler's connection or datagram asked for: @source
 * is the address that the handler sees, @handler its own. In the handler's network namespace.
 */
struct redirect_origin {
	struct endpoint asked;
	char group[REDIRECT_GROUP_NAME];
	pid_t pid;		/* that connected, or sent first */
	uint32_t rule;
	uint64_t cookie;	/* of the task's socket */
};

int __must_check redirect_origin(uint8_t protocol, const struct endpoint *source,
				 const struct endpoint *handler, struct redirect_origin *origin,
				 struct error *err);

/* Refuse handlers that listen in the group's own cgroup: they would call themselves. */
int __must_check redirect_check_loop(const char *cgroup_path, const struct override *override,
				     struct error *err);

typedef int (*override_fn)(const struct override_info *info, void *data);
/* group == NULL: all groups. Sorted; a non-zero result of @fn ends it and is returned. */
int __must_check redirect_each(const char *group, override_fn fn, void *data, struct error *err);
/* 1: the group has overrides; 0: it has none; -1 with err set. */
int __must_check redirect_any(const char *group, struct error *err);

/*
 * Effective state for `status`: is every program of the group attached in the kernel? A
 * cgroup that does not exist (any more) has none attached; that is no error.
 */
int __must_check redirect_verify(const char *group, const char *cgroup_path,
				 bool *attached, struct error *err);

/*
 * A container: a cgroup elsewhere whose tasks have the overrides of @group, which has programs
 * attached, too, until it is detached or goes, or the group does. @id is of the container.
 */
#define REDIRECT_CONTAINER	160	/* of its id, with the zero byte */
int __must_check redirect_check_container(const char *id, struct error *err);
int __must_check redirect_attach_container(const char *group, const char *id,
					   const char *cgroup_path, struct error *err);
/* No error if it is not attached. */
int __must_check redirect_detach_container(const char *group, const char *id, struct error *err);

/* What the kernel has at one hook of a group's cgroup. */
struct redirect_hook {
	const char *name;	/* "connect4" */
	uint32_t program;	/* id of ours, 0: none is effective */
	unsigned int before, after;	/* effective programs of others that run before and after it */
};

typedef int (*hook_fn)(const struct redirect_hook *hook, void *data);
/*
 * Of the cgroup of @at_path, which is the group's or below it, in the order in which they are
 * attached; a non-zero result of @fn ends it and is returned.
 */
int __must_check redirect_hooks(const char *group, const char *cgroup_path, const char *at_path,
				hook_fn fn, void *data, struct error *err);

/* What no rule of the group was for; events that were lost, of the hub. */
struct redirect_totals {
	uint64_t missed, events_lost;
};

int __must_check redirect_totals(const char *group, struct redirect_totals *totals,
				 struct error *err);

/*
 * Probing and events: see redirect_watch.c.
 */
struct redirect_news {
	const char *event;	/* "fell-through", "denied", "no-handler", "handler-down", … */
	char group[REDIRECT_GROUP_NAME];	/* "" with handlers: they are the hub's */
	struct endpoint endpoint;	/* asked for, or the handler */
	pid_t pid;			/* 0 with handlers */
};

struct redirect_watch {
	unsigned int interval;	/* between two rounds of probes, in ms */
	unsigned int failures;	/* in a row that make a handler down */
	unsigned int successes;	/* in a row that make it up */
	const char *check;	/* command to be run for each handler instead of a connect, or NULL */
	int (*tell)(const struct redirect_news *news, void *data);
	void *data;
};

/* Until @watch.tell() says so by a non-zero result, which is returned, or an error. */
int __must_check redirect_watch(const struct redirect_watch *watch, struct error *err);

#endif /* COPPICE_REDIRECT_H */
