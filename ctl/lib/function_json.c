// SPDX-License-Identifier: GPL-2.0
/* The manifest of a function, written whole. */
#include <string.h>

#include "function.h"
#include "function_field.h"

static json_t *code_json(const struct function *function)
{
	return function->file ? json_sprintf("%s:%s", function->file, function->handler) :
				texts_json(function->command);
}

static json_t *environment_json(const struct function *function)
{
	json_t *object = json_object();
	char *const *variable;
	const char *equals;
	char *name;

	for (variable = function->environment; *variable; variable++) {
		equals = strchr(*variable, '=');
		name = strndup(*variable, equals - *variable);
		if (name)
			json_object_set_new(object, name, json_string(equals + 1));
		free(name);
	}
	return object;
}

static json_t *triggers_json(const struct function *function)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < function->nr_triggers; i++)
		json_array_append_new(array, json_pack("{s:s, s:s*}", "topic",
						       function->triggers[i].topic, "response",
						       function->triggers[i].response));
	return array;
}

static void add_optional(json_t *object, const struct function *function)
{
	struct {
		const char *key, *text;
	} texts[] = {
		{ "version", function->version }, { "alias", function->alias },
		{ "base", function->base }, { "placement", function->placement },
		{ "grants", function->grants },
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].text)
			json_object_set_new(object, texts[i].key, json_string(texts[i].text));
	if (function->on_stdin)
		json_object_set_new(object, "checkpoint_on_stdin", json_true());
	if (function->forward_hub || function->forward_cloud)
		json_object_set_new(object, "forward",
				    json_pack("{s:s*, s:s*, s:b}", "hub", function->forward_hub,
					      "cloud", function->forward_cloud,
					      "queue", function->forward_queue));
}

json_t *function_json(const struct function *function)
{
	json_t *object = json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:s, s:i, s:i, s:{s:i, s:i}, "
				   "s:s, s:b, s:i, s:o, s:o, s:{s:o, s:o, s:o}, s:o}",
				   "name", function->name,
				   "runtime", function_runtimes[function->runtime],
				   "code", code_json(function), "warm", texts_json(function->warm),
				   "environment", environment_json(function),
				   "owner", (json_int_t)function->owner,
				   "trust_domain", function->trust_domain,
				   "timeout", function->timeout, "memory", function->memory,
				   "concurrency", "min_warm", function->min_warm,
				   "max", function->max,
				   "reuse", function_reuses[function->reuse],
				   "share", function->share, "priority", function->priority,
				   "overrides", texts_json(function->overrides),
				   "libraries", texts_json(function->libraries),
				   "devices", "tokens", texts_json(function->tokens),
				   "certificates", texts_json(function->certificates),
				   "mqtt", texts_json(function->mqtt),
				   "triggers", triggers_json(function));

	if (object)
		add_optional(object, function);
	return object;
}
