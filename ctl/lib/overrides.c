// SPDX-License-Identifier: GPL-2.0
/*
 * Overrides as people give them, with host names.
 *
 * A rule is in force before its name is answered with an address of the hub's, and the
 * name is answered otherwise before it goes: nobody is told an address that leads nowhere.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "host.h"
#include "names.h"
#include "overrides.h"
#include "responder.h"
#include "terminator.h"
#include "trust.h"

#define MARKS		RUN_DIRECTORY "/names"	/* a file for each group that has names */
#define SHOWN		80

/*
 * Texts.
 */

/* Two colons are IPv6 without brackets, which endpoint_parse() has a sentence for. */
static bool is_address(const char *text, const char *colon)
{
	return !colon || text[0] == '[' || memchr(text, ':', colon - text) ||
	       (colon > text && strspn(text, "0123456789./") >= (size_t)(colon - text));
}

int overrides_parse(const char *text, struct override *override, struct error *err)
{
	const char *rest = text, *colon;
	char host[REDIRECT_LABEL];
	uint8_t protocol;

	protocol = endpoint_parse_protocol(&rest);
	colon = strrchr(rest, ':');
	if (!strncmp(text, "unix:", 5) || is_address(rest, colon))
		return endpoint_parse(text, &override->endpoint, err);
	if (colon - rest >= (int)sizeof(host))
		return error_usage(err, "'%.*s…' is no host name: it has more than %d characters",
				   SHOWN, rest, HOST_MAX);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - rest), rest);
	override->endpoint = (struct endpoint){
		.family = AF_INET, .prefixlen = 32, .protocol = protocol,
	};
	return host_parse(host, override->label, err) ||
	       endpoint_parse_ports(colon + 1, text, &override->endpoint, err) ? -1 : 0;
}

/*
 * Families. A name has an IPv4 address if its handlers can take what IPv4 sockets send, and
 * an IPv6 one likewise: IPv4 sockets reach no IPv6 handler, IPv6 datagrams no IPv4 one.
 */

static bool has_handler(const struct override *override, sa_family_t family)
{
	size_t i;

	for (i = 0; i < override->nr_handlers; i++)
		if (override->handlers[i].address.family == family)
			return true;
	return false;
}

static bool takes_v4(const struct override *override)
{
	return !has_handler(override, AF_INET6);
}

static bool takes_v6(const struct override *override)
{
	return override->endpoint.protocol == IPPROTO_TCP || !has_handler(override, AF_INET);
}

static void set_v4(struct endpoint *endpoint, const struct in_addr *address)
{
	endpoint->family = AF_INET;
	endpoint->prefixlen = 32;
	memset(endpoint->address, 0, sizeof(endpoint->address));
	memcpy(endpoint->address, address, sizeof(*address));
}

static void set_v6(struct endpoint *endpoint, const struct in6_addr *address)
{
	endpoint->family = AF_INET6;
	endpoint->prefixlen = 128;
	memcpy(endpoint->address, address, sizeof(*address));
}

static void set_addresses(struct override *override, const struct name *name)
{
	override->also = (struct endpoint){};
	if (!takes_v4(override)) {
		set_v6(&override->endpoint, &name->v6);
		return;
	}
	set_v4(&override->endpoint, &name->v4);
	if (!takes_v6(override))
		return;
	override->also = override->endpoint;
	set_v6(&override->also, &name->v6);
}

int overrides_check(const struct override *override, struct error *err)
{
	const struct name nowhere = {};
	struct override copy;

	if (!override->label[0])
		return redirect_check(override, err);
	copy = *override;
	set_addresses(&copy, &nowhere);
	return redirect_check(&copy, err);
}

/*
 * What the rules of a group have of names is what counts: a controller may have been
 * killed in between.
 */

struct sync {
	struct names *names;
	struct names before;	/* a copy: what is not seen is given up */
	const char *group;
};

static int see(const struct override_info *info, void *data)
{
	const struct override *override = &info->override;
	struct sync *sync = data;
	struct name name;

	if (!override->label[0] ||
	    !names_find(sync->names, sync->group, override->label, &name))
		return 0;
	names_set_families(sync->names, sync->group, override->label,
			   name.v4_answered && takes_v4(override),
			   name.v6_answered && takes_v6(override));
	names_forget(&sync->before, sync->group, override->label);
	return 0;
}

static int begin_name(const struct name *name, int view, void *data)
{
	struct sync *sync = data;

	(void)view;
	names_set_families(sync->names, name->group, name->host, true, true);
	return 0;
}

