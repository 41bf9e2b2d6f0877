/* SPDX-License-Identifier: GPL-2.0 */
/* --running WHAT: what becomes of tasks that a change finds. */
#ifndef COPPICE_CMD_RUNNING_H
#define COPPICE_CMD_RUNNING_H

#include "cmd.h"
#include "lib/group.h"

/* Of commands that bring a deployment's functions with it. */
#define RUNNING_KEY	'R'
#define RUNNING_OPTION								\
	{ .name = "running", .key = RUNNING_KEY, .arg = "WHAT",			\
	  .doc = "what becomes of tasks of functions that change or go, and of those that have "	\
		 "grants from before: drain (wait until they have ended, the default), end them, or keep " \
		 "(refuse what they stand in the way of)" }

/* "keep", "drain", "end" */
int __must_check running_parse(const char *text, enum group_running *running, struct error *err);

/* The words of commands on one deployment, which may have a flag besides. */
#define RUNNING_FLAG	'v'

struct running_words {
	const char *name;
	enum group_running running;
	bool flag;
};

int __must_check running_words_parse(const struct command *command, int argc, char **argv,
				     struct running_words *words, struct error *err);

#endif /* COPPICE_CMD_RUNNING_H */
