// SPDX-License-Identifier: GPL-2.0
/* coppice function restore */
#include <errno.h>

#include "function.h"
#include "lib/cleanup.h"
#include "lib/function_group.h"
#include "lib/function_store.h"

static const struct column columns[] = {
	{ "name", "NAME", COLUMN_TEXT },
	{ "group", "GROUP", COLUMN_TEXT },
	{ "state", "STATE", COLUMN_TEXT },
	{}
};

/* 1 if it is, 0 if not, -1 if that can't be told. */
static int is_there(const struct context *ctx, const char *group, struct error *err)
{
	struct group_info info;

	if (!ctx->backend->group_find(group, &info, err))
		return 1;
	return err->code == ENOENT ? 0 : -1;
}

/* What was found out about its code is found out again, and may be something else on another kernel. */
static int make_again(struct context *ctx, struct function *function, struct error *err)
{
	enum function_mode before = function->mode;

	if (function_set_up(ctx, function, err) || function_limit(function, NULL, err))
		return -1;
	return function->mode == before ? 0 : function_put(function, err);
}

/* A row of what became of it, or NULL if there is nothing to do. */
static json_t *restore(struct context *ctx, struct function *function, bool *failed)
{
	char group[IMAGE_NAME_MAX + 1] = "";
	const char *state = "restored";
	struct error err;
	int there = function_group_name(function, group, &err) ? -1 : is_there(ctx, group, &err);

	if (there > 0)
		return NULL;
	if (there < 0 || make_again(ctx, function, &err)) {
		state = err.text;
		*failed = true;
	}
	return json_pack("{s:s, s:s, s:s}", "name", function->name, "group", group, "state", state);
}

static void restore_all(struct context *ctx, struct functions *functions, json_t *rows, bool *failed)
{
	json_t *row;
	size_t i;

	for (i = 0; i < functions->nr; i++) {
		row = restore(ctx, &functions->list[i], failed);
		if (row)
			json_array_append_new(rows, row);
	}
}

static int option(int key, char *arg, void *data, struct error *err)
{
	(void)key;
	(void)data;
	return error_usage(err, "'%.80s' is one argument too many: all functions are restored", arg);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *rows = json_array();
	struct functions functions;
	autoclose int lock = -1;
	bool failed = false;

	if (cmd_parse(&cmd_function_restore, argc, argv, option, NULL, err))
		return -1;
	lock = function_lock(err);
	if (lock < 0 || functions_read(&functions, err))
		return -1;
	restore_all(ctx, &functions, rows, &failed);
	functions_free(&functions);
	return output_rows(ctx, rows, columns, err) ? -1 : failed;
}

const struct command cmd_function_restore = {
	.object = "function",
	.verb = "restore",
	.summary = "Make images and groups again that a reboot took away",
	.help = "Functions stay deployed, while images and groups are in memory. Of those whose group is not there both are made again, "
		"as `function add` made them; others are left alone. It fails (1) if one of them cannot be, and its STATE says why.",
	.needs_backend = true,
	.run = run,
};
