// SPDX-License-Identifier: GPL-2.0
/*
 * Merged Node modules. The files that `require` and `import` of the provider's load are covered.
 *
 * A CommonJS file compiles the provider's code into its own module, so that it finds its neighbours. An
 * ES module exports again what two others do, and names these by path: a copy of the provider's file,
 * at a place where links stand for all its neighbours.
 */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "library_parts.h"
#include "paths.h"

#define NAMES_MAX	4096	/* exports that are looked for again at the end */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Links in @to for all that is in @from but @except. */
static int link_neighbours(const char *from, const char *to, const char *except,
			   struct error *err)
{
	autoclosedir DIR *directory = opendir(from);
	const struct dirent *entry;
	char target[PATH_MAX], path[PATH_MAX];

	if (!directory || (mkdir(to, 0755) && errno != EEXIST))
		return error_set(err, errno, "%.200s cannot be copied: %s", from, strerror(errno));
	while ((entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    !strcmp(entry->d_name, except))
			continue;
		snprintf(target, sizeof(target), "%.3800s/%.255s", from, entry->d_name);
		snprintf(path, sizeof(path), "%.3800s/%.255s", to, entry->d_name);
		if (symlink(target, path) && errno != EEXIST)
			return error_set(err, errno, "%.200s cannot be made: %s", path, strerror(errno));
	}
	return 0;
}

/* From the package's directory down to that of the file, each level with its neighbours. */
static int mirror(const char *root, const char *file, const char *to, struct error *err)
{
	char from[PATH_MAX], place[PATH_MAX], name[256];
	const char *rest = file + strlen(root) + 1;

	snprintf(from, sizeof(from), "%s", root);
	snprintf(place, sizeof(place), "%s", to);
	for (;;) {
		size_t len = strcspn(rest, "/");

		snprintf(name, sizeof(name), "%.*s", (int)len, rest);
		if (link_neighbours(from, place, name, err))
			return -1;
		snprintf(from + strlen(from), sizeof(from) - strlen(from), "/%s", name);
		snprintf(place + strlen(place), sizeof(place) - strlen(place), "/%s", name);
		if (!rest[len])
			return library_copy(file, place, err);
		rest += len + 1;
	}
}

/* Where the file's bare imports are found, beside the package's own node_modules. */
static int link_modules(const char *root, const char *place, struct error *err)
{
	char path[PATH_MAX], above[PATH_MAX], *end;

	snprintf(above, sizeof(above), "%s", root);
	end = strstr(above, "/node_modules/");
	while (end && strstr(end + 1, "/node_modules/"))
		end = strstr(end + 1, "/node_modules/");
	if (!end)
		return 0;
	end[strlen("/node_modules")] = '\0';
	snprintf(path, sizeof(path), "%.4000s/node_modules", place);
	if (!symlink(above, path) || errno == EEXIST)
		return 0;
	return error_set(err, errno, "%.200s cannot be made: %s", path, strerror(errno));
}

/* What a library's own process says becomes paths here, so it has to lie where it must. */
static int check_cover(const struct library *library, const json_t *cover, struct error *err)
{
	const char *file = text_of(cover, "file"), *root = text_of(cover, "root");
	size_t len = strlen(root), own = strlen(library->directory);
	char found[PATH_MAX];

	if (len && !strncmp(file, root, len) && file[len] == '/' && strlen(file) < PATH_MAX / 2 &&
	    realpath(file, found) && !strcmp(found, file) &&
	    !strncmp(text_of(cover, "place"), library->directory, own) &&
	    !strstr(text_of(cover, "place") + own, ".."))
		return 0;
	return error_set(err, EINVAL, "the provider's %.200s leads out of its package", file);
}

static int make_cover(const struct library *library, const json_t *cover, size_t index,
		      struct error *err)
{
	const char *file = text_of(cover, "file"), *text = text_of(cover, "text");
	const char *place = text_of(cover, "place");
	char merged[PATH_MAX], package[PATH_MAX], sub[32];

	if (check_cover(library, cover, err))
		return -1;
	snprintf(package, sizeof(package), "%.4000s/package", place);
	snprintf(sub, sizeof(sub), "merged%zu", index);
	if (mkdir(place, 0755) && errno != EEXIST)
		return error_set(err, errno, "%.200s cannot be made: %s", place, strerror(errno));
	if (mirror(text_of(cover, "root"), file, package, err) ||
	    link_modules(text_of(cover, "root"), place, err) ||
	    library_place(library, sub, library_base(file), merged, err) ||
	    library_write(merged, text, strlen(text), err))
		return -1;
	return library_cover(library, merged, file, err);
}

static int copy_local(const struct library *library, struct error *err)
{
	char path[PATH_MAX], from[PATH_MAX], directory[PATH_MAX];
	struct stat st;

	if (path_python(directory, err) || library_place(library, "local", "", path, err))
		return -1;
	snprintf(from, sizeof(from), "%.4000s/coppice/merge.js", directory);
	snprintf(path, sizeof(path), "%.4000s/merge.js", library->directory);
	if (library_copy(from, path, err))
		return -1;
	snprintf(from, sizeof(from), "%.4000s/coppice/interface.js", directory);
	snprintf(path, sizeof(path), "%.4000s/interface.js", library->directory);
	if (library_copy(from, path, err))
		return -1;
	snprintf(path, sizeof(path), "%.4000s/local", library->directory);
	if (!stat(library->local, &st) && !S_ISDIR(st.st_mode))
		snprintf(path, sizeof(path), "%.3800s/local/%.255s", library->directory,
			 library_base(library->local));
	return library_copy(library->local, path, err);
}

/* With all in place, is every name of the provider's there? */
static int verify(const struct library *library, const json_t *cover, char *script,
		  struct error *err)
{
	char *argv[NAMES_MAX + 5] = { "node", script, "verify", (char *)text_of(cover, "file") };
	const json_t *name;
	json_t *answer;
	size_t i;

	json_array_foreach(json_object_get(cover, "names"), i, name)
		if (i < NAMES_MAX)
			argv[i + 4] = (char *)json_string_value(name);
	answer = library_ask(library, argv, true, err);
	json_decref(answer);
	return answer ? 0 : -1;
}

int library_make_node(struct library *library, struct error *err)
{
	char script[PATH_MAX];
	char *argv[] = { "node", script, "compare", library->provider, library->local,
			 library->directory, NULL };
	autojson json_t *answer = NULL;
	const json_t *covers, *cover;
	size_t i;

	if (copy_local(library, err))
		return -1;
	snprintf(script, sizeof(script), "%.4000s/interface.js", library->directory);
	answer = library_ask(library, argv, false, err);
	if (!answer || library_take_lists(library, answer, err))
		return -1;
	covers = json_object_get(answer, "covers");
	json_array_foreach(covers, i, cover)
		if (make_cover(library, cover, i, err))
			return -1;
	json_array_foreach(covers, i, cover)
		if (verify(library, cover, script, err))
			return -1;
	return 0;
}
