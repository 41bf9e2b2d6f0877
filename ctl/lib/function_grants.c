// SPDX-License-Identifier: GPL-2.0
/* What a deployment grants to a function; see function_grants.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "deployment.h"
#include "deployment_grants.h"
#include "file.h"
#include "function_grants.h"
#include "name.h"

#define DIRECTORY	RUN_DIRECTORY "/function-grants"

struct whose {
	char deployment[DEPLOYMENT_NAME_SIZE], function[DEPLOYMENT_NAME_SIZE];
};

static int split(const char *text, struct whose *whose, struct error *err)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : 0;

	if (!slash || len >= sizeof(whose->deployment) ||
	    strlen(slash + 1) >= sizeof(whose->function))
		return error_set(err, EINVAL, "'%.140s' is no grant: give DEPLOYMENT/FUNCTION, like shop/till",
				 text);
	snprintf(whose->deployment, sizeof(whose->deployment), "%.*s", (int)len, text);
	snprintf(whose->function, sizeof(whose->function), "%s", slash + 1);
	return name_check("a deployment", whose->deployment, err) ||
	       name_check("a function", whose->function, err) ? -1 : 0;
}

int function_grants_check(const char *text, struct error *err)
{
	struct whose whose;

	return split(text, &whose, err) ? error_prefix(err, "grants") : 0;
}

bool function_grants_are_of(const struct function *function, const char *deployment)
{
	size_t len = strlen(deployment);

	return function->grants && !strncmp(function->grants, deployment, len) &&
	       function->grants[len] == '/';
}

static json_t *ask(const struct function *function, struct error *err)
{
	struct whose whose;
	json_t *object;

	if (split(function->grants, &whose, err))
		return NULL;
	object = deployment_grants(whose.deployment, whose.function, err);
	if (!object)
		error_prefix(err, "the grants of %s", function->grants);
	return object;
}

int function_grants_own(struct function *function, struct error *err)
{
	autojson json_t *object = NULL;

	if (!function->grants)
		return 0;
	object = ask(function, err);
	if (!object)
		return -1;
	function->owner = json_integer_value(json_object_get(object, "uid"));
	return 0;
}

int function_grants_read(const struct function *function, struct grants *grants, struct error *err)
{
	autojson json_t *object = ask(function, err);

	*grants = (struct grants) {};
	if (!object || grants_parse(object, grants, err))
		return -1;
	if (grants->uid != function->owner)
		error_set(err, EPERM, "function %s runs as user %u, and %s is user %u on this hub now: delete the function and add it again",
			  function->name, function->owner, function->grants, grants->uid);
	else if (!grants_add_code(grants, function->directory, err))
		return 0;
	grants_free(grants);
	return -1;
}

int function_grants_write(const char *image, const struct grants *grants, char path[PATH_MAX],
			  struct error *err)
{
	autojson json_t *object = grants_json(grants);

	if (!object)
		return error_set(err, ENOMEM, "out of memory");
	snprintf(path, PATH_MAX, DIRECTORY "/%s.json", image);
	return file_make_directory(DIRECTORY, 0700, err) || file_write_json(path, 0600, object, err) ?
	       -1 : 0;
}

int function_grants_remove(const char *image, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DIRECTORY "/%s.json", image);
	return file_remove(path, err);
}
