// SPDX-License-Identifier: GPL-2.0
/*
 * Overrides of socket endpoints: changing the rules that the attached programs follow.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#include "cleanup.h"
#include "redirect.h"
#include "redirect_groups.h"
#include "redirect_hook.h"
#include "redirect_open.h"
#include "redirect_pins.h"
#include "redirect_table.h"

const char *const redirect_policies[NR_REDIRECT_POLICIES] = {
	[REDIRECT_LOCAL] = "local",
	[REDIRECT_PREFER_LOCAL] = "prefer-local",
	[REDIRECT_PREFER_CLOUD] = "prefer-cloud",
	[REDIRECT_BLOCK] = "block",
};

int policy_of_override(const char *text, enum redirect_policy *policy, struct error *err)
{
	size_t i;

	for (i = 0; i < NR_REDIRECT_POLICIES; i++)
		if (!strcmp(text, redirect_policies[i])) {
			*policy = i;
			return 0;
		}
	return error_usage(err, "'%.80s' is no policy: there are local, prefer-local, prefer-cloud and block", text);
}

/*
 * Refusals.
 */

static int check_families(const struct endpoint *endpoint, const struct endpoint *handler,
			  struct error *err)
{
	char from[REDIRECT_TEXT_MAX], to[REDIRECT_TEXT_MAX];

	endpoint_format(endpoint, from);
	endpoint_format(handler, to);
	if ((endpoint->family == AF_UNIX) != (handler->family == AF_UNIX))
		return error_set(err, EAFNOSUPPORT, "%s cannot be sent to %s: a socket stays one of the Internet or one of a path: put `coppice handler relay` in between, and name its address",
				 from, to);
	if (endpoint->family == AF_INET && handler->family == AF_INET6)
		return error_set(err, EAFNOSUPPORT, "%s cannot be sent to %s: IPv4 sockets reach no IPv6 address: let the handler listen on an IPv4 one too",
				 from, to);
	if (endpoint->family == AF_INET6 && handler->family == AF_INET &&
	    endpoint->protocol != IPPROTO_TCP)
		return error_set(err, EAFNOSUPPORT, "%s cannot be sent to %s: the kernel sends no IPv6 datagram to an IPv4 address: let the handler listen on an IPv6 one too",
				 from, to);
	return 0;
}

/* The families that an override has handlers for; a name's two families need one each. */
static int check_handlers(const struct override *override, struct error *err)
{
	unsigned int weights = 0;
	size_t i;

	for (i = 0; i < override->nr_handlers; i++) {
		const struct handler *handler = &override->handlers[i];

		weights += handler->weight ?: 1;
		if (check_families(&override->endpoint, &handler->address, err) ||
		    (override->also.family &&
		     check_families(&override->also, &handler->address, err)))
			return -1;
	}
	if (weights > 65535)
		return error_set(err, ERANGE, "the weights of an override's handlers add up to 65535 at most");
	return 0;
}

static int check_policy(const struct override *override, const char *text, struct error *err)
{
	const struct endpoint *endpoint = &override->endpoint;

	if (override->policy == REDIRECT_BLOCK && override->nr_handlers)
		return error_usage(err, "%.200s is blocked: leave out the handler", text);
	if (override->policy != REDIRECT_BLOCK && !override->nr_handlers)
		return error_usage(err, "%.200s has no handler: name one, or give the policy block", text);
	if (override->nr_handlers > REDIRECT_CHOICES_MAX)
		return error_usage(err, "%.200s has %zu handlers: there can be %d", text,
				   override->nr_handlers, REDIRECT_CHOICES_MAX);
	if (override->policy != REDIRECT_PREFER_CLOUD)
		return 0;
	if (endpoint->family == AF_UNIX || endpoint->protocol != IPPROTO_TCP || !endpoint->port ||
	    endpoint->last > endpoint->port ||
	    endpoint->prefixlen != (endpoint->family == AF_INET ? 32 : 128))
		return error_usage(err, "%.200s cannot be prefer-cloud: whether the cloud is reachable is found out by connecting to one address and TCP port",
				   text);
	return 0;
}

int redirect_check(const struct override *override, struct error *err)
{
	char text[REDIRECT_TEXT_MAX + REDIRECT_LABEL];

	override_format(override, text);
	if (override->endpoint.family == AF_UNIX && !redirect_has_unix())
		return error_set(err, EOPNOTSUPP, "%.200s cannot be overridden: this kernel has no hooks for sockets of a path, Linux 6.7 is the first that has: mount the handler's socket over it in the tasks' mount namespace instead",
				 text);
	return check_policy(override, text, err) || check_handlers(override, err) ? -1 : 0;
}

/*
 * Transactions.
 */

struct change {
	struct pins pins;
	struct table table;
	__u32 number;
};

#define CHANGE_NONE { .pins = PINS_CLOSED }
#define cleanup_change __attribute__((cleanup(end_change)))

static void end_change(struct change *change)
{
	table_free(&change->table);
	pins_close(&change->pins);
}

/* Open the pins for a change of the rules of @group. */
static int begin_change(struct change *change, const char *group, struct error *err)
{
	if (pins_open(&change->pins, PINS_WRITE, err))
		return -1;
	if (!change->pins.ready ||
	    !redirect_group_number(&change->pins, group, &change->number))
		return error_set(err, ENOENT, "group %s has no overrides and no programs attached", group);
	return table_read(&change->table, &change->pins, err);
}

