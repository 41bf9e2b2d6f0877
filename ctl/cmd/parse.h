/* SPDX-License-Identifier: GPL-2.0 */
/* One pass over the words of a command line; shared by main() and cmd_parse(). */
#ifndef COPPICE_PARSE_H
#define COPPICE_PARSE_H

#include "cmd.h"

struct parser {
	const struct command *command;	/* whose options count too, or NULL */
	bool globals;			/* the global options count */
	int argc;
	char **argv;
	int next;			/* index of the next word */
	bool only_args;			/* "--" has been seen */
};

/*
 * The next option (*key, *arg or NULL) or argument (ARGP_KEY_ARG). Returns 1, 0 at
 * the end, or -1 with err set.
 */
int __must_check parser_next(struct parser *parser, int *key, char **arg, struct error *err);

#endif /* COPPICE_PARSE_H */
