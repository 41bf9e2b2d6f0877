// SPDX-License-Identifier: GPL-2.0
/* What the override commands have in common. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/cgroup.h"
#include "lib/kept.h"
#include "lib/name.h"
#include "lib/overrides.h"
#include "override.h"

#define WEIGHT ",weight="

int override_add_handler(struct override *override, const char *text, struct error *err)
{
	struct handler *handler = &override->handlers[override->nr_handlers];
	const char *weight = strstr(text, WEIGHT);
	char address[REDIRECT_TEXT_MAX];
	uint64_t number = 1;

	if (override->nr_handlers == REDIRECT_CHOICES_MAX)
		return error_usage(err, "'%.80s' is one handler too many: an override has %d at most",
				   text, REDIRECT_CHOICES_MAX);
	snprintf(address, sizeof(address), "%.*s",
		 weight ? (int)(weight - text) : (int)sizeof(address) - 1, text);
	if (weight && number_parse("a weight", weight + strlen(WEIGHT), 1000, &number, err))
		return -1;
	if (!number)
		return error_usage(err, "'%.80s': a weight is a number from 1 to 1000", text);
	handler->weight = number;
	override->nr_handlers++;
	return handler_parse(address, &handler->address, err);
}

static int attach(const struct group_info *info, struct error *err)
{
	char path[PATH_MAX];

	if (cgroup_path(info->cgroup, path, err))
		return -1;
	return redirect_attach(info->name, path, err);
}

static int attach_each(const struct group_info *info, void *data)
{
	return attach(info, data);
}

int override_attach(const struct context *ctx, const char *group, struct error *err)
{
	struct group_info info;

	if (!strcmp(group, REDIRECT_HUB_NAME))
		return redirect_prepare(err) || ctx->backend->group_each(attach_each, err, err) ? -1 : 0;
	if (ctx->backend->group_get(group, &info, err))
		return -1;
	return attach(&info, err);
}

int override_keep(const struct context *ctx, const char *group, struct error *err)
{
	struct group_info info = { .owner = KEPT_NOBODY };

	if (ctx->backend && strcmp(group, REDIRECT_HUB_NAME) && ctx->backend->group_get(group, &info, err)) {
		if (err->code != ENOENT)
			return kept_explain(group, err);
		/* It is gone, and its overrides with it or soon. */
		info.owner = KEPT_NOBODY;
	}
	return kept_write(group, info.owner, err);
}

int override_keep_again(const struct context *ctx, const char *group, int done, struct error *err)
{
	struct error ignored;

	if ((err->code == done || err->code == EINPROGRESS) && redirect_is_attached(group))
		(void)!override_keep(ctx, group, &ignored);
	return -1;
}

int override_connections(const char *text, enum redirect_connections *connections,
			 struct error *err)
{
	if (strcmp(text, "keep") && strcmp(text, "reset"))
		return error_usage(err, "'%.80s': connections are kept (keep) or reset (reset)", text);
	*connections = strcmp(text, "reset") ? REDIRECT_KEEP : REDIRECT_RESET;
	return 0;
}

struct loops {
	const struct override *overrides;
	size_t nr;
	struct error *err;
};

static int check_loops(const struct group_info *info, void *data)
{
	const struct loops *loops = data;
	char path[PATH_MAX];
	size_t i;

	if (cgroup_path(info->cgroup, path, loops->err))
		return -1;
	for (i = 0; i < loops->nr; i++)
		if (redirect_check_loop(path, &loops->overrides[i], loops->err))
			return -1;
	return 0;
}

static int check_loops_of(const struct context *ctx, const char *group,
			  const struct override *overrides, size_t nr, struct error *err)
{
	struct loops loops = { overrides, nr, err };
	struct group_info info;

	if (!strcmp(group, REDIRECT_HUB_NAME))
		return ctx->backend->group_each(check_loops, &loops, err);
	return ctx->backend->group_get(group, &info, err) ? -1 : check_loops(&info, &loops);
}

int override_ready(const struct context *ctx, const char *group,
		   const struct override *overrides, size_t nr, struct error *err)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (overrides_check(&overrides[i], err))
			return -1;
	return check_loops_of(ctx, group, overrides, nr, err) ||
	       override_attach(ctx, group, err) ? -1 : 0;
}

static const char *protocol_name(const struct endpoint *endpoint)
{
	if (endpoint->family == AF_UNIX)
		return "unix";
	return endpoint->protocol == IPPROTO_TCP ? "tcp" : endpoint->protocol ? "udp" : "any";
}

static json_t *handlers_json(const struct override_info *info)
{
	json_t *array = json_array();
	char text[REDIRECT_TEXT_MAX];
	size_t i;

	for (i = 0; i < info->override.nr_handlers; i++) {
		endpoint_format(&info->override.handlers[i].address, text);
		json_array_append_new(array, json_pack("{s:s, s:i, s:s}", "handler", text, "weight",
						       info->override.handlers[i].weight, "state",
						       info->down[i] ? "down" : "up"));
	}
	return array;
}

/* "127.0.0.1:80" or, of several, how many more there are: for the table. */
static void handler_text(const struct override_info *info, char *text, size_t size)
{
	char first[REDIRECT_TEXT_MAX] = "-";

	if (info->override.nr_handlers)
		endpoint_format(&info->override.handlers[0].address, first);
	if (info->override.nr_handlers > 1)
		snprintf(text, size, "%s and %zu more", first, info->override.nr_handlers - 1);
	else
		snprintf(text, size, "%s", first);
}

json_t *override_json(const struct override_info *info)
{
	char endpoint[REDIRECT_TEXT_MAX + REDIRECT_LABEL], address[REDIRECT_TEXT_MAX];
	char handler[REDIRECT_TEXT_MAX + 32];
	const struct stats_value *stats = &info->stats;

	override_format(&info->override, endpoint);
	endpoint_format(&info->override.endpoint, address);
	handler_text(info, handler, sizeof(handler));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I}",
			 "group", info->group, "endpoint", endpoint, "address", address,
			 "protocol", protocol_name(&info->override.endpoint), "handler", handler,
			 "handlers", handlers_json(info),
			 "policy", redirect_policies[info->override.policy % NR_REDIRECT_POLICIES],
			 "kind", info->override.kind == REDIRECT_DNS ? "dns" : "endpoint",
			 "cloud", info->cloud_down ? "unreachable" : "reachable",
			 "rule", (int)info->rule,
			 "open", (json_int_t)info->open,
			 "redirected", (json_int_t)stats->redirected,
			 "fell_through", (json_int_t)stats->fell_through,
			 "denied", (json_int_t)stats->denied,
			 "no_handler", (json_int_t)stats->no_handler);
}
