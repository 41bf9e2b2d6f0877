// SPDX-License-Identifier: GPL-2.0
/* coppice function show FUNCTION [--why] */
#include <stdio.h>
#include <string.h>

#include "function.h"
#include "lib/cleanup.h"
#include "lib/function_group.h"
#include "lib/function_store.h"

enum { OPTION_WHY = 256 };

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "version", "version", COLUMN_TEXT },
	{ "alias", "alias", COLUMN_TEXT },
	{ "runtime", "runtime", COLUMN_TEXT },
	{ "mode", "mode", COLUMN_TEXT },
	{ "reason", "why ordinary", COLUMN_TEXT },
	{ "group", "group", COLUMN_TEXT },
	{ "state", "state", COLUMN_TEXT },
	{ "tasks", "tasks of the group", COLUMN_NUMBER },
	{ "owner", "owner", COLUMN_TEXT },
	{ "trust_domain", "trust domain", COLUMN_TEXT },
	{ "share", "may share", COLUMN_TEXT },
	{ "reuse", "reuse", COLUMN_TEXT },
	{ "timeout", "timeout, seconds", COLUMN_NUMBER },
	{ "memory", "memory, MiB", COLUMN_NUMBER },
	{ "priority", "priority", COLUMN_NUMBER },
	{ "digest", "digest", COLUMN_TEXT },
	{ "directory", "code", COLUMN_TEXT },
	{}
};

static int print_why(const struct context *ctx, const struct function *function,
		     struct error *err)
{
	autojson json_t *row = NULL, *why = NULL;
	struct functions all;
	const json_t *sentence;
	size_t i;

	if (functions_read(&all, err))
		return -1;
	why = function_why(function, all.list, all.nr);
	functions_free(&all);
	if (ctx->json) {
		row = function_row(ctx, function);
		json_object_set(row, "why", why);
		return output_object(ctx, row, fields, err);
	}
	json_array_foreach(why, i, sentence)
		printf("%s\n", json_string_value(sentence));
	return EXIT_OK;
}

static int print(const struct context *ctx, const struct function *function, struct error *err)
{
	autojson json_t *row = function_row(ctx, function);

	return output_object(ctx, row, fields, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct function function;
	const char *name;
	bool why;
	int ret;

	if (cmd_parse_one_flag(&cmd_function_show, argc, argv, "the name of the FUNCTION", &name,
			       &why, err))
		return -1;
	if (function_get(name, &function, err))
		return -1;
	ret = why ? print_why(ctx, &function, err) : print(ctx, &function, err);
	function_free(&function);
	return ret;
}

const struct command cmd_function_show = {
	.object = "function",
	.verb = "show",
	.args = "FUNCTION [--why]",
	.summary = "Show a function, or why it is in its group",
	.help = "With --json everything that its manifest says, but for the values of its environment.",
	.options = (const struct argp_option []) {
		{ .name = "why", .key = OPTION_WHY,
		  .doc = "say by which rule it shares its group with others, or does not" },
		{}
	},
	.needs_backend = true,
	.run = run,
};