static int give_up(const struct name *name, int view, void *data)
{
	struct sync *sync = data;

	(void)view;
	names_release(sync->names, name->group, name->host);
	return 0;
}

static int mark(const char *group, bool has_names, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), MARKS "/%s", group);
	if (!has_names)
		return file_remove(path, err);
	return file_make_directory(MARKS, 0755, err) || file_write(path, 0644, "", 0, err) ? -1 : 0;
}

static bool is_marked(const char *group)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), MARKS "/%s", group);
	return !access(path, F_OK);
}

bool overrides_have_names(const char *group)
{
	return is_marked(group) || is_marked(REDIRECT_HUB_NAME);
}

static int sync_names(struct names *names, const char *group, struct error *err)
{
	struct sync sync = { .names = names, .before = NAMES_CLOSED, .group = group };
	int ret;

	names_each(names, group, begin_name, &sync);
	if (names_copy(names, &sync.before, err))
		return -1;
	ret = redirect_each(group, see, &sync, err);
	if (!ret) {
		names_each(&sync.before, group, give_up, &sync);
		ret = names_commit(names, err) || mark(group, names_view(names, group) >= 0, err);
	}
	names_close(&sync.before);
	return ret ? -1 : 0;
}

/* The responder's two addresses for the group's view; none for a group without one. */
static int set_dns(const struct names *names, const char *group, struct error *err)
{
	const struct in6_addr loopback6 = IN6ADDR_LOOPBACK_INIT;
	const struct in_addr loopback4 = { htonl(INADDR_LOOPBACK) };
	struct endpoint v4 = { .protocol = IPPROTO_TCP }, v6;
	int view = names_view(names, group);

	if (view < 0)
		return redirect_set_dns(group, NULL, NULL, err);
	v4.port = RESPONDER_PORT + view;
	v4.last = v4.port;
	v6 = v4;
	set_v4(&v4, &loopback4);
	set_v6(&v6, &loopback6);
	return redirect_set_dns(group, &v4, &v6, err);
}

/*
 * What sockets are let through for.
 */

struct reals {
	struct redirect_name *list;
	size_t nr;
};

static int add_reals(const struct name *name, int view, void *data)
{
	struct reals *reals = data;
	struct redirect_name *list = reallocarray(reals->list, reals->nr + 2, sizeof(*list));

	(void)view;
	if (!list)
		return -1;
	reals->list = list;
	overrides_name_pair(name, list + reals->nr);
	reals->nr += 2;
	return 0;
}

static int set_reals(const struct names *names, const char *group, struct error *err)
{
	struct reals reals = {};
	int ret = names_each(names, group, add_reals, &reals) ||
		  names_each_found(names, group, add_reals, &reals) ?
		  error_set(err, ENOMEM, "out of memory") : 0;

	if (!ret && reals.nr)
		ret = redirect_name_set_all(group, reals.list, reals.nr, err);
	free(reals.list);
	return ret;
}

/*
 * An override of the group with this name, protocol and ports.
 */

struct wanted {
	const struct override *override;
	struct endpoint found;	/* family 0: not yet */
};

static uint16_t last_of(const struct endpoint *endpoint)
{
	return endpoint->last ?: endpoint->port;
}

static int match(const struct override_info *info, void *data)
{
	const struct endpoint *endpoint = &info->override.endpoint;
	struct wanted *wanted = data;
	const struct endpoint *given = &wanted->override->endpoint;

	if (strcmp(info->override.label, wanted->override->label) ||
	    endpoint->protocol != given->protocol || endpoint->port != given->port ||
	    last_of(endpoint) != last_of(given))
		return 0;
	wanted->found = *endpoint;
	return 1;
}

static int find_named(const char *group, const struct override *override,
		      struct wanted *wanted, struct error *err)
{
	*wanted = (struct wanted){ .override = override };
	return redirect_each(group, match, wanted, err) < 0 ? -1 : 0;
}

/*
 * Adding.
 */

/* What is to become of a group's rules. */
struct change {
	const char *group;
	struct override *overrides;	/* a copy, which gets addresses */
	size_t nr;
	bool replace;			/* all that there are */
	enum redirect_connections connections;
};

static int take_names(struct names *names, const struct change *change, struct error *err)
{
	struct name name;
	size_t i;

	for (i = 0; i < change->nr; i++) {
		if (!change->overrides[i].label[0])
			continue;
		if (names_take(names, change->group, change->overrides[i].label, &name, err))
			return -1;
		set_addresses(&change->overrides[i], &name);
	}
	return names_commit(names, err);
}

