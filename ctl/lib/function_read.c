// SPDX-License-Identifier: GPL-2.0
/* Manifests of functions: read strictly, and written whole. */
#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "file.h"
#include "function.h"
#include "function_field.h"
#include "function_grants.h"
#include "json_read.h"
#include "name.h"
#include "overrides.h"
#include "topic.h"
#include "user.h"

#define TIMEOUT		3	/* as in the cloud */
#define TIMEOUT_MAX	900
#define MEMORY		128
#define MEMORY_MIN	8
#define MEMORY_MAX	10240
#define TASKS		8
#define TASKS_MAX	10000
#define PRIORITY_MAX	100
#define TRIGGERS_MAX	64

const char *const function_runtimes[NR_FUNCTION_RUNTIMES] = { "python", "command", "bootstrap" };
const char *const function_reuses[NR_FUNCTION_REUSES] = { "reset", "keep", "fresh" };
const char *const function_modes[NR_FUNCTION_MODES] = { "image", "ordinary" };

/*
 * Fields that are no plain values.
 */

static int read_name(const json_t *value, const char *key, void *data, struct error *err)
{
	struct function *function = data;
	const char *name = json_string_value(value);

	if (!name)
		return error_set(err, EINVAL, "%s is no text: give the function's name", key);
	if (name_check("a function", name, err))
		return error_prefix(err, "%s", key);
	snprintf(function->name, sizeof(function->name), "%s", name);
	return 0;
}

/* "store.py:handler" */
static int read_handler(struct function *function, const char *text, const char *key,
			struct error *err)
{
	const char *colon = strrchr(text, ':');

	if (!colon || colon == text || !colon[1])
		return error_set(err, EINVAL, "%s is '%.80s': give FILE:HANDLER, like store.py:handler",
				 key, text);
	function->file = strndup(text, colon - text);
	function->handler = strdup(colon + 1);
	if (!function->file || !function->handler)
		return error_set(err, ENOMEM, "out of memory");
	if (!field_is_inside(function->file))
		return error_set(err, EINVAL, "%s is '%.80s': the file has to be beside the manifest or below, without dots in its path",
				 key, text);
	return 0;
}

/* Which of the two it has to be is known when all is read. */
static int read_code(const json_t *value, const char *key, void *data, struct error *err)
{
	struct function *function = data;

	if (json_is_string(value))
		return read_handler(function, json_string_value(value), key, err);
	if (!json_is_array(value) || !json_array_size(value))
		return error_set(err, EINVAL, "%s is neither FILE:HANDLER nor a list: give \"store.py:handler\", or the words of a command",
				 key);
	if (texts_read(value, key, false, &function->command, err))
		return -1;
	/* As shells have it; one file has one name. */
	if (!strncmp(function->command[0], "./", 2))
		memmove(function->command[0], function->command[0] + 2,
			strlen(function->command[0]) - 1);
	return 0;
}

static int read_owner(const json_t *value, const char *key, void *data, struct error *err)
{
	struct function *function = data;
	json_int_t uid = json_integer_value(value);
	struct user user;

	if (json_is_string(value)) {
		if (user_find(json_string_value(value), &user, err))
			return error_prefix(err, "%s", key);
		function->owner = user.uid;
		return 0;
	}
	if (!json_is_integer(value) || uid < 0 || uid >= UINT32_MAX)
		return error_set(err, EINVAL, "%s is neither a user's name nor number: give one of them",
				 key);
	function->owner = uid;
	return 0;
}

/* What the controller sets itself, or drops for safety's sake. */
static const char *const reserved[] = {
	"LD_", "COPPICE_", "SUDO_", "MALLOC_", "GCONV_PATH", "HOME", "USER", "LOGNAME",
	"AWS_LAMBDA_", "_HANDLER", "_X_AMZN_TRACE_ID", "LAMBDA_", "PYTHONPATH", "PYTHONSAFEPATH",
};

static bool is_reserved(const char *name)
{
	size_t len, i;

	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		len = strlen(reserved[i]);
		if (reserved[i][len - 1] == '_' ? !strncmp(name, reserved[i], len) :
						  !strcmp(name, reserved[i]))
			return true;
	}
	return false;
}

