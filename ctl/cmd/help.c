// SPDX-License-Identifier: GPL-2.0
/* coppice help [OBJECT [VERB]]: everything that it says comes from the table. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib/cleanup.h"

#define WIDTH	80

/* Words of @text from column @indent on, the first line being at @column already. */
static void print_wrapped(const char *text, int column, int indent)
{
	while (*text) {
		int len = strcspn(text, " ");

		if (column + 1 + len > WIDTH) {
			printf("\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			putchar(' ');
			column++;
		}
		printf("%.*s", len, text);
		column += len;
		text += len;
		text += *text == ' ';
	}
	putchar('\n');
}

static void print_options(const struct argp_option *options)
{
	char left[64];

	for (; options && options->name; options++) {
		snprintf(left, sizeof(left), "  --%s%s%s", options->name, options->arg ? " " : "",
			 options->arg ? options->arg : "");
		printf("%-26s", left);
		if (strlen(left) >= 26)
			printf("\n%26s", "");
		print_wrapped(options->doc, 26, 26);
	}
}

static void print_usage(const struct command *command)
{
	char usage[512];

	snprintf(usage, sizeof(usage), "coppice %s%s%s%s%s", command->object,
		 command->verb ? " " : "", command->verb ? command->verb : "",
		 command->args ? " " : "", command->args ? command->args : "");
	printf("Usage: ");
	print_wrapped(usage, 7, 7);
}

static void print_command(const struct command *command)
{
	print_usage(command);
	printf("\n%s.\n", command->summary);
	if (command->help) {
		putchar('\n');
		print_wrapped(command->help, 0, 0);
	}
	if (command->options) {
		puts("\nOptions:");
		print_options(command->options);
	}
}

static void print_lines(const char *object)
{
	const struct command *const *command;
	char left[64];

	for (command = commands; *command; command++) {
		if (!(*command)->summary || (object && strcmp((*command)->object, object)))
			continue;
		snprintf(left, sizeof(left), "%s%s%s", (*command)->object,
			 (*command)->verb ? " " : "", (*command)->verb ? (*command)->verb : "");
		printf("  %-22s  %s\n", left, (*command)->summary);
	}
}

static void print_overview(void)
{
	puts("Usage: coppice [OPTION…] OBJECT [VERB] [ARGUMENT…]\n\n"
	     "Run function tasks in the memory of a few, from one shared image.\n\n"
	     "Commands:");
	print_lines(NULL);
	puts("\nOptions of every command:");
	print_options(global_options);
	puts("\n`coppice help OBJECT [VERB]` says more; so does coppice(8).");
}

static int unknown(const char *object, const char *verb, struct error *err)
{
	char names[256];

	if (verb && !command_find(object, NULL)) {
		command_names(object, names, sizeof(names));
		if (names[0])
			return error_usage(err, "%s has no verb '%.80s': there are %s",
					   object, verb, names);
	}
	command_names(NULL, names, sizeof(names));
	return error_usage(err, "'%.80s' is no command: there are %s", object, names);
}

/* The table itself, for scripts and for the tests of man page and completion. */
static json_t *describe_options(const struct argp_option *options)
{
	json_t *array = json_array();

	for (; options && options->name; options++)
		json_array_append_new(array, json_pack("{s:s, s:s?, s:s}", "name", options->name,
						       "arg", options->arg, "doc", options->doc));
	return array;
}

static json_t *describe_command(const struct command *command)
{
	return json_pack("{s:s, s:s?, s:s?, s:s, s:s?, s:o}", "object", command->object,
			 "verb", command->verb, "args", command->args,
			 "summary", command->summary, "help", command->help,
			 "options", describe_options(command->options));
}

static bool is_meant(const struct command *command, const char *object, const char *verb)
{
	return command->summary && (!object || !strcmp(command->object, object)) &&
	       (!verb || (command->verb && !strcmp(command->verb, verb)));
}

static int print_json(const struct context *ctx, const char *object, const char *verb,
		      struct error *err)
{
	autojson json_t *array = json_array();
	const struct command *const *command;

	for (command = commands; *command; command++)
		if (is_meant(*command, object, verb))
			json_array_append_new(array, describe_command(*command));
	if (!json_array_size(array))
		return unknown(object, verb, err);
	return output_rows(ctx, array, NULL, err);
}

int help_print(const struct context *ctx, const char *object, const char *verb,
	       struct error *err)
{
	const struct command *command;
	char verbs[256];

	if (ctx->json)
		return print_json(ctx, object, verb, err);
	if (!object) {
		print_overview();
		return EXIT_OK;
	}
	command = command_find(object, verb);
	command_names(object, verbs, sizeof(verbs));
	if (command && command->summary) {
		print_command(command);
	} else if (!verb && verbs[0]) {
		printf("Usage: coppice %s VERB …\n\nCommands:\n", object);
		print_lines(object);
	} else {
		return unknown(object, verb, err);
	}
	return EXIT_OK;
}

struct words {
	const char *word[2];
	int nr;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct words *words = data;

	(void)key;
	if (words->nr == 2)
		return error_usage(err, "'%.80s' is one word too many: a command has an object and a verb",
				   arg);
	words->word[words->nr++] = arg;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct words words = {};

	if (cmd_parse(&cmd_help, argc, argv, option, &words, err))
		return -1;
	return help_print(ctx, words.word[0], words.word[1], err);
}

const struct command cmd_help = {
	.object = "help",
	.args = "[OBJECT [VERB]]",
	.summary = "Explain a command",
	.run = run,
};