/* An address that is taken is told of by its name. */
static void explain(const char *group, const struct override *overrides, size_t nr,
		    struct error *err)
{
	char text[REDIRECT_TEXT_MAX + REDIRECT_LABEL];
	struct error ignored;
	struct wanted wanted;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (!overrides[i].label[0] || find_named(group, &overrides[i], &wanted, &ignored) ||
		    !wanted.found.family)
			continue;
		override_format(&overrides[i], text);
		error_set(err, EEXIST, "group %s has an override of %.200s already: delete that first",
			  group, text);
		return;
	}
}

static int change_rules(const struct change *change, struct error *err)
{
	if (change->replace)
		return redirect_replace(change->group, REDIRECT_ENDPOINT, change->overrides,
					change->nr, change->connections, err);
	if (!redirect_add_all(change->group, change->overrides, change->nr, err))
		return 0;
	if (err->code == EEXIST)
		explain(change->group, change->overrides, change->nr, err);
	return -1;
}

/* The rules of a group as they were. */
struct rules {
	struct override *list;
	size_t nr;
};

static int add_rule(const struct override_info *info, void *data)
{
	struct rules *rules = data;
	struct override *list;

	if (info->override.kind != REDIRECT_ENDPOINT)
		return 0;
	list = reallocarray(rules->list, rules->nr + 1, sizeof(*list));
	if (!list)
		return -1;
	rules->list = list;
	list[rules->nr++] = info->override;
	return 0;
}

static int read_rules(const char *group, struct rules *rules, struct error *err)
{
	error_set(err, ENOMEM, "out of memory");
	return redirect_each(group, add_rule, rules, err) ? -1 : 0;
}

static void delete_added(const struct change *change)
{
	struct error ignored;
	size_t i;

	for (i = 0; i < change->nr; i++)
		(void)!redirect_delete(change->group, &change->overrides[i].endpoint,
				       REDIRECT_KEEP, &ignored);
}

/* All that has to follow a change of rules with names. */
static int tell_names(struct names *names, const char *group, struct error *err)
{
	return sync_names(names, group, err) || responder_apply(err) || set_dns(names, group, err) ? -1 : 0;
}

/* As well as it goes: the next change mends the names. */
static void take_back(struct names *names, const struct change *change, const struct rules *rules)
{
	const struct change back = {
		.group = change->group, .overrides = rules->list, .nr = rules->nr, .replace = true,
	};
	struct error ignored;

	if (!change->replace)
		delete_added(change);
	else if (!take_names(names, &back, &ignored))
		(void)!change_rules(&back, &ignored);
	(void)!tell_names(names, change->group, &ignored);
}

/*
 * The names are the file's whatever comes; those without a rule are given up by the sync. Connections that are open
 * still (EINPROGRESS) are no reason to take anything back.
 */
static int change_named_rules(struct names *names, const struct change *change, const struct rules *rules,
			      struct error *err)
{
	struct error first = {};

	if (set_reals(names, change->group, err) || change_rules(change, err))
		first = *err;
	if (first.code && first.code != EINPROGRESS) {
		(void)!sync_names(names, change->group, err);
		*err = first;
		return -1;
	}
	if (tell_names(names, change->group, err)) {
		take_back(names, change, rules);
		return -1;
	}
	if (first.code)
		*err = first;
	return first.code ? -1 : 0;
}

static int change_named(const struct change *change, struct error *err)
{
	autonames struct names names = NAMES_CLOSED;
	struct rules rules = {};
	int ret;

	ret = responder_check(err) || names_open(&names, err) || read_rules(change->group, &rules, err) ||
	      take_names(&names, change, err) || change_named_rules(&names, change, &rules, err);
	free(rules.list);
	return ret ? -1 : 0;
}

static int change_copied(struct change change, struct error *err)
{
	const struct override *overrides = change.overrides;
	int ret;

	change.overrides = malloc(change.nr * sizeof(*overrides) + 1);
	if (!change.overrides)
		return error_set(err, ENOMEM, "out of memory");
	memcpy(change.overrides, overrides, change.nr * sizeof(*overrides));
	ret = change_named(&change, err);
	free(change.overrides);
	return ret;
}

static bool any_named(const struct override *overrides, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (overrides[i].label[0])
			return true;
	return false;
}

