// SPDX-License-Identifier: GPL-2.0
/* coppice function add FILE|DIRECTORY… */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static const struct column columns[] = {
	{ "name", "NAME", COLUMN_TEXT },
	{ "group", "GROUP", COLUMN_TEXT },
	{ "mode", "MODE", COLUMN_TEXT },
	{ "reason", "WHY ORDINARY", COLUMN_TEXT },
	{}
};

struct arguments {
	const char **paths;
	size_t nr;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	(void)key;
	(void)err;
	arguments->paths[arguments->nr++] = arg;
	return 0;
}

static int refuse_same_name(const struct functions *functions, const char *path, struct error *err)
{
	const struct function *last = &functions->list[functions->nr - 1], *other;

	for (other = functions->list; other < last; other++)
		if (!strcmp(other->name, last->name))
			return error_set(err, EEXIST, "%.200s: function %s is in a manifest before it, too: give each once",
					 path, last->name);
	return 0;
}

/* All of them, before anything is made. */
static int read_all(const struct arguments *arguments, struct functions *functions, struct error *err)
{
	size_t i;

	functions->list = calloc(arguments->nr, sizeof(*functions->list));
	if (!functions->list)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < arguments->nr; i++) {
		if (function_read(arguments->paths[i], &functions->list[i], err))
			return -1;
		functions->nr++;
		if (refuse_same_name(functions, arguments->paths[i], err))
			return -1;
	}
	return 0;
}

/* Somebody may have asked for one of those that were there already. */
static int deploy_all(struct context *ctx, struct functions *functions, struct error *err)
{
	struct error ignored;
	size_t i;

	for (i = 0; i < functions->nr; i++)
		if (function_deploy(ctx, &functions->list[i], err))
			break;
	if (i == functions->nr)
		return 0;
	while (i--)
		(void)!function_withdraw(ctx, &functions->list[i], RUNNING_END, &ignored);
	return -1;
}

static int print(const struct context *ctx, const struct functions *functions, struct error *err)
{
	autojson json_t *rows = json_array();
	size_t i;

	for (i = 0; i < functions->nr; i++)
		json_array_append_new(rows, function_row(ctx, &functions->list[i]));
	if (functions->nr > 1)
		return output_rows(ctx, rows, columns, err);
	return output_object(ctx, json_array_get(rows, 0), fields, err);
}

static int add(struct context *ctx, const struct arguments *arguments, struct error *err)
{
	struct functions functions = {};
	autoclose int lock = -1;
	int ret = read_all(arguments, &functions, err);

	if (!ret) {
		lock = function_lock(err);
		ret = lock < 0 || deploy_all(ctx, &functions, err) ? -1 : print(ctx, &functions, err);
	}
	functions_free(&functions);
	return ret;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autofree const char **paths = calloc(argc, sizeof(*paths));
	struct arguments arguments = { .paths = paths };

	if (!paths)
		return error_set(err, ENOMEM, "out of memory");
	if (cmd_parse(&cmd_function_add, argc, argv, option, &arguments, err))
		return -1;
	if (!arguments.nr)
		return error_usage(err, "the FILE of a manifest is missing: coppice function add %s",
				   cmd_function_add.args);
	return add(ctx, &arguments, err);
}

const struct command cmd_function_add = {
	.object = "function",
	.verb = "add",
	.args = "FILE|DIRECTORY…",
	.summary = "Deploy functions by their manifests: copy their code, make their images and groups",
	.help = "FILE is a manifest in JSON; its code is the files that it names, beside it or below. Of a DIRECTORY the "
		"manifest is function.json, and the code is all that is in there. If functions that are there already may share "
		"theirs, no image is built. Code that no image can carry runs as ordinary processes. If one of several can't be "
		"deployed, none is. On failure nothing is left.",
	.needs_backend = true,
	.run = run,
};
