// SPDX-License-Identifier: GPL-2.0
/* Functions of a deployment; see deployment_functions.h. */
#include <errno.h>
#include <string.h>

#include "deployment_functions.h"
#include "function_deploy.h"
#include "lib/cleanup.h"
#include "lib/deployment_code.h"
#include "lib/deployment_slot.h"
#include "lib/function_field.h"
#include "lib/function_grants.h"
#include "lib/function_store.h"
#include "lib/late.h"
#include "lib/overrides.h"

#define autoapplied __attribute__((cleanup(deployment_applied_close)))

static bool is_carried(const struct deployment *deployment, const char *name)
{
	const struct deployment_function *function = deployment_function(deployment, name);

	return function && function->code[0];
}

static bool is_of(const struct function *function, const char *deployment)
{
	return function->deployment && !strcmp(function->deployment, deployment);
}

/* 1 or 0, or -1: who could not tell would replace what is the same, and end its tasks. */
static int same(const struct function *a, const struct function *b, struct error *err)
{
	autojson json_t *first = function_json(a), *second = function_json(b);

	if (!first || !second)
		return error_set(err, ENOMEM, "out of memory");
	return json_equal(first, second) && !strcmp(a->digest, b->digest);
}

/* A deployment without functions needs none. */
static int concerns(const struct function *function, void *data)
{
	const char *deployment = data;

	return is_of(function, deployment) || function_grants_are_of(function, deployment);
}

static bool carries(const struct deployment *deployment)
{
	size_t i;

	for (i = 0; deployment && i < deployment->nr_functions; i++)
		if (deployment->functions[i].code[0])
			return true;
	return false;
}

/* 1: there is something to be done, and ctx->backend is open; 0; or -1. */
static int begin(struct context *ctx, const char *name, const struct deployment *deployment,
		 struct error *err)
{
	int any = carries(deployment);

	if (!any)
		any = function_each(concerns, (void *)name, err);
	if (!any)
		any = function_each_former(concerns, (void *)name, err);
	if (any <= 0)
		return any;
	if (!ctx->backend)
		ctx->backend = backend_find(ctx->backend_name, err);
	return ctx->backend ? 1 : -1;
}

/*
 * Off the hub.
 */

struct leaving {
	struct context *ctx;
	const char *name;
	const struct deployment *deployment;	/* NULL: all leave */
	enum group_running running;
	struct error *err;
};

static int leave(const struct function *function, void *data)
{
	struct leaving *leaving = data;

	if (!is_of(function, leaving->name) ||
	    (leaving->deployment && is_carried(leaving->deployment, function->name)))
		return 0;
	return function_withdraw(leaving->ctx, function, leaving->running, leaving->err);
}

int deployment_functions_withdraw(struct context *ctx, const char *deployment,
				  enum group_running running, struct error *err)
{
	struct leaving leaving = {
		.ctx = ctx, .name = deployment, .running = running, .err = err,
	};
	int any = begin(ctx, deployment, NULL, err);
	autoclose int lock = any > 0 ? function_lock(err) : -1;

	if (any <= 0)
		return any;
	return lock < 0 || function_finish(ctx, running, err) ||
	       function_each(leave, &leaving, err) ? -1 : 0;
}

/*
 * Overrides, as the kernel has them.
 */

struct overrides_found {
	const struct function *function;
	size_t nr, strange;
};

static bool same_handlers(const struct override *a, const struct override *b)
{
	size_t i;

	for (i = 0; i < a->nr_handlers && i < b->nr_handlers; i++)
		if (!endpoint_same(&a->handlers[i].address, &b->handlers[i].address) ||
		    (a->handlers[i].weight ?: 1) != (b->handlers[i].weight ?: 1))
			return false;
	return a->nr_handlers == b->nr_handlers;
}

static bool wanted(const struct function *function, const struct override *found)
{
	char text[REDIRECT_TEXT_MAX + REDIRECT_LABEL], other[sizeof(text)];
	struct override override;
	struct error ignored;
	char *const *one;

	override_format(found, text);
	for (one = function->overrides; *one; one++) {
		if (function_override(*one, &override, &ignored))
			continue;
		override_format(&override, other);
		if (!strcmp(text, other) && found->policy == override.policy &&
		    same_handlers(found, &override))
			return true;
	}
	return false;
}

