// SPDX-License-Identifier: GPL-2.0
/*
 * Merged Python modules. Only one file is covered, that of the module or the package's __init__.py; the one
 * over it executes the provider's and the local one in one namespace, and has the package's other
 * modules found at both places: see merge.py.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "json_text.h"
#include "library_parts.h"
#include "paths.h"

#define PYTHON	"/usr/bin/python3"
#define INIT	"__init__.py"

static bool is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* A text in Python, and in JSON. */
static char *quoted(const char *text)
{
	autojson json_t *string = json_string(text);

	return json_text(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
}

/* One line, so that the numbers of lines in tracebacks are those of the real files. */
static int write_cover(const struct library *library, const char *path, const char *provider,
		       const char *local, struct error *err)
{
	char script[PATH_MAX];
	autofree char *theirs = quoted(provider), *mine = quoted(local), *merge = NULL, *text = NULL;
	int len;

	snprintf(script, sizeof(script), "%.4000s/merge.py", library->directory);
	merge = quoted(script);
	len = asprintf(&text, "exec(compile(open(%s).read(), %s, \"exec\"), {\"__name__\": \"coppice.merge\", \"NAMESPACE\": globals(), \"PROVIDER\": %s, \"LOCAL\": %s})\n",
		       merge, merge, theirs, mine);
	if (len < 0)
		return error_set(err, ENOMEM, "out of memory");
	return library_write(path, text, len, err);
}

static int copy_script(const struct library *library, const char *name, struct error *err)
{
	char from[PATH_MAX], to[PATH_MAX], directory[PATH_MAX];

	if (path_python(directory, err))
		return -1;
	snprintf(from, sizeof(from), "%.4000s/coppice/%s", directory, name);
	snprintf(to, sizeof(to), "%.4000s/%s", library->directory, name);
	return library_copy(from, to, err);
}

/* The file that is the module, in a package's directory or by itself. */
static int main_file(const char *path, char file[PATH_MAX], struct error *err)
{
	if (snprintf(file, PATH_MAX, "%s%s", path, is_directory(path) ? "/" INIT : "") < PATH_MAX)
		return 0;
	return error_set(err, ENAMETOOLONG, "%.200s is too long a path", path);
}

static int make_files(const struct library *library, char local[PATH_MAX], struct error *err)
{
	char target[PATH_MAX], provider[PATH_MAX], merged[PATH_MAX], file[PATH_MAX];
	const char *name;

	if (main_file(library->provider, target, err))
		return -1;
	name = library_base(target);
	if (library_place(library, "local", library_base(library->local), local, err) ||
	    library_place(library, "provider", name, provider, err) ||
	    library_place(library, "merged", name, merged, err) ||
	    library_copy(library->local, local, err) || library_copy(target, provider, err) ||
	    copy_script(library, "merge.py", err) || copy_script(library, "interface.py", err) ||
	    main_file(local, file, err) || write_cover(library, merged, provider, file, err))
		return -1;
	return library_cover(library, merged, target, err);
}

static int take_list(const struct library *library, const json_t *answer, const char *key,
		     struct error *err)
{
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(answer, key), i, name)
		if (json_is_string(name) && library_note(library, key, json_string_value(name), err))
			return -1;
	return 0;
}

int library_take_lists(const struct library *library, const json_t *answer, struct error *err)
{
	if (take_list(library, answer, "overridden", err) ||
	    take_list(library, answer, "falls_through", err) ||
	    take_list(library, answer, "added", err))
		return -1;
	return library_check_lists(library, err);
}

int library_make_python(struct library *library, struct error *err)
{
	char local[PATH_MAX], script[PATH_MAX];
	char *argv[] = { PYTHON, "-I", "-B", script, library->provider, local, NULL };
	autojson json_t *answer = NULL;

	if (is_directory(library->local) && !is_directory(library->provider))
		return error_set(err, EINVAL, "%.200s is one module and %.200s a package: give one file",
				 library->provider, library->local);
	if (make_files(library, local, err))
		return -1;
	snprintf(script, sizeof(script), "%.4000s/interface.py", library->directory);
	answer = library_ask(library, argv, true, err);
	return answer ? library_take_lists(library, answer, err) : -1;
}
