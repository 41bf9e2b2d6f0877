// SPDX-License-Identifier: GPL-2.0
/* coppice status: what is in force, what this hub lacks, and what does not belong. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "lib/landlock.h"
#include "lib/redirect.h"
#include "lib/stray.h"

enum { OPTION_PRUNE = 256 };

static const struct argp_option options[] = {
	{ .name = "prune", .key = OPTION_PRUNE,
	  .doc = "delete the strays, with the processes in them" },
	{}
};

static const struct column fields[] = {
	{ "backend", "backend", COLUMN_TEXT },
	{ "controller", "controller", COLUMN_TEXT },
	{ "module", "module", COLUMN_TEXT },
	{ "store_bytes", "page store", COLUMN_BYTES },
	{ "store_limit_bytes", "page store's limit", COLUMN_BYTES },
	{ "image_bytes", "without sharing", COLUMN_BYTES },
	{ "huge_pages", "huge pages (2 MiB)", COLUMN_NUMBER },
	{ "huge_missed", "huge pages not to be had", COLUMN_NUMBER },
	{ "images", "images", COLUMN_NUMBER },
	{ "unsealed", "images being loaded", COLUMN_NUMBER },
	{ "groups", "groups", COLUMN_NUMBER },
	{ "tasks", "tasks", COLUMN_NUMBER },
	{ "cgroup", "cgroup v2", COLUMN_TEXT },
	{ "cgroup_lacks", "controllers lacking", COLUMN_TEXT },
	{ "overrides", "overrides", COLUMN_TEXT },
	{ "landlock_abi", "Landlock's ABI", COLUMN_NUMBER },
	{ "landlock_lacks", "Landlock lacks", COLUMN_TEXT },
	{ "lacks", "this backend lacks", COLUMN_TEXT },
	{ "strays", "strays", COLUMN_TEXT },
	{}
};

static const char *const memfd_lacks[] = {
	"sharing of equal pages between images",
	"mapping ahead of pages that earlier tasks touched",
	"statistics of groups and tasks, and events",
	"reshare, reset and adopt of running tasks",
	"accounting of images to their owners",
};

struct strays {
	bool prune, failed;
	json_t *array;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct strays *strays = data;

	if (key != OPTION_PRUNE)
		return error_usage(err, "'%.80s' is one argument too many: status takes none", arg);
	strays->prune = true;
	return 0;
}

static int put_counts(const struct context *ctx, json_t *object, struct error *err)
{
	const json_int_t page = 4096;
	struct store_info info;
	json_t *counts;

	if (ctx->backend->status(&info, err))
		return -1;
	counts = json_pack("{s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			   "backend", ctx->backend->name, "controller", COPPICE_VERSION,
			   "module", info.version[0] ? info.version : NULL,
			   "store_pages", (json_int_t)info.store_pages,
			   "store_limit_pages", (json_int_t)info.store_limit,
			   "image_pages", (json_int_t)info.image_pages,
			   "store_bytes", (json_int_t)info.store_pages * page,
			   "store_limit_bytes", (json_int_t)info.store_limit * page,
			   "image_bytes", (json_int_t)info.image_pages * page,
			   "domains", (json_int_t)info.domains, "images", (json_int_t)info.images,
			   "unsealed", (json_int_t)info.unsealed,
			   "groups", (json_int_t)info.groups, "tasks", (json_int_t)info.tasks,
			   "huge_pages", (json_int_t)info.huge_pages,
			   "huge_missed", (json_int_t)info.huge_missed);
	/* What does not exist is left out of the text, too. */
	if (ctx->backend == &backend_memfd) {
		json_object_del(counts, "store_limit_bytes");
		json_object_del(counts, "unsealed");
		json_object_del(counts, "huge_pages");
		json_object_del(counts, "huge_missed");
	}
	json_object_update(object, counts);
	json_decref(counts);
	return 0;
}

/* That there is no cgroup v2 is a finding of status, not a failure of it. */
static void put_cgroup(json_t *object)
{
	static const char *const wanted[] = { "memory", "pids" };
	json_t *lacks = json_array();
	char mount[PATH_MAX];
	struct error why;
	size_t i;

	if (cgroup_mount(mount, &why))
		json_object_set_new(object, "cgroup", json_string(why.text));
	else
		json_object_set_new(object, "cgroup", json_string(mount));
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!cgroup_has_controller(wanted[i]))
			json_array_append_new(lacks, json_string(wanted[i]));
	json_object_set_new(object, "cgroup_lacks", lacks);
}

