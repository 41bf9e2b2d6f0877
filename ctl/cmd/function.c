// SPDX-License-Identifier: GPL-2.0
/*
 * Images and groups of functions. An image is built by `image build` itself, so that its recipe is
 * like any other's, and named like the group.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "function.h"
#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "lib/function_field.h"
#include "lib/function_grants.h"
#include "lib/function_group.h"
#include "lib/function_store.h"
#include "lib/group.h"
#include "lib/mapped.h"
#include "lib/overrides.h"
#include "lib/recipe.h"
#include "lib/user.h"
#include "override.h"

#define WORDS_MAX	1024
#define OVERRIDES_MAX	256
#define BUILD_SECONDS	"600"
#define END_TRIES	500
#define END_PAUSE_MS	20

extern char **environ;

/*
 * The image.
 */

struct words {
	char *list[WORDS_MAX + 1];
	size_t nr;
};

static void add(struct words *words, const char *option, char *text)
{
	if (option && words->nr < WORDS_MAX)
		words->list[words->nr++] = strdup(option);
	if (words->nr < WORDS_MAX)
		words->list[words->nr++] = text;
	else
		free(text);
}

static char *path_of(const struct function *function, const char *file)
{
	char *path;

	return asprintf(&path, "%s/%s", function->directory, file) < 0 ? NULL : path;
}

static void add_each(struct words *words, const char *option, char *const *texts)
{
	for (; *texts; texts++)
		add(words, option, strdup(*texts));
}

static void add_python(struct words *words, const struct function *function)
{
	char **command = function_words(function);
	char *const *event;

	add(words, "--python", command ? strdup(command[texts_count(command) - 1]) : NULL);
	texts_free(command);
	if (function->base)
		add(words, "--base", path_of(function, function->base));
	if (function->placement)
		add(words, "--placement", path_of(function, function->placement));
	for (event = function->warm; *event; event++)
		add(words, "--warm", path_of(function, *event));
}

static void add_command(struct words *words, const struct function *function)
{
	char **command = function_words(function);

	if (function->on_stdin)
		add(words, "--checkpoint-on", strdup("stdin"));
	add(words, NULL, strdup("--"));
	if (command)
		add_each(words, NULL, command);
	texts_free(command);
}

/* @grants: the file that has them, and says the user, or NULL. */
static void add_common(struct words *words, const struct function *function, const char *image,
		       const char *grants)
{
	char owner[16];

	snprintf(owner, sizeof(owner), "%u", function->owner);
	add(words, NULL, strdup("build"));
	add(words, NULL, strdup(image));
	add(words, grants ? "--grants" : "--owner", strdup(grants ?: owner));
}

/* As a template that is entered. */
static void make_words(struct words *words, const struct function *function, const char *image,
		       const char *grants)
{
	add_common(words, function, image, grants);
	add(words, "--timeout", strdup(BUILD_SECONDS));
	add_each(words, "--override", function->overrides);
	add_each(words, "--library", function->libraries);
	if (function->runtime == FUNCTION_PYTHON)
		add_python(words, function);
	else
		add_command(words, function);
}

/* What finds the runtime's parts stays; of the rest the function has its own. */
static char **build_variables(const struct function *function)
{
	static const char *const kept[] = { "COPPICE_LIBDIR", "PYTHONPATH" };
	char **variables = function_variables(function), **more;
	size_t nr = variables ? texts_count(variables) : 0, i;

	more = variables ? reallocarray(variables, nr + 3, sizeof(*more)) : NULL;
	if (!more) {
		texts_free(variables);
		return NULL;
	}
	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (getenv(kept[i]) && asprintf(&more[nr], "%s=%s", kept[i], getenv(kept[i])) >= 0)
			nr++;
	more[nr] = NULL;
	return more;
}

/* In the code's directory, with the function's environment; both are put into the recipe. */
static int build_there(struct context *ctx, struct words *words,
		       const struct function *function, struct error *err)
{
	autoclose int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char **variables = build_variables(function), **outside = environ;
	int ret = -1;

	if (!variables)
		return error_set(err, ENOMEM, "out of memory");
	if (chdir(function->directory)) {
		error_set(err, errno, "%.200s cannot be entered: %s", function->directory,
			  strerror(errno));
	} else {
		environ = variables;
		ret = cmd_image_build.run(ctx, words->nr, words->list, err);
		environ = outside;
		if (here >= 0 && fchdir(here))
			(void)!chdir("/");
	}
	texts_free(variables);
	return ret;
}

