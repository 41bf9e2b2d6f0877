/* SPDX-License-Identifier: MIT */
/*
 * A task's environment takes the place of the template's.
 *
 * In the template's own array where it fits, since some programs (perl) take a changed
 * `environ` for one that they allocated and free it.
 */
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

void coppice_environ_replace(char **env)
{
	size_t n = count(env);

	if (environ == template_environ && n <= room)
		memcpy(environ, env, (n + 1) * sizeof(*env));
	else
		environ = env;
}
