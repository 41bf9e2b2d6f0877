/* SPDX-License-Identifier: MIT */
/*
 * A task's environment takes the place of the template's.
 *
 * Some programs (perl) replace `environ` by a copy and free it, with its strings, as
 * they end. So a task gets what such a program expects: the array that the program
 * started with as long as that is in place, else one in allocated memory.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state.h"

static char **template_environ;
static size_t room;	/* entries that the array had when the program started */

static size_t count(char **env)
{
	size_t n = 0;

	while (env[n])
		n++;
	return n;
}

void coppice_environ_note(void)
{
	template_environ = environ;
	room = count(environ);
}

static char **copy(char **env, size_t n)
{
	char **array = calloc(n + 1, sizeof(*array));
	size_t i;

	for (i = 0; array && i < n; i++)
		array[i] = strdup(env[i]);
	return array;
}

void coppice_environ_replace(char **env)
{
	size_t n = count(env);

	if (environ != template_environ)
		environ = copy(env, n) ?: env;
	else if (n <= room)
		memcpy(environ, env, (n + 1) * sizeof(*env));
	else
		environ = env;
}