static int add_each(struct change *change, const struct override *overrides, size_t nr,
		    struct error *err)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (redirect_check(&overrides[i], err) ||
		    table_add(&change->table, &change->pins, change->number, &overrides[i], err))
			return -1;
	return 0;
}

int redirect_add_all(const char *group, const struct override *overrides, size_t nr,
		     struct error *err)
{
	cleanup_change struct change change = CHANGE_NONE;

	if (redirect_check_group(group, err) || begin_change(&change, group, err) ||
	    table_keep(&change.table, NULL, NULL, err) ||
	    add_each(&change, overrides, nr, err))
		return -1;
	return table_commit(&change.table, &change.pins, err);
}

int redirect_add(const char *group, const struct endpoint *endpoint,
		 const struct endpoint *handler, struct error *err)
{
	struct override override = {
		.endpoint = *endpoint,
		.handlers = { { .address = *handler } },
		.nr_handlers = 1,
	};

	return redirect_add_all(group, &override, 1, err);
}

/* With EINPROGRESS the change is in force, but not all that was to follow from it has. */
static int commit(struct change *change, const char *group, enum redirect_connections connections,
		  struct error *err)
{
	autofree struct rule_gone *gone = NULL;
	size_t nr = 0;

	/* Before the change, which nothing takes back. */
	if (connections != REDIRECT_KEEP) {
		gone = table_gone(&change->table, &nr);
		if (!gone)
			return error_set(err, ENOMEM, "out of memory");
	}
	if (table_commit(&change->table, &change->pins, err))
		return -1;
	if (connections == REDIRECT_KEEP || !redirect_reset(&change->pins, change->number, gone, nr, err))
		return 0;
	error_prefix(err, "the overrides of %.80s are in force, but connections by those before may be open still", group);
	err->code = EINPROGRESS;
	return -1;
}

/* Of the group and the kind that are replaced? */
struct replaced {
	__u32 number;
	enum redirect_kind kind;
};

static bool is_replaced(const struct table *table, const struct rule_entry *entry,
			const void *data)
{
	const struct replaced *replaced = data;

	return entry->key.group == replaced->number &&
	       table->overrides[entry->value.rule].kind == replaced->kind;
}

int redirect_replace(const char *group, enum redirect_kind kind,
		     const struct override *overrides, size_t nr,
		     enum redirect_connections connections, struct error *err)
{
	cleanup_change struct change change = CHANGE_NONE;
	struct replaced replaced = { .kind = kind };

	if (redirect_check_group(group, err) || begin_change(&change, group, err))
		return -1;
	replaced.number = change.number;
	if (table_keep(&change.table, is_replaced, &replaced, err) ||
	    add_each(&change, overrides, nr, err))
		return -1;
	return commit(&change, group, connections, err);
}

static bool has_number(const struct table *table, const struct rule_entry *entry,
		       const void *data)
{
	(void)table;
	return entry->value.rule == *(const __u32 *)data;
}

static const struct rule_entry *find_entry(const struct change *change,
					   const struct endpoint *endpoint)
{
	size_t i;

	for (i = 0; i < change->table.old.nr; i++) {
		const struct rule_entry *entry = &change->table.old.entries[i];
		struct endpoint other = redirect_key_endpoint(&entry->key);

		/* Both protocols have one key each, of one number. */
		if (!endpoint->protocol)
			other.protocol = 0;
		memcpy(other.path, endpoint->path, sizeof(other.path));
		if (entry->key.group == change->number && endpoint_same(endpoint, &other) &&
		    change->table.overrides[entry->value.rule].kind == REDIRECT_ENDPOINT)
			return entry;
	}
	return NULL;
}

int redirect_delete(const char *group, const struct endpoint *endpoint,
		    enum redirect_connections connections, struct error *err)
{
	cleanup_change struct change change = CHANGE_NONE;
	const struct rule_entry *entry;
	char text[REDIRECT_TEXT_MAX];
	__u32 rule;

	if (redirect_check_group(group, err) || begin_change(&change, group, err))
		return -1;
	entry = find_entry(&change, endpoint);
	endpoint_format(endpoint, text);
	if (!entry)
		return error_set(err, ENOENT, "group %s has no override of %s: see coppice override list %s",
				 group, text, group);
	rule = entry->value.rule;
	if (table_keep(&change.table, has_number, &rule, err))
		return -1;
	return commit(&change, group, connections, err);
}

/*
 * DNS.
 */

static struct override dns_override(sa_family_t family, const struct endpoint *responder)
{
	return (struct override){
		.endpoint = { .family = family, .port = 53, .last = 53 },
		.handlers = { { .address = *responder } },
		.nr_handlers = 1,
		.kind = REDIRECT_DNS,
	};
}

int redirect_set_dns(const char *group, const struct endpoint *responder4,
		     const struct endpoint *responder6, struct error *err)
{
	struct override overrides[2];
	size_t nr = 0;

	if (responder4)
		overrides[nr++] = dns_override(AF_INET, responder4);
	if (responder6)
		overrides[nr++] = dns_override(AF_INET6, responder6);
	return redirect_replace(group, REDIRECT_DNS, overrides, nr, REDIRECT_KEEP, err);
}
