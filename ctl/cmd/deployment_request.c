// SPDX-License-Identifier: GPL-2.0
/* The words and the answer of `deployment plan` and `deployment apply`. */
#include "deployment_request.h"
#include "lib/cleanup.h"

const struct argp_option deployment_request_options[] = { DEPLOYMENT_REQUEST_OPTIONS, {} };
const struct argp_option deployment_apply_options[] = { DEPLOYMENT_REQUEST_OPTIONS, RUNNING_OPTION, {} };

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "version", "version", COLUMN_NUMBER },
	{ "from", "applied version", COLUMN_NUMBER },
	{ "digest", "digest", COLUMN_TEXT },
	{ "key", "signed by", COLUMN_TEXT },
	{ "unchanged", "nothing to do", COLUMN_TEXT },
	{ "changes", "changes", COLUMN_TEXT },
	{ "remapped", "remapped", COLUMN_TEXT },
	{ "drift", "drifted", COLUMN_TEXT },
	{}
};

int deployment_request_option(int key, char *arg, void *data, struct error *err)
{
	const struct deployment_words *words = data;
	struct deployment_request *request = words->request;

	switch (key) {
	case RUNNING_KEY:
		return running_parse(arg, words->running, err);
	case 'k':
		request->keys = arg;
		return 0;
	case 'r':
		return conflict_range_parse(arg, &request->range, err);
	}
	if (request->bundle)
		return error_usage(err, "'%.80s' is one argument too many: give one BUNDLE", arg);
	request->bundle = arg;
	return 0;
}

int deployment_request_parse(const struct command *command, int argc, char **argv,
			     struct deployment_request *request, enum group_running *running,
			     struct error *err)
{
	struct deployment_words words = { request, running };

	*running = RUNNING_DRAIN;
	if (cmd_parse(command, argc, argv, deployment_request_option, &words, err))
		return -1;
	if (!request->bundle)
		return error_usage(err, "deployment %s needs the BUNDLE: see `coppice help deployment %s`",
				   command->verb, command->verb);
	return request->range.to ? 0 : conflict_range_read(&request->range, err);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* "change user till: 70000:70000 → 70000:70000 70001" */
static void add_texts(json_t *changes)
{
	json_t *change;
	size_t i;

	json_array_foreach(changes, i, change) {
		const char *from = text_of(change, "from"), *to = text_of(change, "to");

		json_object_set_new(change, "text",
				    json_sprintf("%s %s %s: %s%s%s", text_of(change, "change"),
						 text_of(change, "kind"), text_of(change, "name"),
						 from ?: "", from && to ? " → " : "", to ?: ""));
	}
}

int deployment_request_print(const struct context *ctx, json_t *answer, struct error *err)
{
	autojson json_t *object = answer;

	if (!object)
		return -1;
	if (!ctx->json)
		add_texts(json_object_get(object, "changes"));
	return output_object(ctx, object, fields, err);
}