/*
 * Overrides: rules by group, each group's programs looked for in the kernel.
 */

struct overrides {
	json_t *counts;		/* group → number of rules */
	json_t *array;
	struct error *err;
};

static int count_override(const struct override_info *info, void *data)
{
	struct overrides *overrides = data;
	json_int_t nr = json_integer_value(json_object_get(overrides->counts, info->group));

	return json_object_set_new(overrides->counts, info->group, json_integer(nr + 1));
}

static int put_group_overrides(const struct group_info *info, void *data)
{
	struct overrides *overrides = data;
	const json_t *count = json_object_get(overrides->counts, info->name);
	char path[PATH_MAX], text[256];
	bool attached;

	if (!count)
		return 0;
	if (cgroup_path(info->cgroup, path, overrides->err) ||
	    redirect_verify(info->name, path, &attached, overrides->err))
		return -1;
	snprintf(text, sizeof(text), "%s: %" JSON_INTEGER_FORMAT ", %s", info->name,
		 json_integer_value(count),
		 attached ? "attached" : "NOT ATTACHED: add one of them again");
	return json_array_append_new(overrides->array,
				     json_pack("{s:s, s:I, s:b, s:s}", "group", info->name,
					       "overrides", json_integer_value(count),
					       "attached", attached, "text", text));
}

static int put_overrides(const struct context *ctx, json_t *object, struct error *err)
{
	autojson json_t *counts = json_object();
	struct overrides overrides = { .counts = counts, .array = json_array(), .err = err };

	json_object_set_new(object, "overrides", overrides.array);
	if (redirect_each(NULL, count_override, &overrides, err))
		return -1;
	return ctx->backend->group_each(put_group_overrides, &overrides, err);
}

static void put_lacks(const struct context *ctx, json_t *object)
{
	json_t *lacks = json_array();
	size_t i;

	if (ctx->backend == &backend_memfd)
		for (i = 0; i < sizeof(memfd_lacks) / sizeof(memfd_lacks[0]); i++)
			json_array_append_new(lacks, json_string(memfd_lacks[i]));
	json_object_set_new(object, "lacks", lacks);
}

/* What the second wall of grants is made of here. */
static void put_landlock(json_t *object)
{
	json_t *lacks = json_array();
	int abi = landlock_abi();
	const char *const *what;

	for (what = landlock_lacks(abi); *what; what++)
		json_array_append_new(lacks, json_string(*what));
	json_object_set_new(object, "landlock_abi", json_integer(abi));
	json_object_set_new(object, "landlock_lacks", lacks);
}

/* One that cannot be deleted does not keep the others. */
static int put_stray(const struct stray *stray, void *data, struct error *err)
{
	struct strays *strays = data;
	const char *kind = stray_kinds[stray->kind];
	bool deleted = strays->prune && !stray_remove(stray, err);
	char text[1024];

	if (!strays->prune)
		snprintf(text, sizeof(text), "%s %s", kind, stray->name);
	else if (deleted)
		snprintf(text, sizeof(text), "%s %s: deleted", kind, stray->name);
	else
		snprintf(text, sizeof(text), "%s %s: not deleted: %s", kind, stray->name,
			 err->text);
	strays->failed |= strays->prune && !deleted;
	return json_array_append_new(strays->array,
				     json_pack("{s:s, s:s, s:b, s:s}", "kind", kind,
					       "name", stray->name, "deleted", deleted,
					       "text", text));
}

static int put_strays(struct strays *strays, json_t *object, struct error *err)
{
	strays->array = json_array();
	json_object_set_new(object, "strays", strays->array);
	return stray_each(put_stray, strays, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *object = json_object();
	struct strays strays = {};

	if (cmd_parse(&cmd_status, argc, argv, option, &strays, err) ||
	    put_strays(&strays, object, err) || put_counts(ctx, object, err))
		return -1;
	put_cgroup(object);
	put_lacks(ctx, object);
	put_landlock(object);
	if (put_overrides(ctx, object, err))
		return -1;
	if (output_object(ctx, object, fields, err))
		return -1;
	return strays.failed ? EXIT_REFUSED : EXIT_OK;
}

const struct command cmd_status = {
	.object = "status",
	.args = "[--prune]",
	.summary = "Show what is in force, what this hub lacks, and strays",
	.help = "Strays are what killed controllers left: cgroups, builds, overrides, grants, keepers and "
		"merged libraries that belong to no group or image.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