static int build(struct context *ctx, struct words *words, const struct function *function,
		 struct error *err)
{
	bool whole = words->nr < WORDS_MAX;
	size_t i;
	int ret;

	for (i = 0; i < words->nr; i++)
		whole &= !!words->list[i];
	ret = whole ? build_there(ctx, words, function, err) :
		      error_set(err, E2BIG, "function %s takes more than %d words to build",
				function->name, WORDS_MAX);
	for (i = 0; i < words->nr; i++)
		free(words->list[i]);
	return ret;
}

/*
 * Code that no image can carry: an image of files that its processes map, with which they are adopted.
 */

static int become_ordinary(struct function *function, const char *reason, struct error *err)
{
	if (function->libraries[0] || function->grants)
		return error_set(err, ENOTSUP, "%s, and there can be none: %.300s",
				 function->grants ? "grants confine tasks that enter an image" :
						    "libraries are overridden in an image",
				 reason);
	function->mode = FUNCTION_ORDINARY;
	free(function->reason);
	function->reason = strdup(reason);
	return function->reason ? 0 : error_set(err, ENOMEM, "out of memory");
}

/* The program, or what "#!" at its front names. */
static int find_elf(const char *path, char elf[PATH_MAX], struct error *err)
{
	autofclose FILE *file = fopen(path, "re");
	char line[PATH_MAX] = "";
	size_t start;

	if (!file)
		return error_set(err, errno, "%.200s cannot be read: %s", path, strerror(errno));
	snprintf(elf, PATH_MAX, "%s", path);
	if (!fgets(line, sizeof(line), file) || strncmp(line, "#!", 2))
		return 0;
	start = 2 + strspn(line + 2, " \t");
	snprintf(elf, PATH_MAX, "%.*s", (int)strcspn(line + start, " \t\r\n"), line + start);
	return 0;
}

/* What its processes map besides is added when there is one: see lib/newcomers.c. */
static int make_program(struct context *ctx, const struct function *function,
			char image[IMAGE_NAME_MAX + 1], struct error *err)
{
	char **command = function_words(function);
	char elf[PATH_MAX];
	int ret;

	if (!command)
		return error_set(err, ENOMEM, "out of memory");
	ret = find_elf(command[0], elf, err);
	texts_free(command);
	return ret ? -1 : mapped_make(ctx->backend, function->owner, elf, image, err);
}

static int build_template(struct context *ctx, struct function *function, const char *image,
			  struct error *err)
{
	struct words words = {};
	struct error second;
	autogrants struct grants grants = {};
	char path[PATH_MAX];

	if (function->grants && (function_grants_read(function, &grants, err) ||
				 function_grants_write(image, &grants, path, err)))
		return -1;
	make_words(&words, function, image, function->grants ? path : NULL);
	if (!build(ctx, &words, function, err))
		return 0;
	(void)!function_grants_remove(image, &second);
	return -1;
}

static int make_template(struct context *ctx, struct function *function, const char *image,
			 bool *made, struct error *err)
{
	struct image_info info;

	*made = false;
	if (!ctx->backend->image_get(image, &info, err)) {
		if (info.owner == function->owner)
			return 0;
		return error_set(err, EEXIST, "an image %s exists, which is not the function's: delete it first",
				 image);
	}
	if (err->code != ENOENT)
		return -1;
	if (build_template(ctx, function, image, err))
		return err->code == EBUSY ? become_ordinary(function, err->text, err) : -1;
	*made = true;
	return 0;
}

/* What was found out for another function with the same code holds for this one. */
static int decide_mode(struct context *ctx, struct function *function, const char *group,
		       struct error *err)
{
	struct group_info info;

	if (function->mode == FUNCTION_ORDINARY)
		return 0;
	if (function->runtime == FUNCTION_BOOTSTRAP)
		return become_ordinary(function, "a bootstrap asks for its events over a socket, which no image can carry",
				       err);
	if (!ctx->backend->group_get(group, &info, err))
		return info.adopt ? become_ordinary(function, "no image can carry its code, as was found out for another function with the same",
						    err) : 0;
	return err->code == ENOENT ? 0 : -1;
}

/*
 * The group.
 */

