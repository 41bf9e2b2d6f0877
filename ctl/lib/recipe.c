// SPDX-License-Identifier: GPL-2.0
/* How images were built. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "json_text.h"
#include "library.h"
#include "name.h"
#include "recipe.h"

#define DIRECTORY	"/run/coppice/images"

static const struct backend *const backends[] = { &backend_kernel, &backend_memfd };

static int make_path(const struct backend *backend, const char *image, char path[PATH_MAX],
		     struct error *err)
{
	if (name_check("an image", image, err))
		return -1;
	snprintf(path, PATH_MAX, DIRECTORY "/%s/%s.json", backend->name, image);
	return 0;
}

/* For root only: a recipe has the caller's environment in it. */
static int make_directories(const struct backend *backend, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DIRECTORY "/%s", backend->name);
	if ((mkdir("/run/coppice", 0700) && errno != EEXIST) ||
	    (mkdir(DIRECTORY, 0700) && errno != EEXIST) || (mkdir(path, 0700) && errno != EEXIST))
		return error_set(err, errno, "%s cannot be made: %s: run as root", path, strerror(errno));
	return 0;
}

json_t *recipe_read(const struct backend *backend, const char *image, struct error *err)
{
	char path[PATH_MAX];

	if (make_path(backend, image, path, err))
		return NULL;
	if (access(path, F_OK)) {
		error_set(err, errno, "image %s was not built on this hub since it started, so it can't be built again",
			  image);
		return NULL;
	}
	return file_read_object(path, "delete the image and build it again", err);
}

int recipe_write(const struct backend *backend, const char *image, const json_t *recipe,
		 struct error *err)
{
	char path[PATH_MAX], part[PATH_MAX];
	autofree char *text = json_text(recipe, JSON_INDENT(2));
	FILE *file;
	bool done;

	if (!text)
		return error_set(err, ENOMEM, "out of memory");
	if (make_path(backend, image, path, err) || make_directories(backend, err))
		return -1;
	/* No name begins with a dot. */
	snprintf(part, sizeof(part), DIRECTORY "/%s/.%d", backend->name, getpid());
	file = fopen(part, "we");
	done = file && !fchmod(fileno(file), 0600) && fputs(text, file) != EOF;
	if (file && fclose(file))
		done = false;
	if (done && !rename(part, path))
		return 0;
	error_set(err, errno, "%s cannot be written: %s", path, strerror(errno));
	unlink(part);
	return -1;
}

/*
 * Looking through all of them.
 */

static bool has_library(const json_t *recipe, const char *id)
{
	const json_t *record;
	size_t i;

	json_array_foreach(json_object_get(recipe, "libraries"), i, record)
		if (!strcmp(json_string_value(json_object_get(record, "id")) ?: "", id))
			return true;
	return false;
}

static bool backend_has_library(const struct backend *backend, const char *id)
{
	char path[PATH_MAX], name[NAME_MAX + 1], *dot;
	autoclosedir DIR *directory = NULL;
	const struct dirent *entry;
	struct error ignored;

	snprintf(path, sizeof(path), DIRECTORY "/%s", backend->name);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		autojson json_t *recipe = NULL;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s", entry->d_name);
		dot = strrchr(name, '.');
		if (dot)
			*dot = '\0';
		recipe = recipe_read(backend, name, &ignored);
		if (!recipe || has_library(recipe, id))
			return true;
	}
	return false;
}

bool recipe_has_library(const char *id)
{
	size_t i;

	for (i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		if (backend_has_library(backends[i], id))
			return true;
	return false;
}

int recipe_drop_libraries(const json_t *records, struct error *err)
{
	const json_t *record;
	const char *id;
	size_t i;

	json_array_foreach(records, i, record) {
		id = json_string_value(json_object_get(record, "id"));
		if (id && !recipe_has_library(id) && library_remove(id, err))
			return -1;
	}
	return 0;
}

int recipe_remove(const struct backend *backend, const char *image, struct error *err)
{
	autojson json_t *recipe = recipe_read(backend, image, err);
	char path[PATH_MAX];

	if (!recipe && err->code == ENOENT)
		return 0;
	if (make_path(backend, image, path, err))
		return -1;
	if (unlink(path) && errno != ENOENT)
		return error_set(err, errno, "%s cannot be removed: %s", path, strerror(errno));
	return recipe_drop_libraries(json_object_get(recipe, "libraries"), err);
}

json_t *recipe_libraries(const struct backend *backend, const char *image, struct error *err)
{
	autojson json_t *recipe = recipe_read(backend, image, err);

	if (recipe)
		return json_incref(json_object_get(recipe, "libraries"));
	return err->code == ENOENT ? json_array() : NULL;
}

int recipe_drop_image(const struct backend *backend, const char *image, struct error *err)
{
	autojson json_t *recipe = recipe_read(backend, image, err);
	struct image_info info;

	if (!recipe)
		return err->code == ENOENT ? 0 : -1;
	if (!json_is_string(json_object_get(recipe, "base")))
		return 0;
	if (backend->image_get(image, &info, err))
		return err->code == ENOENT ? recipe_remove(backend, image, err) : -1;
	if (info.groups)
		return 0;
	if (backend->image_delete(image, err))
		return -1;
	return recipe_remove(backend, image, err);
}