static int check_variable(const char *name, const json_t *value, const char *key,
			  struct error *err)
{
	const char *c;

	for (c = name; isascii(*c) && (isalpha(*c) || *c == '_' || (c > name && isdigit(*c))); c++)
		;
	if (c == name || *c)
		return error_set(err, EINVAL, "%s: '%.80s' cannot name a variable: use letters, digits and underscores, no digit first",
				 key, name);
	if (is_reserved(name))
		return error_set(err, EINVAL, "%s: %.80s is set by the hub: leave it out", key, name);
	if (!json_is_string(value))
		return error_set(err, EINVAL, "%s.%.80s is no text: give a text, maybe an empty one",
				 key, name);
	return 0;
}

/* Values may be of several lines, like keys and certificates. */
static int read_environment(const json_t *value, const char *key, void *data, struct error *err)
{
	struct function *function = data;
	const json_t *text;
	const char *name;
	size_t nr = 0;

	if (!json_is_object(value))
		return error_set(err, EINVAL, "%s is no object: give {\"NAME\": \"VALUE\"}", key);
	texts_free(function->environment);
	function->environment = calloc(json_object_size(value) + 1, sizeof(char *));
	if (!function->environment)
		return error_set(err, ENOMEM, "out of memory");
	json_object_foreach((json_t *)value, name, text) {
		if (check_variable(name, text, key, err))
			return -1;
		if (asprintf(&function->environment[nr], "%s=%s", name,
			     json_string_value(text)) < 0) {
			function->environment[nr] = NULL;
			return error_set(err, ENOMEM, "out of memory");
		}
		nr++;
	}
	texts_make_set(function->environment);
	return 0;
}

static int read_concurrency(const json_t *value, const char *key, void *data, struct error *err)
{
	static const struct field fields[] = {
		{ .key = "min_warm", .kind = FIELD_NUMBER, .max = TASKS_MAX,
		  .offset = offsetof(struct function, min_warm) },
		{ .key = "max", .kind = FIELD_NUMBER, .min = 1, .max = TASKS_MAX,
		  .offset = offsetof(struct function, max) },
		{}
	};
	struct function *function = data;

	(void)key;
	if (fields_read(value, "concurrency.", fields, data, err))
		return -1;
	if (function->min_warm > function->max)
		return error_set(err, ERANGE, "concurrency.min_warm is %u, more than concurrency.max, which is %u: give at most as many",
				 function->min_warm, function->max);
	return 0;
}

static int read_devices(const json_t *value, const char *key, void *data, struct error *err)
{
	static const struct field fields[] = {
		{ .key = "tokens", .kind = FIELD_SET, .offset = offsetof(struct function, tokens) },
		{ .key = "certificates", .kind = FIELD_SET,
		  .offset = offsetof(struct function, certificates) },
		{ .key = "mqtt", .kind = FIELD_SET, .offset = offsetof(struct function, mqtt) },
		{}
	};

	(void)key;
	return fields_read(value, "devices.", fields, data, err);
}

static int read_trigger(const json_t *value, const char *where, struct function_trigger *trigger,
			struct error *err)
{
	static const struct field fields[] = {
		{ .key = "topic", .kind = FIELD_TEXT, .required = true,
		  .offset = offsetof(struct function_trigger, topic) },
		{ .key = "response", .kind = FIELD_TEXT,
		  .offset = offsetof(struct function_trigger, response) },
		{}
	};

	if (fields_read(value, where, fields, trigger, err))
		return -1;
	if (!topic_is_valid(trigger->topic, true))
		return error_set(err, EINVAL, "%stopic is '%.80s', which is no filter of MQTT topics: + stands for one level, # for all that follow, at the end",
				 where, trigger->topic);
	if (*trigger->topic == '$' || !topic_has_level(trigger->topic, "+"))
		return error_set(err, EINVAL, "%stopic is '%.80s', which does not say where a device's client id is, and brokers tell no other way who sent a message: put + in its place, like devices/+/orders",
				 where, trigger->topic);
	if (trigger->response && !topic_is_valid(trigger->response, false))
		return error_set(err, EINVAL, "%sresponse is '%.80s': results go to one topic, without + and #",
				 where, trigger->response);
	if (trigger->response && !topic_has_level(trigger->response, TOPIC_DEVICE))
		return error_set(err, EINVAL, "%sresponse is '%.80s', where all devices would see all results: put %%c in the place of the client id, like devices/%%c/result",
				 where, trigger->response);
	return 0;
}

