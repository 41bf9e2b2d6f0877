// SPDX-License-Identifier: GPL-2.0
/* Where the controller's own parts are. */
#include <errno.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "paths.h"

#define LIBRARY	"libcoppice.so.0"

/* DIR/SUB/FILE if it is there, without symbolic links or dots. */
static bool find(const char *dir, const char *sub, const char *file, char path[PATH_MAX])
{
	char candidate[PATH_MAX];

	snprintf(candidate, sizeof(candidate), "%s%s/%s", dir, sub, file);
	return realpath(candidate, path);
}

static const char *own_directory(char buffer[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", buffer, PATH_MAX - 1);

	buffer[len < 0 ? 0 : len] = '\0';
	return dirname(buffer);
}

/* The dynamic linker splits its list at both. */
static int check_preloadable(const char *path, struct error *err)
{
	if (!strpbrk(path, " :"))
		return 0;
	return error_set(err, EINVAL, "%.200s cannot be preloaded, as its path has a space or colon: move it elsewhere",
			 path);
}

int path_library(char path[PATH_MAX], struct error *err)
{
	const char *given = secure_getenv("COPPICE_LIBDIR");
	char buffer[PATH_MAX];
	const char *own = own_directory(buffer);

	if (given && !find(given, "", LIBRARY, path))
		return error_set(err, ENOENT, "there is no %s in $COPPICE_LIBDIR (%.200s)", LIBRARY,
				 given);
	if (given || find(own, "/runtime", LIBRARY, path) || find(own, "/../lib", LIBRARY, path) ||
	    find(COPPICE_LIBDIR, "", LIBRARY, path))
		return check_preloadable(path, err);
	return error_set(err, ENOENT, "%s is neither beside the controller nor in %s: run make install, or set COPPICE_LIBDIR",
			 LIBRARY, COPPICE_LIBDIR);
}

int path_python(char path[PATH_MAX], struct error *err)
{
	char library[PATH_MAX];
	const char *dir;

	if (path_library(library, err))
		return -1;
	dir = dirname(library);
	if (find(dir, "/python/coppice", "..", path) ||
	    find(dir, "/python3/dist-packages/coppice", "..", path) ||
	    find(COPPICE_PYTHONDIR, "/coppice", "..", path))
		return 0;
	return error_set(err, ENOENT, "the Python package coppice is neither beside %.200s nor in %s: run make install, install python3-coppice, or set COPPICE_LIBDIR",
			 dir, COPPICE_PYTHONDIR);
}
