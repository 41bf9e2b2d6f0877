// SPDX-License-Identifier: GPL-2.0
/* coppice deployment rollback NAME */
#include "deployment_functions.h"
#include "running.h"
#include "lib/cleanup.h"
#include "lib/deployment_apply.h"
#include "lib/late.h"

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "version", "version", COLUMN_NUMBER },
	{ "from", "version before", COLUMN_NUMBER },
	{ "digest", "digest", COLUMN_TEXT },
	{}
};

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct running_words words = { .running = RUNNING_DRAIN };
	autojson json_t *object = NULL;

	if (running_words_parse(&cmd_deployment_rollback, argc, argv, &words, err))
		return -1;
	late_need_groups();
	object = deployment_rollback(words.name, err);
	if (!object || deployment_functions_settle(ctx, words.name, words.running, err))
		return -1;
	if (!output_object(ctx, object, fields, err))
		return 0;
	/* Whoever does it once more goes back to where it began. */
	return error_prefix(err, "deployment %s is rolled back, but that cannot be told", words.name);
}

const struct command cmd_deployment_rollback = {
	.object = "deployment",
	.verb = "rollback",
	.args = "NAME [--running WHAT]",
	.summary = "Put the version in force that was applied before",
	.help = "One version is kept; rolling back twice leads to where it began. The data in volumes "
		"stays as it is and gets the permissions of that version. A version older than the newest "
		"that the hub has had comes back in no other way. Functions that it carries follow, as by apply.",
	.options = (const struct argp_option []) { RUNNING_OPTION, {} },
	.run = run,
};
