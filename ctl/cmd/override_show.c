// SPDX-License-Identifier: GPL-2.0
/* coppice override show GROUP */
#include <limits.h>
#include <stdio.h>

#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "override.h"

static const struct column hook_columns[] = {
	{ "hook", "HOOK", COLUMN_TEXT },
	{ "program", "PROGRAM", COLUMN_NUMBER },
	{ "effective", "EFFECTIVE", COLUMN_TEXT },
	{ "before", "OTHERS BEFORE", COLUMN_NUMBER },
	{ "after", "AFTER", COLUMN_NUMBER },
	{}
};

static const struct column override_columns[] = {
	{ "endpoint", "ENDPOINT", COLUMN_TEXT },
	{ "handler", "HANDLER", COLUMN_TEXT },
	{ "policy", "POLICY", COLUMN_TEXT },
	{ "redirected", "REDIRECTED", COLUMN_NUMBER },
	{ "open", "OPEN", COLUMN_NUMBER },
	{ "fell_through", "FELL THROUGH", COLUMN_NUMBER },
	{ "denied", "DENIED", COLUMN_NUMBER },
	{ "no_handler", "NO HANDLER", COLUMN_NUMBER },
	{}
};

static const struct column host_columns[] = {
	{ "host", "HOST", COLUMN_TEXT },
	{ "wildcard", "FOUND UNDER", COLUMN_TEXT },
	{ "address", "ADDRESS", COLUMN_TEXT },
	{ "real", "OUTSIDE", COLUMN_TEXT },
	{}
};

static const struct column library_columns[] = {
	{ "provider", "LIBRARY", COLUMN_TEXT },
	{ "local", "LOCAL", COLUMN_TEXT },
	{ "kind", "KIND", COLUMN_TEXT },
	{ "state", "STATE", COLUMN_TEXT },
	{ "overridden_count", "OVERRIDDEN", COLUMN_NUMBER },
	{ "falls_through_count", "FALL THROUGH", COLUMN_NUMBER },
	{ "added_count", "ADDED", COLUMN_NUMBER },
	{}
};

static int print(const struct context *ctx, json_t *object, struct error *err)
{
	json_t *libraries = json_object_get(object, "libraries");
	json_t *hosts = json_object_get(object, "hosts");

	if (ctx->json)
		return output_object(ctx, object, NULL, err);
	output_table(stdout, ctx->colour, json_object_get(object, "programs"), hook_columns);
	putchar('\n');
	output_table(stdout, ctx->colour, json_object_get(object, "overrides"), override_columns);
	if (json_array_size(hosts)) {
		putchar('\n');
		output_table(stdout, ctx->colour, hosts, host_columns);
	}
	if (json_array_size(libraries)) {
		putchar('\n');
		output_table(stdout, ctx->colour, libraries, library_columns);
	}
	printf("\nwithout a rule: %lld; events lost: %lld\n",
	       (long long)json_integer_value(json_object_get(object, "missed")),
	       (long long)json_integer_value(json_object_get(object, "events_lost")));
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *object = NULL;
	struct group_info info;
	char path[PATH_MAX];
	const char *group;

	if (cmd_parse_one(&cmd_override_show, argc, argv, "the GROUP", &group, err) ||
	    ctx->backend->group_get(group, &info, err) || cgroup_path(info.cgroup, path, err))
		return -1;
	object = override_describe(&info, path, err);
	return object ? print(ctx, object, err) : -1;
}

const struct command cmd_override_show = {
	.object = "override",
	.verb = "show",
	.args = "GROUP",
	.summary = "Show what the kernel has of a group's overrides, and all their statistics",
	.help = "PROGRAM is the one that is effective at each hook of the group's cgroup, as the kernel says, with how "
		"many programs of others run before and after it. OPEN counts the sockets that are connected by an "
		"override now, REDIRECTED those and the datagrams that ever were. A HOST is one that tasks have asked for "
		"under a wildcard: its ADDRESS here, and where it leads OUTSIDE. A LIBRARY that is stale has changed "
		"since its override was made.",
	.needs_backend = true,
	.run = run,
};
