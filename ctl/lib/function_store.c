// SPDX-License-Identifier: GPL-2.0
/*
 * Functions that are deployed. One file has all about one, so that it is there as a whole or
 * not at all; its code was put beside it before, and is removed after it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "function_code.h"
#include "function_store.h"
#include "name.h"

#define FORMER	"former.json"

static void make_path(const char *name, const char *file, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, FUNCTION_DIRECTORY "/%s%s%s", name, file ? "/" : "", file ?: "");
}

int function_lock(struct error *err)
{
	if (file_make_directory(STATE_DIRECTORY, 0755, err))
		return -1;
	/* Beside the directory, which goes with the last function. */
	return file_lock(STATE_DIRECTORY "/functions.lock", err);
}

/*
 * Reading.
 */

static int mode_of(const char *text)
{
	int mode;

	for (mode = 0; text && mode < NR_FUNCTION_MODES; mode++)
		if (!strcmp(text, function_modes[mode]))
			return mode;
	return -1;
}

static int take(const json_t *state, const char *path, struct function *function,
		struct error *err)
{
	const char *digest = json_string_value(json_object_get(state, "digest"));
	const char *reason = json_string_value(json_object_get(state, "reason"));
	const char *deployment = json_string_value(json_object_get(state, "deployment"));
	int mode = mode_of(json_string_value(json_object_get(state, "mode")));
	char directory[PATH_MAX];

	if (!digest || strlen(digest) != FUNCTION_DIGEST_SIZE - 1 || mode < 0)
		return error_set(err, EIO, "%.200s is damaged: delete the function and add it again", path);
	if (function_parse(json_object_get(state, "manifest"), "/", path, function, err))
		return -1;
	function_code_path(function->owner, digest, directory);
	free(function->directory);
	function->directory = strdup(directory);
	function->whole = true;
	function->mode = mode;
	memcpy(function->digest, digest, FUNCTION_DIGEST_SIZE);
	function->reason = reason ? strdup(reason) : NULL;
	function->deployment = deployment ? strdup(deployment) : NULL;
	/* Without its deployment it would be nobody's. */
	return function->directory && !function->reason == !reason && !function->deployment == !deployment ?
		0 : error_set(err, ENOMEM, "out of memory");
}

static int get(const char *name, const char *file, struct function *function, struct error *err)
{
	autojson json_t *state = NULL;
	char path[PATH_MAX];

	*function = (struct function) {};
	if (name_check("a function", name, err))
		return -1;
	make_path(name, file, path);
	if (access(path, F_OK) && errno == ENOENT)
		return error_set(err, ENOENT, "there is no function %.80s: see coppice function list",
				 name);
	state = file_read_json(path, err);
	if (!state)
		return -1;
	if (!take(state, path, function, err))
		return 0;
	function_free(function);
	return -1;
}

int function_get(const char *name, struct function *function, struct error *err)
{
	return get(name, FUNCTION_MANIFEST, function, err);
}

static int has_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* One that is deleted meanwhile is left out. */
static int call(const char *name, const char *file, function_fn fn, void *data, struct error *err)
{
	struct function function;
	char path[PATH_MAX];
	int ret;

	make_path(name, file, path);
	if (access(path, F_OK))
		return 0;
	if (get(name, file, &function, err))
		return err->code == ENOENT ? 0 : -1;
	ret = fn(&function, data);
	function_free(&function);
	return ret;
}

static int byte_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int each(const char *file, function_fn fn, void *data, struct error *err)
{
	struct dirent **entries;
	int nr = scandir(FUNCTION_DIRECTORY, &entries, has_name, byte_order), i, ret = 0;

	if (nr < 0)
		return errno == ENOENT ? 0 : error_set(err, errno, FUNCTION_DIRECTORY " cannot be read: %s",
						       strerror(errno));
	for (i = 0; i < nr; i++) {
		if (!ret)
			ret = call(entries[i]->d_name, file, fn, data, err);
		free(entries[i]);
	}
	free(entries);
	return ret;
}

int function_each(function_fn fn, void *data, struct error *err)
{
	return each(FUNCTION_MANIFEST, fn, data, err);
}

int function_each_former(function_fn fn, void *data, struct error *err)
{
	return each(FORMER, fn, data, err);
}

/*
 * All of them.
 */

struct reading {
	struct functions *functions;
	struct error *err;
};

/* Read once more, since what function_each() hands out is gone when this returns. */
static int keep(const struct function *function, void *data)
{
	struct reading *reading = data;
	struct functions *functions = reading->functions;
	struct function *more;

	more = reallocarray(functions->list, functions->nr + 1, sizeof(*more));
	if (!more)
		return error_set(reading->err, ENOMEM, "out of memory");
	functions->list = more;
	if (function_get(function->name, &more[functions->nr], reading->err))
		return reading->err->code == ENOENT ? 0 : -1;
	functions->nr++;
	return 0;
}

int functions_read(struct functions *functions, struct error *err)
{
	struct reading reading = { functions, err };

	*functions = (struct functions) {};
	if (!function_each(keep, &reading, err))
		return 0;
	functions_free(functions);
	return -1;
}

void functions_free(struct functions *functions)
{
	while (functions->nr)
		function_free(&functions->list[--functions->nr]);
	free(functions->list);
	functions->list = NULL;
}

/*
 * Writing.
 */

static int put(const struct function *function, const char *file, struct error *err)
{
	autojson json_t *state = json_pack("{s:o, s:s, s:s, s:s?, s:s?}", "manifest",
					   function_json(function), "digest", function->digest,
					   "mode", function_modes[function->mode], "reason",
					   function->reason, "deployment", function->deployment);
	char path[PATH_MAX];

	if (!state)
		return error_set(err, ENOMEM, "out of memory");
	make_path(function->name, NULL, path);
	if (file_make_directory(path, 0755, err))
		return -1;
	make_path(function->name, file, path);
	/* The environment may have secrets in it. */
	return file_write_json(path, 0600, state, err);
}

int function_put(const struct function *function, struct error *err)
{
	return put(function, FUNCTION_MANIFEST, err);
}

int function_put_former(const struct function *function, struct error *err)
{
	return put(function, FORMER, err);
}

static int remove_file(const char *name, const char *file, struct error *err)
{
	char path[PATH_MAX];

	make_path(name, file, path);
	if (file_remove(path, err))
		return -1;
	make_path(name, NULL, path);
	rmdir(path);
	rmdir(FUNCTION_DIRECTORY);
	return 0;
}

bool function_touch(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), FUNCTION_DIRECTORY "/%.200s/" FUNCTION_MANIFEST, name);
	return !utimensat(AT_FDCWD, path, NULL, 0);
}

int function_remove(const char *name, struct error *err)
{
	return remove_file(name, FUNCTION_MANIFEST, err);
}

int function_forget_former(const char *name, struct error *err)
{
	return remove_file(name, FORMER, err);
}
