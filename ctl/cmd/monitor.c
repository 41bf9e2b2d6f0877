// SPDX-License-Identifier: GPL-2.0
/* coppice monitor */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static int option(int key, char *arg, void *data, struct error *err)
{
	(void)key;
	(void)data;
	return error_usage(err, "'%.80s' is one argument too many: monitor takes none", arg);
}

static void print_value(const json_t *value)
{
	if (json_is_string(value))
		fputs(json_string_value(value), stdout);
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "yes" : "no", stdout);
	else
		printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
}

/* "task-enter group=web pid=12 …" */
static void print_text(json_t *event)
{
	const char *key;
	json_t *value;

	print_value(json_object_get(event, "event"));
	json_object_foreach(event, key, value) {
		if (!strcmp(key, "event"))
			continue;
		printf(" %s=", key);
		print_value(value);
	}
}

static int print(json_t *event, void *data, struct error *err)
{
	const struct context *ctx = data;

	if (ctx->json)
		return output_line(event, err);
	print_text(event);
	return output_end_line(err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	if (cmd_parse(&cmd_monitor, argc, argv, option, NULL, err))
		return -1;
	if (!ctx->backend->events)
		return error_set(err, EOPNOTSUPP, "the %s backend has no events: load the module, or poll coppice task list",
				 ctx->backend->name);
	return ctx->backend->events(print, ctx, err);
}

const struct command cmd_monitor = {
	.object = "monitor",
	.summary = "Print events as they happen, one a line",
	.help = "Images, groups and tasks that come and go. With --json a line is an object.",
	.needs_backend = true,
	.run = run,
};