int overrides_have_tls(const struct override *overrides, size_t nr, struct error *err)
{
	size_t i, j;
	int listens = 0;

	for (i = 0; i < nr && !listens; i++)
		for (j = 0; j < overrides[i].nr_handlers && !listens; j++)
			listens = terminator_listens_at(&overrides[i].handlers[j].address, err);
	return listens;
}

/* Whom all groups trust is each group's own matter. */
static int change_all(const struct change *change, bool named, struct error *err)
{
	bool trusts = trust_has(change->group);
	struct error ignored;
	int tls = 0;

	if (strcmp(change->group, REDIRECT_HUB_NAME))
		tls = overrides_have_tls(change->overrides, change->nr, err);
	/* First, since it can be taken back: a rule that leads to whom nobody trusts is of no use. */
	if (tls < 0 || (tls && trust_give(change->group, err)))
		return -1;
	if (!(named ? change_copied(*change, err) : change_rules(change, err)))
		return 0;
	if (tls && !trusts && err->code != EINPROGRESS)
		(void)!trust_take(change->group, &ignored);
	return -1;
}

int overrides_add(const char *group, const struct override *overrides, size_t nr,
		  struct error *err)
{
	const struct change change = {
		.group = group, .overrides = (struct override *)overrides, .nr = nr,
	};

	return change_all(&change, any_named(overrides, nr), err);
}

int overrides_set(const char *group, const struct override *overrides, size_t nr,
		  enum redirect_connections connections, struct error *err)
{
	const struct change change = {
		.group = group, .overrides = (struct override *)overrides, .nr = nr,
		.replace = true, .connections = connections,
	};

	/* Those that go may have names, too. */
	return change_all(&change, any_named(overrides, nr) || is_marked(group), err);
}

/*
 * Deleting.
 */

/* A task may remember the address for a while: it then goes where the name leads outside. */
static int delete_named(const char *group, const struct override *override,
			enum redirect_connections connections, struct error *err)
{
	char text[REDIRECT_TEXT_MAX + REDIRECT_LABEL];
	autonames struct names names = NAMES_CLOSED;
	struct wanted wanted;

	if (names_open(&names, err) || find_named(group, override, &wanted, err))
		return -1;
	override_format(override, text);
	if (!wanted.found.family) {
		/* Maybe it was deleted before, and no more than that. */
		if (names_view(&names, group) >= 0)
			(void)!tell_names(&names, group, err);
		return error_set(err, ENOENT, "group %s has no override of %.200s: see coppice override list %s",
				 group, text, group);
	}
	if (redirect_delete(group, &wanted.found, connections, err))
		return -1;
	if (!tell_names(&names, group, err))
		return 0;
	error_prefix(err, "the override of %.200s is deleted, but tasks may be told its address until that is repeated", text);
	err->code = EINPROGRESS;
	return -1;
}

int overrides_delete(const char *group, const struct override *override,
		     enum redirect_connections connections, struct error *err)
{
	if (override->label[0])
		return delete_named(group, override, connections, err);
	return redirect_delete(group, &override->endpoint, connections, err);
}

static int forget_names(const char *group, struct error *err)
{
	autonames struct names names = NAMES_CLOSED;
	pid_t pid;

	if (names_open(&names, err))
		return -1;
	if (names_view(&names, group) < 0)
		return 0;
	names_release_group(&names, group);
	if (names_commit(&names, err) || mark(group, false, err))
		return -1;
	pid = service_pid(&service_responder, err);
	return pid > 0 ? responder_apply(err) : pid;
}

/* Nobody's file is made to say that there are no names. */
int overrides_forget_hub(struct error *err)
{
	if (redirect_detach(REDIRECT_HUB_NAME, err))
		return -1;
	return is_marked(REDIRECT_HUB_NAME) ? forget_names(REDIRECT_HUB_NAME, err) : 0;
}

int overrides_forget(const char *group, struct error *err)
{
	return redirect_detach(group, err) || forget_names(group, err) ||
	       trust_take(group, err) ? -1 : 0;
}

/*
 * Tasks.
 */

int overrides_mounts(struct task_mounts *mounts, struct error *err)
{
	/* Who answers the C library's questions without DNS: nss-resolve, and nscd's cache. */
	static const char *const sockets[] = {
		"/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket",
	};
	size_t i;

	for (i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
		if (!access(sockets[i], F_OK) &&
		    task_mounts_add(mounts, "/dev/null", sockets[i], err))
			return -1;
	return 0;
}
