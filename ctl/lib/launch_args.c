// SPDX-License-Identifier: GPL-2.0
/*
 * A task's arguments: the header, argv[], envp[], then the strings, laid out in one
 * region as the kernel does it on a new program's stack.
 */
#include <string.h>

#include "launch_args.h"

static size_t strings_count(char *const *strings, size_t *bytes)
{
	size_t n;

	for (n = 0; strings[n]; n++)
		*bytes += strlen(strings[n]) + 1;
	return n;
}

uint64_t launch_args_size(const struct launch *launch)
{
	size_t bytes = sizeof(struct coppice_task_args);
	size_t pointers = strings_count(launch->argv, &bytes) + strings_count(launch->envp, &bytes);

	return PAGE_UP(bytes + (pointers + 2) * sizeof(char *));
}

/* Copies strings to *@at and their addresses to @pointers; returns how many. */
static size_t strings_copy(char **pointers, char **at, char *const *strings)
{
	size_t n;

	for (n = 0; strings[n]; n++) {
		pointers[n] = *at;
		*at = stpcpy(*at, strings[n]) + 1;
	}
	pointers[n] = NULL;
	return n;
}

void launch_args_fill(struct coppice_task_args *args, uint64_t size, const struct launch *launch)
{
	size_t bytes = 0;
	size_t argc = strings_count(launch->argv, &bytes);
	size_t envc = strings_count(launch->envp, &bytes);
	char **pointers = (char **)(args + 1);
	char *at = (char *)(pointers + argc + envc + 2);

	*args = (struct coppice_task_args){
		.magic = COPPICE_ARGS_MAGIC,
		.size = sizeof(*args),
		.region = size,
		.flags = launch->module ? COPPICE_ARGS_MODULE : 0,
		.fd = launch->module ? launch->fd : -1,
		.mm = launch->mm,
		.argc = argc,
		.argv = (uint64_t)pointers,
		.envp = (uint64_t)(pointers + argc + 1),
	};
	args->arg_start = (uint64_t)at;
	strings_copy(pointers, &at, launch->argv);
	args->arg_end = args->env_start = (uint64_t)at;
	strings_copy(pointers + argc + 1, &at, launch->envp);
	args->env_end = (uint64_t)at;
}
