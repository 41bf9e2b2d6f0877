// SPDX-License-Identifier: GPL-2.0
/* coppice deployment key generate|show FILE */
#include <string.h>

#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/signature.h"

static const struct column fields[] = {
	{ "id", "id", COLUMN_TEXT },
	{ "private", "can sign", COLUMN_TEXT },
	{}
};

struct arguments {
	const char *text[2];	/* what, file */
	int nr;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	(void)key;
	if (arguments->nr == 2)
		return error_usage(err, "'%.80s' is one argument too many after a FILE", arg);
	arguments->text[arguments->nr++] = arg;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = {};
	autojson json_t *key = NULL;
	bool generate;

	if (cmd_parse(&cmd_deployment_key, argc, argv, option, &arguments, err))
		return -1;
	if (arguments.nr < 2)
		return error_usage(err, "say what is to be done and with which FILE: deployment key generate FILE, or show FILE");
	generate = !strcmp(arguments.text[0], "generate");
	if (!generate && strcmp(arguments.text[0], "show"))
		return error_usage(err, "'%.80s' is nothing that keys are for: there are generate and show",
				   arguments.text[0]);
	if (generate && signature_key_generate(arguments.text[1], err))
		return -1;
	key = signature_key_describe(arguments.text[1], err);
	if (!key || output_object(ctx, key, fields, err))
		return -1;
	if (!ctx->json)
		fputs(json_string_value(json_object_get(key, "public")), stdout);
	return 0;
}

const struct command cmd_deployment_key = {
	.object = "deployment",
	.verb = "key",
	.args = "generate|show FILE",
	.summary = "Make a key that signs bundles, or show one",
	.help = "generate writes the private key to FILE, which nobody else can read, and the public one to FILE.pub, "
		"which goes into /etc/coppice/keys of each hub that is to take what it signs.",
	.run = run,
};
