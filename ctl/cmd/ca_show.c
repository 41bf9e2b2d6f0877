// SPDX-License-Identifier: GPL-2.0
/* coppice ca show */
#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/trust.h"

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "file", "certificate", COLUMN_TEXT },
	{ "sha256", "SHA-256", COLUMN_TEXT },
	{ "not_before", "valid from", COLUMN_TEXT },
	{ "not_after", "valid until", COLUMN_TEXT },
	{ "permitted", "may sign for", COLUMN_TEXT },
	{ "groups", "groups that trust it", COLUMN_TEXT },
	{ "services", "services", COLUMN_TEXT },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	(void)key;
	(void)data;
	return error_usage(err, "'%.80s' is one argument too many: ca show takes none", arg);
}

/* In the text form a service is one line. */
static void add_texts(json_t *certificates)
{
	json_t *certificate;
	size_t i;

	json_array_foreach(certificates, i, certificate)
		json_object_set_new(certificate, "text",
				    json_sprintf("%s, until %s",
						 json_string_value(json_object_get(certificate, "name")),
						 json_string_value(json_object_get(certificate, "not_after"))));
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *object = NULL;
	json_t *groups;

	if (cmd_parse(&cmd_ca_show, argc, argv, option, NULL, err))
		return -1;
	object = ca_describe(err);
	groups = object ? trust_groups(err) : NULL;
	if (!groups)
		return -1;
	json_object_set_new(object, "groups", groups);
	if (!ctx->json) {
		add_texts(json_object_get(object, "certificates"));
		json_object_set(object, "services", json_object_get(object, "certificates"));
	}
	return output_object(ctx, object, fields, err);
}

const struct command cmd_ca_show = {
	.object = "ca",
	.verb = "show",
	.summary = "Show the hub's certificate authority, what it has signed and who trusts it",
	.run = run,
};