static int count_override(const struct override_info *info, void *data)
{
	struct overrides_found *found = data;

	/* DNS to the responder comes with names, and is in no manifest. */
	if (info->override.kind != REDIRECT_ENDPOINT)
		return 0;
	found->nr++;
	found->strange += !wanted(found->function, &info->override);
	return 0;
}

static int overrides_differ(const struct function *function, const char *group, struct error *err)
{
	struct overrides_found found = { .function = function };

	if (redirect_each(group, count_override, &found, err))
		return -1;
	return found.strange || found.nr != texts_count(function->overrides);
}

/*
 * Onto it.
 */

static int complete(struct context *ctx, struct function *function, struct error *err)
{
	char group[IMAGE_NAME_MAX + 1];
	int differ;

	if (function_set_up(ctx, function, err) || function_limit(function, NULL, err) ||
	    function_group_name(function, group, err))
		return -1;
	differ = overrides_differ(function, group, err);
	return differ > 0 ? function_set_overrides(ctx, function, err) : differ;
}

static int settle_one(struct context *ctx, struct function *function, void *data,
		      struct error *err)
{
	const enum group_running *running = data;
	struct function old;
	int ret, equal;

	if (function_get(function->name, &old, err))
		return err->code == ENOENT ? function_deploy(ctx, function, err) : -1;
	equal = same(&old, function, err);
	if (!is_of(&old, function->deployment))
		ret = error_set(err, EEXIST, "there is a function %s that is not of deployment %s: delete it and apply again",
				old.name, function->deployment);
	else if (equal)
		ret = equal < 0 ? -1 : complete(ctx, &old, err);
	else
		ret = function_replace(ctx, &old, function, *running, err);
	function_free(&old);
	return ret;
}

typedef int (*carried_fn)(struct context *ctx, struct function *function, void *data,
			  struct error *err);

static int each_carried(struct context *ctx, const struct deployment *deployment, carried_fn fn,
			void *data, struct error *err)
{
	struct function function;
	size_t i;
	int ret;

	for (i = 0; i < deployment->nr_functions; i++) {
		if (!deployment->functions[i].code[0])
			continue;
		if (deployment_code_read(deployment->name, deployment->functions[i].name, &function,
					 err))
			return -1;
		ret = fn(ctx, &function, data, err);
		function_free(&function);
		if (ret)
			return -1;
	}
	return 0;
}

/*
 * Grants.
 */

static int grants_differ(const struct function *function, const char *group, struct grants *wanted,
			 struct error *err)
{
	autogrants struct grants found = {};
	autojson json_t *first = NULL, *second = NULL;

	if (function_grants_read(function, wanted, err))
		return -1;
	if (grants_of(group, &found, err))
		return err->code == ENOENT ? 1 : -1;
	first = grants_json(&found);
	second = grants_json(wanted);
	if (!first || !second)
		return error_set(err, ENOMEM, "out of memory");
	return !json_equal(first, second);
}

struct regranting {
	struct context *ctx;
	const char *deployment;
	enum group_running running;
	struct error *err;
};

static int regrant_one(const struct function *function, void *data)
{
	struct regranting *regranting = data;
	autogrants struct grants wanted = {};
	char group[IMAGE_NAME_MAX + 1];
	struct group_info info;
	size_t ended;
	int differ;

	if (!function_grants_are_of(function, regranting->deployment))
		return 0;
	if (function_group_name(function, group, regranting->err))
		return -1;
	/* What is not there will get them when it is made. */
	if (regranting->ctx->backend->group_get(group, &info, regranting->err))
		return regranting->err->code == ENOENT ? 0 : -1;
	differ = grants_differ(function, group, &wanted, regranting->err);
	if (differ <= 0)
		return differ;
	return group_regrant(regranting->ctx->backend, group, &wanted, regranting->running, &ended,
			     regranting->err);
}

static int settle(struct context *ctx, const struct deployment *deployment,
		  enum group_running running, struct error *err)
{
	struct leaving leaving = {
		.ctx = ctx, .name = deployment->name, .deployment = deployment,
		.running = running, .err = err,
	};
	struct regranting regranting = {
		.ctx = ctx, .deployment = deployment->name, .running = running, .err = err,
	};
	autoclose int lock = function_lock(err);

