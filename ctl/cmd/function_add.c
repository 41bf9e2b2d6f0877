// SPDX-License-Identifier: GPL-2.0
/* coppice function add FILE|DIRECTORY */
#include "function_deploy.h"
#include "lib/cleanup.h"
#include "lib/function_store.h"

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "group", "group", COLUMN_TEXT },
	{ "mode", "mode", COLUMN_TEXT },
	{ "reason", "why ordinary", COLUMN_TEXT },
	{}
};

static int print(const struct context *ctx, const struct function *function, struct error *err)
{
	autojson json_t *row = function_row(ctx, function);

	return output_object(ctx, row, fields, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct function function;
	autoclose int lock = -1;
	const char *path;
	int ret = -1;

	if (cmd_parse_one(&cmd_function_add, argc, argv, "the FILE of a manifest", &path, err) ||
	    function_read(path, &function, err))
		return -1;
	lock = function_lock(err);
	if (lock >= 0 && !function_deploy(ctx, &function, err))
		ret = print(ctx, &function, err);
	function_free(&function);
	return ret;
}

const struct command cmd_function_add = {
	.object = "function",
	.verb = "add",
	.args = "FILE|DIRECTORY",
	.summary = "Deploy a function by its manifest: copy its code, make its image and group",
	.help = "FILE is a manifest in JSON; its code is the files that it names, beside it or below. Of a DIRECTORY the "
		"manifest is function.json, and the code is all that is in there. If functions that are there already may share "
		"theirs, no image is built. Code that no image can carry runs as ordinary processes. On failure nothing is left.",
	.needs_backend = true,
	.run = run,
};
