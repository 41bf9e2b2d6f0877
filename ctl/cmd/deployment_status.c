// SPDX-License-Identifier: GPL-2.0
/* coppice deployment status [NAME] */
#include <time.h>

#include "cmd.h"
#include "deployment_functions.h"
#include "lib/cleanup.h"
#include "lib/deployment_apply.h"
#include "lib/deployment_store.h"

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "version", "version", COLUMN_NUMBER },
	{ "digest", "digest", COLUMN_TEXT },
	{ "key", "signed by", COLUMN_TEXT },
	{ "time", "applied", COLUMN_TEXT },
	{ "previous", "previous version", COLUMN_NUMBER },
	{ "state", "state", COLUMN_TEXT },
	{ "drift", "drift", COLUMN_TEXT },
	{}
};

static const struct column columns[] = {
	{ "name", "NAME", COLUMN_TEXT },
	{ "version", "VERSION", COLUMN_NUMBER },
	{ "previous", "PREVIOUS", COLUMN_NUMBER },
	{ "time", "APPLIED", COLUMN_TEXT },
	{ "state", "STATE", COLUMN_TEXT },
	{}
};

static void add_time(json_t *status)
{
	time_t applied = json_integer_value(json_object_get(status, "applied"));
	struct tm tm;
	char text[32];

	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", localtime_r(&applied, &tm));
	json_object_set_new(status, "time", json_string(text));
}

static int print_one(struct context *ctx, const char *name, struct error *err)
{
	autojson json_t *status = deployment_status(name, err);

	if (!status || deployment_functions_status(ctx, status, err))
		return -1;
	if (!ctx->json)
		add_time(status);
	return output_object(ctx, status, fields, err);
}

/* One that cannot be looked at does not hide the others. */
static json_t *status_of(struct context *ctx, const char *name, struct error *err)
{
	json_t *status = deployment_status(name, err);

	if (status && !deployment_functions_status(ctx, status, err))
		return status;
	json_decref(status);
	if (error_hides(err->code))
		return NULL;
	status = json_pack("{s:s, s:s, s:[s]}", "name", name, "state", "damaged", "drift", err->text);
	if (!status)
		error_set(err, ENOMEM, "out of memory");
	return status;
}

static int print_all(struct context *ctx, struct error *err)
{
	autojson json_t *names = deployment_store_names(err);
	autojson json_t *rows = json_array();
	const json_t *name;
	json_t *status;
	size_t i;

	if (!names)
		return -1;
	json_array_foreach(names, i, name) {
		status = status_of(ctx, json_string_value(name), err);
		if (!status)
			return -1;
		if (!ctx->json)
			add_time(status);
		json_array_append_new(rows, status);
	}
	return output_rows(ctx, rows, columns, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	const char *name = NULL;

	if (cmd_parse_word(&cmd_deployment_status, argc, argv, &name, err))
		return -1;
	return name ? print_one(ctx, name, err) : print_all(ctx, err);
}

const struct command cmd_deployment_status = {
	.object = "deployment",
	.verb = "status",
	.args = "[NAME]",
	.summary = "List the hub's deployments, or show one and what has drifted from it",
	.help = "What is on the disk is compared with what was applied: owners, modes and ACLs of the tree and the "
		"volumes, and the hub's paths, devices and secrets that it refers to; and of functions that it carries "
		"manifest, code, group, grants and overrides.",
	.run = run,
};
