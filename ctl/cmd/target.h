/* SPDX-License-Identifier: GPL-2.0 */
/* Which tasks a command is for: PID… or --group GROUP. */
#ifndef COPPICE_TARGET_H
#define COPPICE_TARGET_H

#include "cmd.h"

#define TARGETS_MAX	1024
#define TARGET_OPTION_GROUP	256

#define TARGET_OPTIONS \
	{ .name = "group", .key = TARGET_OPTION_GROUP, .arg = "GROUP", .doc = "all tasks of a group" }

struct targets {
	const struct command *command;
	const char *group;	/* NULL: by pid */
	pid_t pids[TARGETS_MAX];
	size_t nr_pids;
	struct task_info *tasks;	/* by targets_find() */
	size_t nr_tasks;
};

/* An option_fn for cmd_parse(), for commands with no options but TARGET_OPTIONS. */
int targets_option(int key, char *arg, void *targets, struct error *err);

/* Look them all up, before anything is done to one. Refuses a process that is no task. */
int __must_check targets_find(const struct context *ctx, struct targets *targets,
			      struct error *err);

/*
 * Parse, look up, call @fn for each task and print the rows that it returns. A task
 * may have ended meanwhile: then @fn fails with ENOENT, and it is left out.
 */
typedef json_t *(*target_fn)(const struct context *ctx, const struct task_info *info,
			     struct error *err);
int __must_check targets_run(struct context *ctx, const struct command *command, int argc,
			     char **argv, target_fn fn, const struct column *columns,
			     struct error *err);

#endif /* COPPICE_TARGET_H */
