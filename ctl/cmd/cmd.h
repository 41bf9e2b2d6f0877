/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line is data: a command is one file in ctl/cmd/ that defines a
 * struct command and stands in the table of ctl/cmd/table.c. Help, usage
 * errors, completion and the list in the man page are derived from it.
 */
#ifndef COPPICE_CMD_H
#define COPPICE_CMD_H

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <jansson.h>

#include "lib/backend.h"
#include "lib/error.h"

/* What every command is given: the global options and the chosen backend. */
struct context {
	bool json;
	bool progress;		/* stderr is a terminal */
	bool colour;		/* stdout is a terminal */
	const char *backend_name;	/* --backend, or NULL */
	const struct backend *backend;	/* set if the command asks for it */
};

struct command {
	const char *object;	/* "group" */
	const char *verb;	/* "add", or NULL: `coppice status` */
	const char *args;	/* "NAME --image IMAGE", for usage and help */
	const char *summary;	/* one line, imperative, no full stop; NULL: hidden */
	const char *help;	/* further text for `help`, or NULL */
	const struct argp_option *options;	/* of this command, or NULL */
	bool needs_backend;
	/*
	 * Commands parse their words through cmd_parse() below. Returns an exit status
	 * >= 0, or -1 with err set.
	 */
	int (*run)(struct context *ctx, int argc, char **argv, struct error *err);
};

extern const struct command *const commands[];	/* NULL-terminated; table.c */

#define COMMAND(name) extern const struct command cmd_##name;
#include "commands.h"
#undef COMMAND

/* Options that stand before or after any command: --json and so on. */
extern const struct argp_option global_options[];

/* The command of these words, or NULL. @verb may be NULL. */
const struct command *command_find(const char *object, const char *verb);

/* "image, group, run"; with an object: its verbs. */
void command_names(const char *object, char *names, size_t size);

/* What `coppice help` prints about an object or command; NULL: about all. */
int __must_check help_print(const struct context *ctx, const char *object, const char *verb,
			    struct error *err);

/*
 * Parse @argv (argv[0] is the verb) by the options of @command. option(key, arg, data,
 * err) is called for each option, and with ARGP_KEY_ARG for each positional
 * argument. After "--" everything is positional. Names are exact: with abbreviations a new
 * option would change what an old script means.
 */
typedef int (*option_fn)(int key, char *arg, void *data, struct error *err);
int __must_check cmd_parse(const struct command *command, int argc, char **argv,
			   option_fn option, void *data, struct error *err);

/* For commands that take at most one word: *word stays NULL without one. */
int __must_check cmd_parse_word(const struct command *command, int argc, char **argv,
				const char **word, struct error *err);
/* The same where the word is needed; @what: "the NAME of an image". */
int __must_check cmd_parse_one(const struct command *command, int argc, char **argv,
			       const char *what, const char **word, struct error *err);
/* And where there is one option, which takes no value. */
int __must_check cmd_parse_one_flag(const struct command *command, int argc, char **argv,
				    const char *what, const char **word, bool *flag,
				    struct error *err);

/*
 * Output (ctl/lib/output.c): a command fills a json_t and prints it once. With
 * --json it is dumped as it is; else rows are printed as a table whose columns are
 * given, or an object as "key: value" lines.
 */
struct column {
	const char *key;	/* JSON key */
	const char *title;
	enum { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_BYTES } kind;
};

int __must_check output_rows(const struct context *ctx, json_t *rows,
			     const struct column *columns, struct error *err);
/* The table alone, with its heading; bold if @colour. */
void output_table(FILE *file, bool colour, const json_t *rows, const struct column *columns);
int __must_check output_object(const struct context *ctx, json_t *object,
			       const struct column *columns, struct error *err);

/*
 * Of commands that go on: readers of a pipe have each line at once. An object is printed whole, or not at all where
 * memory is short; a text is ended.
 */
int __must_check output_line(const json_t *line, struct error *err);
int __must_check output_end_line(struct error *err);

/* One line of progress on stderr, if it is a terminal; rewritten by the next. */
void output_progress(const struct context *ctx, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* COPPICE_CMD_H */
