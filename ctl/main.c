// SPDX-License-Identifier: GPL-2.0
/*
 * coppice: the controller. main() finds the command in the table, runs it, and is the
 * only place that prints an error and decides the exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/parse.h"
#include "lib/cleanup.h"
#include "lib/json_memory.h"
#include "lib/json_text.h"

struct invocation {
	struct context ctx;
	bool help, version;
	const char *object, *verb;
	char **argv;		/* of the command, without global options */
	int argc;
};

/* All of it, or none: an object that ends in the middle is no error that a program could read. */
static void print_error_json(const struct error *err)
{
	autojson json_t *object = NULL;
	autofree char *text = NULL;

	/* That is what it may tell. */
	(void)json_memory_was_short();
	object = json_pack("{s:{s:s, s:i, s:i, s:s?}}", "error", "text", err->text,
			   "status", err->status, "code", err->code,
			   "errno", err->code ? strerrorname_np(err->code) : NULL);
	text = object ? json_text(object, JSON_COMPACT) : NULL;
	if (text)
		fprintf(stderr, "%s\n", text);
	else
		fprintf(stderr, "coppice: %s\n", err->text);
}

static int fail(const struct context *ctx, struct error *err)
{
	/* Whoever builds JSON is told that it could not be built, and tells on: all else has its own sentence. */
	if (!err->text[0])
		(void)error_set(err, ENOMEM, "out of memory");
	output_progress(ctx, "%s", "");
	if (ctx->json)
		print_error_json(err);
	else
		fprintf(stderr, "coppice: %s\n", err->text);
	return err->status;
}

static void global_option(struct invocation *call, int key, const char *arg)
{
	switch (key) {
	case 'j':
		call->ctx.json = true;
		break;
	case 'b':
		call->ctx.backend_name = arg;
		break;
	case 'h':
		call->help = true;
		break;
	case 'V':
		call->version = true;
		break;
	}
}

/* The next word that is no global option, or NULL. */
static int next_word(struct invocation *call, struct parser *parser, const char **word,
		     struct error *err)
{
	int key, more;
	char *arg;

	*word = NULL;
	while ((more = parser_next(parser, &key, &arg, err)) > 0) {
		if (key == ARGP_KEY_ARG) {
			*word = arg;
			return 0;
		}
		global_option(call, key, arg);
	}
	return more;
}

static bool is_global(int key)
{
	const struct argp_option *option;

	for (option = global_options; option->name; option++)
		if (option->key == key)
			return true;
	return false;
}

/* What is left are the command's own words; global options are taken out. */
static int own_words(struct invocation *call, struct parser *parser, struct error *err)
{
	int key, more, from, i;
	char *arg;

	call->argv[call->argc++] = (char *)(call->verb ? call->verb : call->object);
	for (from = parser->next; (more = parser_next(parser, &key, &arg, err)) > 0;
	     from = parser->next) {
		if (is_global(key)) {
			global_option(call, key, arg);
			continue;
		}
		for (i = from; i < parser->next; i++)
			call->argv[call->argc++] = parser->argv[i];
	}
	return more;
}

static int no_verb(const struct invocation *call, struct error *err)
{
	char names[256];

	command_names(call->object, names, sizeof(names));
	if (!names[0]) {
		command_names(NULL, names, sizeof(names));
		return error_usage(err, "'%.80s' is no command: there are %s", call->object, names);
	}
	if (!call->verb)
		return error_usage(err, "%s needs a verb: there are %s", call->object, names);
	return error_usage(err, "%s has no verb '%.80s': there are %s", call->object, call->verb,
			   names);
}

/* Fills in everything; *command is NULL if only help or the version is wanted. */
static int parse(struct invocation *call, int argc, char **argv,
		 const struct command **command, struct error *err)
{
	struct parser parser = { .globals = true, .argc = argc, .argv = argv, .next = 1 };

	*command = NULL;
	if (next_word(call, &parser, &call->object, err))
		return -1;
	if (!call->object)
		return 0;
	*command = command_find(call->object, NULL);
	if (!*command) {
		if (next_word(call, &parser, &call->verb, err))
			return -1;
		*command = call->verb ? command_find(call->object, call->verb) : NULL;
	}
	if (!*command) {
		call->help |= call->verb && !strcmp(call->verb, "help");
		if (call->help && call->verb && !strcmp(call->verb, "help"))
			call->verb = NULL;
		return call->help ? 0 : no_verb(call, err);
	}
	parser.command = *command;
	return own_words(call, &parser, err);
}

static int run(struct invocation *call, const struct command *command, struct error *err)
{
	if (call->version)
		return cmd_version.run(&call->ctx, 1, (char *[]) { "version", NULL }, err);
	if (call->help || !command)
		return help_print(&call->ctx, call->object, call->verb, err);
	if (command->needs_backend) {
		call->ctx.backend = backend_find(call->ctx.backend_name, err);
		if (!call->ctx.backend)
			return -1;
	}
	return command->run(&call->ctx, call->argc, call->argv, err);
}

/* Errors in words before it are JSON too. */
static bool wants_json(char **argv)
{
	for (argv++; *argv && strcmp(*argv, "--"); argv++)
		if (!strcmp(*argv, "--json"))
			return true;
	return false;
}

/* No file may get the number of a standard stream, and be written to as one. */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct invocation call = {};
	const struct command *command;
	struct error err = {};
	int status;

	open_standard_streams();
	/* Texts are UTF-8; numbers and names stay those of the C locale. */
	setlocale(LC_CTYPE, "");
	call.ctx.json = wants_json(argv);
	call.ctx.progress = isatty(STDERR_FILENO) && !call.ctx.json;
	call.ctx.colour = isatty(STDOUT_FILENO);
	call.argv = calloc(argc + 2, sizeof(*call.argv));
	if (!call.argv)
		status = error_set(&err, ENOMEM, "out of memory");
	else if (parse(&call, argc, argv, &command, &err))
		status = -1;
	else
		status = run(&call, command, &err);
	if (status < 0)
		status = fail(&call.ctx, &err);
	free(call.argv);
	return status;
}
