// SPDX-License-Identifier: GPL-2.0
/* Overrides as a JSON list. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json_read.h"
#include "lib/overrides.h"
#include "override.h"

/* What `override list --json` says besides: read over. */
static const char *const told[] = {
	"group", "address", "protocol", "kind", "cloud", "rule", "open", "redirected",
	"fell_through", "denied", "no_handler",
};

static bool is_told(const char *key)
{
	size_t i;

	for (i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (!strcmp(key, told[i]))
			return true;
	return false;
}

static int read_handler(const json_t *value, struct override *override, struct error *err)
{
	const char *text = json_string_value(value);
	const json_t *weight = json_object_get(value, "weight");

	if (json_is_object(value))
		text = json_string_value(json_object_get(value, "handler"));
	if (!text || (weight && !json_is_integer(weight)))
		return error_usage(err, "a handler is a text, or an object with handler and weight");
	if (override_add_handler(override, text, err))
		return -1;
	if (!weight)
		return 0;
	if (json_integer_value(weight) < 1 || json_integer_value(weight) > 1000)
		return error_usage(err, "the weight of %.80s is a number from 1 to 1000", text);
	override->handlers[override->nr_handlers - 1].weight = json_integer_value(weight);
	return 0;
}

static int read_handlers(const json_t *object, struct override *override, struct error *err)
{
	const json_t *handlers = json_object_get(object, "handlers");
	const json_t *handler = json_object_get(object, "handler");
	size_t i;

	if (handlers && !json_is_array(handlers))
		return error_usage(err, "handlers is a list");
	for (i = 0; i < json_array_size(handlers); i++)
		if (read_handler(json_array_get(handlers, i), override, err))
			return -1;
	return handler && !handlers ? read_handler(handler, override, err) : 0;
}

static int check_keys(json_t *object, struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
		if (strcmp(key, "endpoint") && strcmp(key, "handler") && strcmp(key, "handlers") &&
		    strcmp(key, "policy") && !is_told(key))
			return error_usage(err, "'%.80s' is no field of an override: there are endpoint, handler, handlers and policy",
					   key);
	return 0;
}

static int read_override(json_t *object, struct override *override, struct error *err)
{
	const char *endpoint = json_string_value(json_object_get(object, "endpoint"));
	const json_t *policy = json_object_get(object, "policy");

	if (!json_is_object(object))
		return error_usage(err, "it is no object");
	if (check_keys(object, err))
		return -1;
	if (!endpoint)
		return error_usage(err, "it has no endpoint, which is a text");
	if (policy && !json_is_string(policy))
		return error_usage(err, "policy is a text");
	if (overrides_parse(endpoint, override, err) ||
	    (policy && policy_of_override(json_string_value(policy), &override->policy, err)))
		return -1;
	return read_handlers(object, override, err);
}

/* The rules for DNS are not the user's. */
static bool is_listed(const json_t *object)
{
	const char *kind = json_string_value(json_object_get(object, "kind"));

	return !kind || strcmp(kind, "dns");
}

ssize_t override_read_list(const json_t *list, struct override **overrides, struct error *err)
{
	size_t nr = 0, i;

	if (!json_is_array(list))
		return error_usage(err, "it is no JSON list");
	if (json_array_size(list) > REDIRECT_RULES_MAX)
		return error_usage(err, "it has %zu overrides: the hub can hold %d",
				   json_array_size(list), REDIRECT_RULES_MAX);
	*overrides = calloc(json_array_size(list) + 1, sizeof(**overrides));
	if (!*overrides)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < json_array_size(list); i++) {
		json_t *object = json_array_get(list, i);

		if (!is_listed(object))
			continue;
		if (read_override(object, &(*overrides)[nr++], err))
			return error_prefix(err, "override %zu", i + 1);
	}
	return nr;
}

ssize_t override_read(const char *path, struct override **overrides, struct error *err)
{
	autojson json_t *list = NULL;
	json_error_t wrong;
	ssize_t nr;

	if (strcmp(path, "-"))
		list = json_read_file(path, JSON_REJECT_DUPLICATES, &wrong);
	else
		list = json_read_stream(stdin, JSON_REJECT_DUPLICATES, &wrong);
	if (!list)
		return json_read_starved(path, err) ? -1 :
			error_usage(err, "%.200s: %.160s (line %d)", path, wrong.text, wrong.line);
	nr = override_read_list(list, overrides, err);
	return nr < 0 ? error_prefix(err, "%.200s", path) : nr;
}