static int read_triggers(const json_t *value, const char *key, void *data, struct error *err)
{
	struct function *function = data;
	char where[64];
	size_t i;

	if (!json_is_array(value) || json_array_size(value) > TRIGGERS_MAX)
		return error_set(err, EINVAL, "%s is no list of at most %d: give [{\"topic\": \"…\", \"response\": \"…\"}]",
				 key, TRIGGERS_MAX);
	function->triggers = calloc(json_array_size(value) + 1, sizeof(*function->triggers));
	if (!function->triggers)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < json_array_size(value); i++) {
		snprintf(where, sizeof(where), "triggers[%zu].", i);
		function->nr_triggers++;
		if (read_trigger(json_array_get(value, i), where, &function->triggers[i], err))
			return -1;
	}
	return 0;
}

static int read_forward(const json_t *value, const char *key, void *data, struct error *err)
{
	static const struct field fields[] = {
		{ .key = "hub", .kind = FIELD_TEXT,
		  .offset = offsetof(struct function, forward_hub) },
		{ .key = "cloud", .kind = FIELD_TEXT,
		  .offset = offsetof(struct function, forward_cloud) },
		{ .key = "queue", .kind = FIELD_BOOL,
		  .offset = offsetof(struct function, forward_queue) },
		{}
	};
	const struct function *function = data;

	if (fields_read(value, "forward.", fields, data, err))
		return -1;
	if (!function->forward_hub == !function->forward_cloud)
		return error_set(err, EINVAL, "%s names %s: give either hub, the URL of another hub, or cloud, the name or ARN of a function",
				 key, function->forward_hub ? "two places" : "no place");
	if (function->forward_hub && strncmp(function->forward_hub, "https://", 8))
		return error_set(err, EINVAL, "%s.hub is '%.80s': give the https:// URL of another hub, which proves who it is",
				 key, function->forward_hub);
	return 0;
}

