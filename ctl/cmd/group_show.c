// SPDX-License-Identifier: GPL-2.0
/* coppice group show GROUP */
#include "cmd.h"
#include "describe.h"
#include "lib/cleanup.h"
#include "lib/enclosure.h"

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "image", "image", COLUMN_TEXT },
	{ "owner", "owner", COLUMN_TEXT },
	{ "reshare", "gives memory back", COLUMN_TEXT },
	{ "adopt", "adopts by itself", COLUMN_TEXT },
	{ "cgroup", "cgroup", COLUMN_TEXT },
	{ "grants", "grants", COLUMN_TEXT },
	{ "tasks", "tasks", COLUMN_NUMBER },
	{ "max_tasks", "most tasks", COLUMN_NUMBER },
	{ "entered", "tasks ever started", COLUMN_NUMBER },
	{ "forked", "tasks ever forked", COLUMN_NUMBER },
	{ "faults", "faults answered by the image", COLUMN_NUMBER },
	{ "mapped_ahead", "pages mapped ahead", COLUMN_NUMBER },
	{ "copied_ahead", "pages copied ahead", COLUMN_NUMBER },
	{ "touched", "pages that a start touches", COLUMN_NUMBER },
	{ "written", "pages that a start writes", COLUMN_NUMBER },
	{ "given_back", "pages given back", COLUMN_NUMBER },
	{ "resets", "resets", COLUMN_NUMBER },
	{ "image_bytes", "memory of the image", COLUMN_BYTES },
	{ "shared_bytes", "memory shared, by all tasks", COLUMN_BYTES },
	{ "copied_bytes", "copies of the image's", COLUMN_BYTES },
	{ "own_bytes", "other memory of tasks", COLUMN_BYTES },
	{ "table_bytes", "page tables", COLUMN_BYTES },
	{ "saved_bytes", "saved by sharing", COLUMN_BYTES },
	{ "adopted", "tasks ever adopted", COLUMN_NUMBER },
	{ "adopted_pages", "pages adopted", COLUMN_NUMBER },
	{}
};

/* A group that is not confined has no such field. */
static int put_grants(const char *name, json_t *object, struct error *err)
{
	autogrants struct grants grants = {};
	json_t *described;

	if (!grants_kept(name))
		return 0;
	if (grants_of(name, &grants, err))
		return -1;
	described = enclosure_describe(&grants);
	json_object_set(object, "grants", json_object_get(described, "grants"));
	json_decref(described);
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *object = NULL;
	struct group_info info;
	const char *name;

	if (cmd_parse_one(&cmd_group_show, argc, argv, "the name of the GROUP", &name, err) ||
	    ctx->backend->group_get(name, &info, err))
		return -1;
	object = describe_group_usage(ctx, &info, err);
	if (!object || put_grants(name, object, err))
		return -1;
	return output_object(ctx, object, fields, err);
}

const struct command cmd_group_show = {
	.object = "group",
	.verb = "show",
	.args = "GROUP",
	.summary = "Show a group and its statistics",
	.needs_backend = true,
	.run = run,
};
