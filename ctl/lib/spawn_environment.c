// SPDX-License-Identifier: GPL-2.0
/* The environment of templates and tasks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

/* What is of another user, means the dynamic linker of a root process, or is ours. */
static const char *const dropped[] = {
	"LD_", "COPPICE_", "HOME=", "USER=", "LOGNAME=", "SUDO_", "GCONV_PATH=", "MALLOC_",
};

static bool is_dropped(const char *entry)
{
	size_t i;

	for (i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (!strncmp(entry, dropped[i], strlen(dropped[i])))
			return true;
	return false;
}

/* "NAME=" of both is the same. */
static bool same_name(const char *a, const char *b)
{
	size_t len = strcspn(a, "=");

	return !strncmp(a, b, len) && b[len] == '=';
}

static bool is_replaced(const char *entry, char *const *more)
{
	for (; *more; more++)
		if (same_name(*more, entry))
			return true;
	return false;
}

static size_t count(char *const *list)
{
	size_t nr = 0;

	while (list[nr])
		nr++;
	return nr;
}

/* The first three are ours to free. */
#define OWN	3

static bool put_user(char **to, const struct user *user)
{
	if (asprintf(&to[0], "HOME=%s", user->home) < 0)
		to[0] = NULL;
	if (asprintf(&to[1], "USER=%s", user->name) < 0)
		to[1] = NULL;
	if (asprintf(&to[2], "LOGNAME=%s", user->name) < 0)
		to[2] = NULL;
	return to[0] && to[1] && to[2];
}

char **spawn_environment(char *const *from, const struct user *user, char *const *more)
{
	char **to = calloc(OWN + count(from) + count(more) + 1, sizeof(*to));
	size_t nr = OWN;

	if (!to)
		return NULL;
	if (!put_user(to, user)) {
		spawn_environment_free(to);
		return NULL;
	}
	for (; *from; from++)
		if (!is_dropped(*from) && !is_replaced(*from, more))
			to[nr++] = *from;
	for (; *more; more++)
		to[nr++] = *more;
	return to;
}

void spawn_environment_free(char **environment)
{
	size_t i;

	for (i = 0; environment && i < OWN; i++)
		free(environment[i]);
	free(environment);
}