#define FIELD(name, kind_, ...) \
	{ .key = #name, .kind = kind_, .offset = offsetof(struct function, name), __VA_ARGS__ }
#define OTHER(name, ...) \
	{ .key = #name, .kind = FIELD_OTHER, .read = read_##name, __VA_ARGS__ }

/* Documented in Documentation/functions.rst and .schema.json; function_test compares. */
static const struct field fields[] = {
	OTHER(name, .required = true),
	FIELD(version, FIELD_TEXT),
	FIELD(alias, FIELD_TEXT),
	FIELD(runtime, FIELD_CHOICE, .choices = function_runtimes, .max = NR_FUNCTION_RUNTIMES,
	      .required = true),
	OTHER(code, .required = true),
	{ .key = "checkpoint_on_stdin", .kind = FIELD_BOOL,
	  .offset = offsetof(struct function, on_stdin) },
	FIELD(base, FIELD_PATH),
	FIELD(placement, FIELD_PATH),
	FIELD(warm, FIELD_PATHS),
	OTHER(environment),
	OTHER(owner),
	FIELD(trust_domain, FIELD_TEXT),
	FIELD(timeout, FIELD_NUMBER, .min = 1, .max = TIMEOUT_MAX),
	FIELD(memory, FIELD_NUMBER, .min = MEMORY_MIN, .max = MEMORY_MAX),
	OTHER(concurrency),
	FIELD(reuse, FIELD_CHOICE, .choices = function_reuses, .max = NR_FUNCTION_REUSES),
	FIELD(share, FIELD_BOOL),
	FIELD(priority, FIELD_NUMBER, .max = PRIORITY_MAX),
	FIELD(overrides, FIELD_SET),
	FIELD(libraries, FIELD_SET),
	FIELD(grants, FIELD_TEXT),
	OTHER(devices),
	OTHER(triggers),
	OTHER(forward),
	{}
};

/*
 * What fields say together.
 */

static int check_code(const struct function *function, struct error *err)
{
	bool python = function->runtime == FUNCTION_PYTHON;
	const char *runtime = function_runtimes[function->runtime];

	if (python && !function->file)
		return error_set(err, EINVAL, "code is a command, but runtime is python: give FILE:HANDLER, like store.py:handler");
	if (!python && function->file)
		return error_set(err, EINVAL, "code is FILE:HANDLER, but runtime is %s: give a list of the command's words",
				 runtime);
	if (!python && function->command[0][0] != '/' && !field_is_inside(function->command[0]))
		return error_set(err, EINVAL, "code[0] is '%.80s': give the path of a program beside the manifest or below, without dots, or an absolute one",
				 function->command[0]);
	if (!python && (function->base || function->placement || function->warm[0]))
		return error_set(err, EINVAL, "%s is for runtime python, not %s: let the command warm itself",
				 function->base ? "base" :
				 function->placement ? "placement" : "warm", runtime);
	if (function->on_stdin && function->runtime != FUNCTION_COMMAND)
		return error_set(err, EINVAL, "checkpoint_on_stdin is for runtime command, not %s: leave it out",
				 runtime);
	return 0;
}

/* A path may have a comma; what is no policy there is part of it. */
static const char *policy_in(const char *handler)
{
	const char *comma = strrchr(handler, ',');
	size_t i;

	for (i = 0; comma && i < NR_REDIRECT_POLICIES; i++)
		if (!strcmp(comma + 1, redirect_policies[i]))
			return comma;
	return strncmp(handler, "unix:", 5) ? comma : NULL;
}

static int add_handler(const char *text, struct override *override, struct error *err)
{
	const char *comma = policy_in(text);
	char handler[REDIRECT_TEXT_MAX];

	if (!strcmp(text, redirect_policies[REDIRECT_BLOCK])) {
		override->policy = REDIRECT_BLOCK;
		return 0;
	}
	if (comma && policy_of_override(comma + 1, &override->policy, err))
		return -1;
	snprintf(handler, sizeof(handler), "%.*s",
		 comma ? (int)(comma - text) : (int)sizeof(handler) - 1, text);
	override->nr_handlers = 1;
	override->handlers[0].weight = 1;
	return handler_parse(handler, &override->handlers[0].address, err);
}

int function_override(const char *text, struct override *override, struct error *err)
{
	const char *equals = strchr(text, '=');
	autofree char *endpoint = NULL;

	*override = (struct override) {};
	if (!equals || equals == text || !equals[1])
		return error_usage(err, "'%.80s' is no override: give ENDPOINT=HANDLER[,POLICY], like 198.18.0.5:80=127.0.0.1:8080, or ENDPOINT=block",
				   text);
	endpoint = strndup(text, equals - text);
	if (!endpoint)
		return error_set(err, ENOMEM, "out of memory");
	if (overrides_parse(endpoint, override, err) || add_handler(equals + 1, override, err))
		return -1;
	return overrides_check(override, err);
}

static int check_overrides(const struct function *function, struct error *err)
{
	struct override override;
	char **text;

	for (text = function->overrides; *text; text++) {
		if (!function_override(*text, &override, err))
			continue;
		err->status = EXIT_REFUSED;
		return error_prefix(err, "overrides");
	}
	return 0;
}

static int check_libraries(const struct function *function, struct error *err)
{
	const char *equals;
	char **text;

	for (text = function->libraries; *text; text++) {
		equals = strchr(*text, '=');
		if (!equals || equals == *text || equals[1] != '/')
			return error_set(err, EINVAL, "libraries: '%.80s' is no library override: give PROVIDER=LOCAL with an absolute path, like libfoo.so.1=/opt/local/libfoo.so",
					 *text);
	}
	if (function->libraries[0] && function->runtime == FUNCTION_BOOTSTRAP)
		return error_set(err, EINVAL, "libraries are laid over those of an image, and runtime bootstrap has none: leave them out");
	return 0;
}

/* The processes of a bootstrap are adopted where they can be, and those cannot be confined. */
static int check_grants(const struct function *function, struct error *err)
{
	if (!function->grants)
		return 0;
	if (function->runtime == FUNCTION_BOOTSTRAP)
		return error_set(err, EINVAL, "grants confine tasks that enter an image, and runtime bootstrap has none: leave them out");
	return function_grants_check(function->grants, err);
}

static int check_reuse(const struct function *function, struct error *err)
{
	if (function->runtime == FUNCTION_BOOTSTRAP && function->reuse == FUNCTION_RESET)
		return error_set(err, EINVAL, "reuse is reset, which needs an image, and runtime bootstrap has none: give keep or fresh");
	return 0;
}

/*
 * The whole.
 */

static int set_defaults(struct function *function, const char *directory, struct error *err)
{
	char ***lists[] = {
		&function->command, &function->warm, &function->environment, &function->overrides,
		&function->libraries, &function->tokens, &function->certificates,
		&function->mqtt,
	};
	struct user user;
	size_t i;

	*function = (struct function) {
		.timeout = TIMEOUT, .memory = MEMORY, .max = TASKS, .share = true,
		.directory = strdup(directory), .trust_domain = strdup("default"),
	};
	if (!function->directory || !function->trust_domain)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		*lists[i] = texts_new();
		if (!*lists[i])
			return error_set(err, ENOMEM, "out of memory");
	}
	if (user_default(&user, err))
		return -1;
	function->owner = user.uid;
	return 0;
}

/* There is no image that a bootstrap could be put back to. */
static void adjust_reuse(const json_t *manifest, struct function *function)
{
	if (function->runtime == FUNCTION_BOOTSTRAP && !json_object_get(manifest, "reuse"))
		function->reuse = FUNCTION_KEEP;
}

int function_parse(const json_t *manifest, const char *directory, const char *what,
		   struct function *function, struct error *err)
{
	if (!json_is_object(manifest)) {
		*function = (struct function) {};
		return error_set(err, EINVAL, "%.200s is no JSON object", what);
	}
	if (set_defaults(function, directory, err) ||
	    fields_read(manifest, "", fields, function, err)) {
		function_free(function);
		return error_prefix(err, "%.200s", what);
	}
	adjust_reuse(manifest, function);
	if (check_code(function, err) || check_overrides(function, err) ||
	    check_libraries(function, err) || check_grants(function, err) ||
	    check_reuse(function, err)) {
		function_free(function);
		return error_prefix(err, "%.200s", what);
	}
	return 0;
}

static int read_file(const char *path, bool whole, struct function *function, struct error *err)
{
	autofree char *found = realpath(path, NULL);
	autojson json_t *manifest = NULL;
	json_error_t why;

	*function = (struct function) {};
	if (!found)
		return error_set(err, errno, "%.200s cannot be read: %s", path, strerror(errno));
	manifest = json_read_file(found, JSON_REJECT_DUPLICATES, &why);
	if (!manifest)
		return json_read_starved(path, err) ? -1 :
			error_set(err, EINVAL, "%.200s is no JSON: %.160s in line %d", path, why.text, why.line);
	if (function_parse(manifest, dirname(found), path, function, err))
		return -1;
	if (function->grants && json_object_get(manifest, "owner")) {
		function_free(function);
		return error_set(err, EINVAL, "%.200s: owner and grants both say whom tasks run as: leave owner out",
				 path);
	}
	function->whole = whole;
	return 0;
}

int function_read(const char *path, struct function *function, struct error *err)
{
	char manifest[PATH_MAX];
	struct stat st;

	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return read_file(path, false, function, err);
	snprintf(manifest, sizeof(manifest), "%.4000s/" FUNCTION_MANIFEST, path);
	return read_file(manifest, true, function, err);
}

void function_free(struct function *function)
{
	char **lists[] = {
		function->command, function->warm, function->environment, function->overrides,
		function->libraries, function->tokens, function->certificates, function->mqtt,
	};
	char *texts[] = {
		function->version, function->alias, function->directory, function->file,
		function->handler, function->base, function->placement, function->trust_domain,
		function->grants,
		function->forward_hub, function->forward_cloud, function->reason,
		function->deployment,
	};
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		texts_free(lists[i]);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	for (i = 0; i < function->nr_triggers; i++) {
		free(function->triggers[i].topic);
		free(function->triggers[i].response);
	}
	free(function->triggers);
	*function = (struct function) {};
}