	return lock < 0 || function_finish(ctx, running, err) ||
	       function_each(leave, &leaving, err) ||
	       each_carried(ctx, deployment, settle_one, &running, err) ||
	       function_each(regrant_one, &regranting, err) ? -1 : 0;
}

int deployment_functions_settle(struct context *ctx, const char *deployment,
				enum group_running running, struct error *err)
{
	autoapplied struct deployment_applied applied = { .tree = -1, .volumes = -1 };
	int any = -1;

	if (!deployment_applied_open(deployment, &applied, err))
		any = begin(ctx, deployment, applied.slot.deployment, err);
	if (!any || (any > 0 && !settle(ctx, applied.slot.deployment, running, err)))
		return 0;
	return error_prefix(err, "deployment %s is applied, but not all of its functions are", deployment);
}

json_t *deployment_apply_all(struct context *ctx, const struct deployment_request *request,
			     enum group_running running, struct error *err)
{
	json_t *told;

	late_need_groups();
	told = deployment_apply(request, err);
	if (!told || !deployment_functions_settle(ctx, json_string_value(json_object_get(told, "name")),
						  running, err))
		return told;
	json_decref(told);
	return NULL;
}

/*
 * What is otherwise.
 */

static void add(json_t *drift, json_t *text)
{
	json_array_append_new(drift, text);
}

static int check_group(struct context *ctx, const struct function *function, json_t *drift,
		       struct error *err)
{
	autogrants struct grants grants = {};
	char group[IMAGE_NAME_MAX + 1];
	struct group_info info;
	int differ;

	if (function_group_name(function, group, err))
		return -1;
	if (ctx->backend->group_get(group, &info, err)) {
		if (err->code != ENOENT)
			return -1;
		add(drift, json_sprintf("function %s has no group", function->name));
		return 0;
	}
	differ = grants_differ(function, group, &grants, err);
	if (differ < 0)
		return -1;
	if (differ)
		add(drift, json_sprintf("function %s: group %s has other grants", function->name, group));
	differ = overrides_differ(function, group, err);
	if (differ > 0)
		add(drift, json_sprintf("function %s: the overrides of group %s are not those of its manifest",
					function->name, group));
	return differ < 0 ? -1 : 0;
}

static int check_function(struct context *ctx, struct function *function, void *data,
			  struct error *err)
{
	json_t *drift = data;
	struct function found;
	int ret;

	if (function_get(function->name, &found, err)) {
		if (err->code != ENOENT)
			return -1;
		add(drift, json_sprintf("function %s is not deployed", function->name));
		return 0;
	}
	ret = is_of(&found, function->deployment) ? same(&found, function, err) : 0;
	if (ret > 0)
		ret = check_group(ctx, &found, drift, err);
	else if (!ret)
		add(drift, json_sprintf("function %s has another manifest or other code", function->name));
	function_free(&found);
	return ret;
}

struct strangers {
	const struct deployment *deployment;
	json_t *drift;
};

static int find_stranger(const struct function *function, void *data)
{
	struct strangers *strangers = data;

	if (is_of(function, strangers->deployment->name) &&
	    !is_carried(strangers->deployment, function->name))
		add(strangers->drift, json_sprintf("function %s is not carried any more", function->name));
	return 0;
}

int deployment_functions_status(struct context *ctx, json_t *status, struct error *err)
{
	const char *name = json_string_value(json_object_get(status, "name"));
	autoapplied struct deployment_applied applied = { .tree = -1, .volumes = -1 };
	json_t *drift = json_object_get(status, "drift");
	struct strangers strangers = { .drift = drift };
	int any;

	/* Unsettled, which its state says. */
	if (deployment_applied_open(name, &applied, err))
		return err->code == EAGAIN ? 0 : -1;
	strangers.deployment = applied.slot.deployment;
	any = begin(ctx, name, applied.slot.deployment, err);
	if (any <= 0)
		return any;
	if (each_carried(ctx, applied.slot.deployment, check_function, drift, err) ||
	    function_each(find_stranger, &strangers, err))
		return -1;
	if (json_array_size(drift))
		json_object_set_new(status, "state", json_string("drifted"));
	return 0;
}
