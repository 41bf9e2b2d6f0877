// SPDX-License-Identifier: GPL-2.0
/* coppice deployment rollback NAME */
#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/deployment_apply.h"

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "version", "version", COLUMN_NUMBER },
	{ "from", "version before", COLUMN_NUMBER },
	{ "digest", "digest", COLUMN_TEXT },
	{}
};

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *object = NULL;
	const char *name;

	if (cmd_parse_one(&cmd_deployment_rollback, argc, argv, "the NAME of a deployment", &name,
			  err))
		return -1;
	object = deployment_rollback(name, err);
	return object ? output_object(ctx, object, fields, err) : -1;
}

const struct command cmd_deployment_rollback = {
	.object = "deployment",
	.verb = "rollback",
	.args = "NAME",
	.summary = "Put the version in force that was applied before",
	.help = "One version is kept; rolling back twice leads to where it began. The data in volumes "
		"stays as it is and gets the permissions of that version. A version older than the newest "
		"that the hub has had comes back in no other way.",
	.run = run,
};