static int add_group(struct context *ctx, const struct function *function, const char *name,
		     const char *image, struct error *err)
{
	const struct cgroup_limits none = {};
	autogrants struct grants grants = {};
	struct group_info group = {
		.owner = function->owner,
		.adopt = function->mode == FUNCTION_ORDINARY,
	};

	snprintf(group.name, sizeof(group.name), "%s", name);
	snprintf(group.image, sizeof(group.image), "%s", image);
	snprintf(group.reshare, sizeof(group.reshare), POLICY_DEFAULT);
	snprintf(group.cgroup, sizeof(group.cgroup), CGROUP_PARENT "/%s", name);
	if (function->grants && function_grants_read(function, &grants, err))
		return -1;
	return group_make(ctx->backend, &group, &none, function->grants ? &grants : NULL, err);
}

/* To be freed; NULL with err set. */
static struct override *read_overrides(const struct function *function, size_t *nr,
				       struct error *err)
{
	struct override *overrides;
	size_t i;

	*nr = texts_count(function->overrides);
	overrides = calloc(*nr + 1, sizeof(*overrides));
	if (!overrides)
		error_set(err, ENOMEM, "out of memory");
	for (i = 0; overrides && i < *nr; i++)
		if (function_override(function->overrides[i], &overrides[i], err)) {
			free(overrides);
			return NULL;
		}
	return overrides;
}

static int add_overrides(struct context *ctx, const struct function *function, const char *group,
			 struct error *err)
{
	size_t nr;
	autofree struct override *overrides = read_overrides(function, &nr, err);

	if (!overrides || !nr)
		return overrides ? 0 : -1;
	return override_ready(ctx, group, overrides, nr, err) ||
	       overrides_add(group, overrides, nr, err) ? -1 : 0;
}

int function_set_overrides(struct context *ctx, const struct function *function,
			   struct error *err)
{
	size_t nr;
	autofree struct override *overrides = read_overrides(function, &nr, err);
	char group[IMAGE_NAME_MAX + 1];

	return !overrides || function_group_name(function, group, err) ||
	       override_ready(ctx, group, overrides, nr, err) ||
	       overrides_set(group, overrides, nr, REDIRECT_KEEP, err) ? -1 : 0;
}

/* They come all at once: a controller that was killed left none. */
static int complete_overrides(struct context *ctx, const struct function *function,
			      const char *group, struct error *err)
{
	int any = function->overrides[0] ? redirect_any(group, err) : 1;

	return any ? (any < 0 ? -1 : 0) : add_overrides(ctx, function, group, err);
}

static int make_group_of(struct context *ctx, const struct function *function, const char *name,
			 const char *image, struct error *err)
{
	struct error second;

	if (add_group(ctx, function, name, image, err))
		return -1;
	if (!add_overrides(ctx, function, name, err))
		return 0;
	(void)!group_unmake(ctx->backend, name, &second);
	return -1;
}

/* Where nothing is adopted, the group of an ordinary function needs no image. */
static int make_group(struct context *ctx, const struct function *function, const char *name,
		      struct error *err)
{
	char image[IMAGE_NAME_MAX + 1];
	struct error second;
	autoclose int lock = -1;

	if (function->mode != FUNCTION_ORDINARY || !ctx->backend->adopt)
		return make_group_of(ctx, function, name, name, err);
	lock = mapped_lock(err);
	if (lock < 0 || make_program(ctx, function, image, err))
		return -1;
	if (!make_group_of(ctx, function, name, image, err))
		return 0;
	(void)!mapped_prune(ctx->backend, &second);
	return -1;
}

static int drop_image(struct context *ctx, const char *image, struct error *err)
{
	struct image_info info;

	if (ctx->backend->image_get(image, &info, err))
		return err->code == ENOENT ? 0 : -1;
	return ctx->backend->image_delete(image, err) ||
	       recipe_remove(ctx->backend, image, err) || function_grants_remove(image, err) ? -1 : 0;
}

/* A group that is there has its image, or needs none. */
static int set_up(struct context *ctx, struct function *function, const char *name,
		  struct error *err)
{
	struct group_info group;
	struct error second;
	bool made = false;

	if (decide_mode(ctx, function, name, err))
		return -1;
	if (!ctx->backend->group_get(name, &group, err))
		return complete_overrides(ctx, function, name, err);
	if (err->code != ENOENT ||
	    (function->mode == FUNCTION_IMAGE && make_template(ctx, function, name, &made, err)))
		return -1;
	if (!make_group(ctx, function, name, err))
		return 0;
	if (made)
		(void)!drop_image(ctx, name, &second);
	return -1;
}

int function_set_up(struct context *ctx, struct function *function, struct error *err)
{
	char name[IMAGE_NAME_MAX + 1];

	if (!function_group_name(function, name, err) && !set_up(ctx, function, name, err))
		return 0;
	return error_prefix(err, "function %s", function->name);
}

