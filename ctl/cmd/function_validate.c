// SPDX-License-Identifier: GPL-2.0
/* coppice function validate FILE|DIRECTORY */
#include "function.h"
#include "lib/cleanup.h"

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "runtime", "runtime", COLUMN_TEXT },
	{ "owner", "owner", COLUMN_TEXT },
	{ "group", "group", COLUMN_TEXT },
	{ "digest", "digest", COLUMN_TEXT },
	{}
};

static int check(const struct context *ctx, struct function *function, struct error *err)
{
	autojson json_t *row = NULL;

	if (function_digest(function, err))
		return -1;
	row = function_row(ctx, function);
	/* What only a function that is deployed has. */
	json_object_del(row, "mode");
	json_object_del(row, "reason");
	json_object_del(row, "state");
	json_object_del(row, "tasks");
	return output_object(ctx, row, fields, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct function function;
	const char *path;
	int ret;

	if (cmd_parse_one(&cmd_function_validate, argc, argv, "the FILE of a manifest", &path, err) ||
	    function_read(path, &function, err))
		return -1;
	ret = check(ctx, &function, err);
	function_free(&function);
	return ret;
}

const struct command cmd_function_validate = {
	.object = "function",
	.verb = "validate",
	.args = "FILE|DIRECTORY",
	.summary = "Check a function's manifest and files, and change nothing",
	.help = "The group is the one that it would share here and on any other hub.",
	.run = run,
};
