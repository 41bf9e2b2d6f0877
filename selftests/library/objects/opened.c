// SPDX-License-Identifier: GPL-2.0
/* A function that opens the library, by the path that it reads, only when it runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const char *call(void *library, const char *name, const char *version)
{
	const char *(*function)(void) = version ? dlvsym(library, name, version) :
				       dlsym(library, name);

	return function ? function() : "-";
}

static int use(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	printf("%s %s %s %s %s\n", call(library, "meter_unit", NULL),
	       call(library, "meter_unit", "METER_1.0"), call(library, "meter_place", "METER_1.0"),
	       call(library, "meter_place", NULL), call(library, "meter_extra", NULL));
	return dlclose(library);
}

int main(void)
{
	char path[4096];
	int failed = 0;

	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = '\0';
		/* Twice, since closing it has to leave nothing behind. */
		failed |= use(path) || use(path);
	}
	return failed;
}