/*
 * Down.
 */

static int refuse_tasks(const struct group_info *group, struct error *err)
{
	autofree pid_t *pids = NULL;
	size_t nr;

	if (cgroup_pids(group->cgroup, &pids, &nr, err))
		return -1;
	if (group->tasks || nr)
		return error_set(err, EBUSY, "group %s has %zu processes, which may be invocations: let them end, or delete the function with --force",
				 group->name, nr ? nr : group->tasks);
	return 0;
}

/* The module sees a task's end a little after its cgroup does. */
static int unmake(struct context *ctx, const char *name, struct error *err)
{
	const struct timespec pause = { .tv_nsec = END_PAUSE_MS * 1000 * 1000 };
	int tries = END_TRIES;

	while (group_unmake(ctx->backend, name, err)) {
		if (err->code != EBUSY || !tries--)
			return -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* What no other group of the same files has. */
static int drop_mapped(struct context *ctx, struct error *err)
{
	autoclose int lock = -1;

	if (!ctx->backend->adopt)
		return 0;
	lock = mapped_lock(err);
	return lock < 0 ? -1 : mapped_prune(ctx->backend, err);
}

int function_take_down(struct context *ctx, const struct function *function, bool force,
		       struct error *err)
{
	char name[IMAGE_NAME_MAX + 1];
	struct group_info group;

	if (function_group_name(function, name, err))
		return -1;
	if (ctx->backend->group_get(name, &group, err))
		return err->code == ENOENT ? drop_image(ctx, name, err) : -1;
	if (force ? cgroup_signal(group.cgroup, SIGKILL, err) : refuse_tasks(&group, err))
		return -1;
	/* An image with library overrides, made in place of ours, goes with the group. */
	return unmake(ctx, name, err) || drop_image(ctx, name, err) ? -1 : drop_mapped(ctx, err);
}

/*
 * Limits.
 */

struct sum {
	const struct function *function;
	uint64_t bytes;
};

static uint64_t bytes_of(const struct function *function)
{
	return ((uint64_t)function->memory << 20) * function->max;
}

static int add_bytes(const struct function *function, void *data)
{
	struct sum *sum = data;

	if (function_apart(function, sum->function) == FUNCTION_TOGETHER)
		sum->bytes += bytes_of(function);
	return 0;
}

int function_limit(const struct function *function, const struct function *extra,
		   struct error *err)
{
	struct sum sum = { .function = function, .bytes = extra ? bytes_of(extra) : 0 };
	char name[IMAGE_NAME_MAX + 1], cgroup[sizeof(name) + sizeof(CGROUP_PARENT)];
	struct cgroup_limits limits = {};
	bool made;

	if (!cgroup_has_controller("memory"))
		return 0;
	if (function_each(add_bytes, &sum, err) || function_group_name(function, name, err))
		return -1;
	limits.memory_max = sum.bytes;
	snprintf(cgroup, sizeof(cgroup), CGROUP_PARENT "/%s", name);
	return cgroup_make(cgroup, &limits, &made, err);
}

/*
 * What is shown.
 */

/* Values may be secrets. */
static json_t *names_of(char *const *variables)
{
	json_t *names = json_array();

	for (; *variables; variables++)
		json_array_append_new(names, json_stringn(*variables, strcspn(*variables, "=")));
	return names;
}

json_t *function_row(const struct context *ctx, const struct function *function)
{
	json_t *row = function_json(function);
	char name[IMAGE_NAME_MAX + 1];
	struct group_info group;
	struct error ignored;
	bool there;

	if (!row || function_group_name(function, name, &ignored)) {
		json_decref(row);
		return NULL;
	}
	there = ctx->backend && !ctx->backend->group_get(name, &group, &ignored);
	json_object_set_new(row, "environment", names_of(function->environment));
	json_object_set_new(row, "owner", json_string(user_name(function->owner)));
	json_object_set_new(row, "uid", json_integer(function->owner));
	json_object_set_new(row, "group", json_string(name));
	json_object_set_new(row, "digest", json_string(function->digest));
	json_object_set_new(row, "directory", json_string(function->directory));
	json_object_set_new(row, "mode", json_string(function_modes[function->mode]));
	json_object_set_new(row, "reason",
			    function->reason ? json_string(function->reason) : json_null());
	json_object_set_new(row, "state", json_string(there ? "ready" : "absent"));
	json_object_set_new(row, "tasks", json_integer(there ? group.tasks : 0));
	return row;
}
