// SPDX-License-Identifier: GPL-2.0
/*
 * A task's arguments: the header, argv[], envp[], then the strings, laid out in one
 * region as the kernel does it on a new program's stack.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "launch_args.h"
#include "spawn.h"

static size_t strings_count(char *const *strings, size_t *bytes)
{
	size_t n;

	for (n = 0; strings[n]; n++)
		*bytes += strlen(strings[n]) + 1;
	return n;
}

uint64_t launch_args_size(const struct launch *launch)
{
	size_t bytes = 2 * sizeof(struct coppice_task_args);
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

/* What a reset leaves open, which only the module can do: what a task is left with, see arrange_descriptors(). */
static void fds_fill(struct coppice_task_args *args)
{
	bool resets = args->flags & COPPICE_ARGS_MODULE;
	int fd;

	for (fd = STDIN_FILENO; resets && fd <= TASK_EVENT_FD; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			args->fds[args->nr_fds++] = fd;
	args->fds[args->nr_fds++] = args->fd;
}

/* A reset finds the vDSO where the first resume has left it. */
static void reset_fill(struct coppice_task_args *args, const struct launch *launch)
{
	args[1] = args[0];
	args[1].flags |= COPPICE_ARGS_RESET;
	args[1].vdso = launch->vdso;
	args[1].vvar = launch->vvar;
}

void launch_args_fill(struct coppice_task_args *args, const struct launch *launch)
{
	size_t bytes = 0;
	size_t argc = strings_count(launch->argv, &bytes);
	size_t envc = strings_count(launch->envp, &bytes);
	char **pointers = (char **)(args + 2);
	char *at = (char *)(pointers + argc + envc + 2);

	*args = (struct coppice_task_args){
		.magic = COPPICE_ARGS_MAGIC,
		.size = sizeof(*args),
		.flags = (launch->module ? COPPICE_ARGS_MODULE : 0) |
			 (launch->reshare_idle ? COPPICE_ARGS_RESHARE_IDLE : 0),
		.fd = launch->fd,
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
	fds_fill(args);
	reset_fill(args, launch);
}
