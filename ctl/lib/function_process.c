// SPDX-License-Identifier: GPL-2.0
/* What a process of a function runs and has, in a template and in a task. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "function.h"
#include "function_field.h"

#define PYTHON	"/usr/bin/python3"

static char *join(const char *directory, const char *path)
{
	char *joined;

	if (*path == '/')
		return strdup(path);
	return asprintf(&joined, "%s/%s", directory, path) < 0 ? NULL : joined;
}

/* NULL if any is. */
static char **checked(char **texts, size_t nr)
{
	if (texts && texts_count(texts) == nr)
		return texts;
	texts_free(texts);
	return NULL;
}

static char **python_words(const struct function *function)
{
	char **words = calloc(5, sizeof(*words));

	if (!words)
		return NULL;
	words[0] = strdup(PYTHON);
	words[1] = strdup("-m");
	words[2] = strdup("coppice.bootstrap");
	if (asprintf(&words[3], "%s/%s:%s", function->directory, function->file,
		     function->handler) < 0)
		words[3] = NULL;
	return checked(words, 4);
}

char **function_words(const struct function *function)
{
	size_t nr = texts_count(function->command), i;
	char **words;

	if (function->runtime == FUNCTION_PYTHON)
		return python_words(function);
	words = calloc(nr + 1, sizeof(*words));
	if (!words)
		return NULL;
	words[0] = join(function->directory, function->command[0]);
	for (i = 1; i < nr; i++)
		words[i] = strdup(function->command[i]);
	return checked(words, nr);
}

/* Nothing of who deploys or who invokes: a function is the same on every hub. */
char **function_variables(const struct function *function)
{
	size_t nr = texts_count(function->environment), own = 0, i;
	char **variables = calloc(nr + 4, sizeof(*variables));

	if (!variables)
		return NULL;
	/* The first of a name is the one that counts. */
	for (i = 0; i < nr; i++)
		variables[own++] = strdup(function->environment[i]);
	variables[own++] = strdup("PATH=/usr/local/bin:/usr/bin:/bin");
	variables[own++] = strdup("LANG=C.UTF-8");
	if (asprintf(&variables[own++], "LAMBDA_TASK_ROOT=%s", function->directory) < 0)
		variables[own - 1] = NULL;
	return checked(variables, nr + 3);
}
