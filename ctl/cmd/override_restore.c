// SPDX-License-Identifier: GPL-2.0
/* coppice override restore [GROUP] */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/kept.h"
#include "lib/name.h"
#include "lib/overrides.h"
#include "override.h"

static const struct column columns[] = {
	{ "group", "GROUP", COLUMN_TEXT },
	{ "overrides", "OVERRIDES", COLUMN_NUMBER },
	{ "state", "STATE", COLUMN_TEXT },
	{}
};

/* 1 or 0, or -1 where that cannot be told. */
static int is_there(const struct context *ctx, const char *group, struct group_info *info, struct error *err)
{
	if (!strcmp(group, REDIRECT_HUB_NAME) || !ctx->backend->group_get(group, info, err))
		return 1;
	return err->code == ENOENT ? 0 : -1;
}

/* A name may be somebody else's now. */
static int check_owner(const char *group, uid_t now, const json_t *kept, struct error *err)
{
	const json_t *owner = json_object_get(kept, "owner");

	if (!strcmp(group, REDIRECT_HUB_NAME) ||
	    (json_is_integer(owner) && json_integer_value(owner) == now))
		return 0;
	return error_set(err, EPERM, "the overrides of group %s that are kept were another owner's: add them again, or delete the group and with it what is kept",
			 group);
}

/* All or none, in place of what the group has. */
static int restore(const struct context *ctx, const char *group, const json_t *kept,
		   struct error *err)
{
	autofree struct override *overrides = NULL;
	ssize_t nr = override_read_list(json_object_get(kept, "overrides"), &overrides, err);

	if (nr < 0 || override_ready(ctx, group, overrides, nr, err))
		return -1;
	return overrides_set(group, overrides, nr, REDIRECT_KEEP, err);
}

/* A row of what became of it; NULL and an error for none that is kept. */
static json_t *restore_group(const struct context *ctx, const char *group, bool *failed,
			     struct error *err)
{
	autojson json_t *kept = kept_read(group, err);
	const char *state = "restored";
	struct group_info info = {};
	json_t *row;
	int there;

	if (!kept)
		return NULL;
	there = is_there(ctx, group, &info, err);
	if (!there) {
		state = "no such group yet";
	} else if (there < 0 || check_owner(group, info.owner, kept, err) || restore(ctx, group, kept, err)) {
		state = err->text;
		*failed = true;
	}
	row = json_pack("{s:s, s:i, s:s}", "group", group, "overrides",
			(int)json_array_size(json_object_get(kept, "overrides")), "state", state);
	if (!row)
		error_set(err, ENOMEM, "out of memory");
	return row;
}

static int restore_all(const struct context *ctx, const json_t *groups, json_t *rows,
		       struct error *err)
{
	bool failed = false;
	json_t *row;
	size_t i;

	for (i = 0; i < json_array_size(groups); i++) {
		row = restore_group(ctx, json_string_value(json_array_get(groups, i)), &failed, err);
		if (!row)
			return -1;
		json_array_append_new(rows, row);
	}
	return failed;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *groups = NULL, *rows = json_array();
	const char *group;
	int failed;

	if (cmd_parse_word(&cmd_override_restore, argc, argv, &group, err) ||
	    (group && strcmp(group, REDIRECT_HUB_NAME) && name_check("a group", group, err)))
		return -1;
	groups = group ? json_pack("[s]", group) : kept_groups(err);
	if (!groups)
		return group ? error_set(err, ENOMEM, "out of memory") : -1;
	failed = restore_all(ctx, groups, rows, err);
	return failed < 0 || output_rows(ctx, rows, columns, err) ? -1 : failed;
}

const struct command cmd_override_restore = {
	.object = "override",
	.verb = "restore",
	.args = "[GROUP]",
	.summary = "Put overrides in force again that a reboot took away",
	.help = "What is added, set and deleted is also kept in /var/lib/coppice/overrides, until the group is deleted. After a reboot, "
		"once a group has been added again, its overrides of sockets replace those it has; @hub stands for those of all "
		"groups. Without a GROUP that is done for all; groups that are not there yet are told of and left for later. It "
		"fails (1) if one of them cannot be restored, and its STATE says why.",
	.needs_backend = true,
	.run = run,
};
