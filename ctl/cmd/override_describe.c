// SPDX-License-Identifier: GPL-2.0
/* What the kernel has of a group's overrides, for those that show it. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "lib/names.h"
#include "override.h"
#include "override_library.h"

static int put_hook(const struct redirect_hook *hook, void *data)
{
	return json_array_append_new(data, json_pack("{s:s, s:i, s:b, s:i, s:i}", "hook", hook->name,
						     "program", hook->program, "effective",
						     hook->program != 0, "before", hook->before,
						     "after", hook->after));
}

static int put_override(const struct override_info *info, void *data)
{
	return json_array_append_new(data, override_json(info));
}

/* "198.51.100.7, 2001:db8::7", or "unknown". */
static void format_real(const struct name *name, char *text, size_t size)
{
	const struct in6_addr none = IN6ADDR_ANY_INIT;
	char four[INET6_ADDRSTRLEN] = "", six[INET6_ADDRSTRLEN] = "";

	if (name->real4.s_addr)
		inet_ntop(AF_INET, &name->real4, four, sizeof(four));
	if (memcmp(&name->real6, &none, sizeof(none)))
		inet_ntop(AF_INET6, &name->real6, six, sizeof(six));
	snprintf(text, size, "%s%s%s", four, *four && *six ? ", " : "", six);
	if (!*text)
		snprintf(text, size, "unknown");
}

static int put_host(const struct name *name, int view, void *data)
{
	char four[INET6_ADDRSTRLEN], six[INET6_ADDRSTRLEN], real[2 * INET6_ADDRSTRLEN + 2];

	(void)view;
	inet_ntop(AF_INET, &name->v4, four, sizeof(four));
	inet_ntop(AF_INET6, &name->v6, six, sizeof(six));
	format_real(name, real, sizeof(real));
	return json_array_append_new(data, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "group",
						     name->group, "host", name->host, "wildcard",
						     name->wildcard, "address", four, "address6", six,
						     "real", real));
}

static json_t *describe_hosts(const char *group, struct error *err)
{
	autojson json_t *hosts = json_array();
	autonames struct names names = NAMES_CLOSED;

	if (names_read(&names, err))
		return NULL;
	if (!hosts || names_each_found(&names, group, put_host, hosts) ||
	    names_each_found(&names, REDIRECT_HUB_NAME, put_host, hosts)) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	return json_incref(hosts);
}

json_t *override_describe(const struct group_info *info, const char *path, struct error *err)
{
	json_t *hooks = json_array(), *overrides = json_array(), *libraries = json_array();
	autojson json_t *object = json_pack("{s:o, s:o, s:o}", "programs", hooks,
					    "overrides", overrides, "libraries", libraries);
	const char *group = info->name;
	struct redirect_totals totals;
	char own[PATH_MAX];
	json_t *hosts;

	if (cgroup_path(info->cgroup, own, err) ||
	    redirect_hooks(group, own, path, put_hook, hooks, err) ||
	    redirect_each(group, put_override, overrides, err) ||
	    redirect_each(REDIRECT_HUB_NAME, put_override, overrides, err) ||
	    override_library_rows(libraries, group, err) ||
	    redirect_totals(group, &totals, err))
		return NULL;
	hosts = describe_hosts(group, err);
	if (!hosts)
		return NULL;
	json_object_set_new(object, "hosts", hosts);
	json_object_set_new(object, "group", json_string(group));
	json_object_set_new(object, "cgroup", json_string(path));
	json_object_set_new(object, "missed", json_integer(totals.missed));
	json_object_set_new(object, "events_lost", json_integer(totals.events_lost));
	return json_incref(object);
}
