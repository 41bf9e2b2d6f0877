// SPDX-License-Identifier: GPL-2.0
/* Words of a command line into options and arguments; names are exact. */
#include <stdio.h>
#include <string.h>

#include "parse.h"

static const struct argp_option *find(const struct argp_option *options, const char *name,
				      size_t len)
{
	for (; options && options->name; options++)
		if (strlen(options->name) == len && !strncmp(options->name, name, len))
			return options;
	return NULL;
}

static const struct argp_option *find_any(const struct parser *parser, const char *name,
					  size_t len)
{
	const struct argp_option *found = NULL;

	if (parser->command)
		found = find(parser->command->options, name, len);
	if (!found && parser->globals)
		found = find(global_options, name, len);
	return found;
}

/* A letter of its own has what argp would give one: a key that is printed. Global ones have none. */
static const struct argp_option *find_letter(const struct parser *parser, char letter)
{
	const struct argp_option *option = parser->command ? parser->command->options : NULL;

	for (; option && option->name; option++)
		if (option->key == letter)
			return option;
	return NULL;
}

static int unknown(const struct parser *parser, const char *word, struct error *err)
{
	const struct argp_option *option;
	char names[256] = "";
	size_t len = 0;

	option = parser->command ? parser->command->options : NULL;
	for (; option && option->name && len < sizeof(names); option++)
		len += snprintf(names + len, sizeof(names) - len, "--%s, ", option->name);
	for (option = global_options; option->name && len < sizeof(names); option++)
		len += snprintf(names + len, sizeof(names) - len, "--%s%s", option->name,
				option[1].name ? ", " : "");
	return error_usage(err, "'%.80s' is no option here: there are %s; after -- words are never options",
			   word, names);
}

static int next_option(struct parser *parser, int *key, char **arg, struct error *err)
{
	char *word = parser->argv[parser->next++];
	const char *equals = strchr(word, '=');
	const struct argp_option *option;
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	if (word[1] != '-')
		option = word[2] ? NULL : find_letter(parser, word[1]);
	else
		option = len > 2 ? find_any(parser, word + 2, len - 2) : NULL;
	if (!option)
		return unknown(parser, word, err);
	*key = option->key;
	*arg = NULL;
	if (!option->arg && equals)
		return error_usage(err, "--%s takes no value, but '%.80s' gives one",
				   option->name, word);
	if (!option->arg)
		return 1;
	if (!equals && parser->next == parser->argc)
		return error_usage(err, "--%s needs a value: --%s %s", option->name,
				   option->name, option->arg);
	*arg = equals ? word + len + 1 : parser->argv[parser->next++];
	return 1;
}

int parser_next(struct parser *parser, int *key, char **arg, struct error *err)
{
	const char *word;

	if (!parser->only_args && parser->next < parser->argc &&
	    !strcmp(parser->argv[parser->next], "--")) {
		parser->only_args = true;
		parser->next++;
	}
	if (parser->next >= parser->argc)
		return 0;
	word = parser->argv[parser->next];
	/* A lone dash is an argument: standard input. */
	if (!parser->only_args && word[0] == '-' && word[1])
		return next_option(parser, key, arg, err);
	*key = ARGP_KEY_ARG;
	*arg = parser->argv[parser->next++];
	return 1;
}

int cmd_parse(const struct command *command, int argc, char **argv, option_fn option,
	      void *data, struct error *err)
{
	struct parser parser = { .command = command, .argc = argc, .argv = argv, .next = 1 };
	int key, more;
	char *arg;

	while ((more = parser_next(&parser, &key, &arg, err)) > 0)
		if (option(key, arg, data, err))
			return -1;
	return more;
}

static int only_word(int key, char *arg, void *data, struct error *err)
{
	const char **word = data;

	(void)key;
	if (*word)
		return error_usage(err, "'%.80s' is one argument too many after '%.80s'", arg,
				   *word);
	*word = arg;
	return 0;
}

int cmd_parse_word(const struct command *command, int argc, char **argv, const char **word,
		   struct error *err)
{
	*word = NULL;
	return cmd_parse(command, argc, argv, only_word, word, err);
}

static int require(const struct command *command, const char *what, const char *word,
		   struct error *err)
{
	if (word)
		return 0;
	return error_usage(err, "%s is missing: coppice %s %s %s", what, command->object,
			   command->verb ? command->verb : "", command->args);
}

int cmd_parse_one(const struct command *command, int argc, char **argv, const char *what,
		  const char **word, struct error *err)
{
	if (cmd_parse_word(command, argc, argv, word, err))
		return -1;
	return require(command, what, *word, err);
}

struct word_and_flag {
	const char **word;
	bool *flag;
};

static int word_or_flag(int key, char *arg, void *data, struct error *err)
{
	struct word_and_flag *both = data;

	if (key == ARGP_KEY_ARG)
		return only_word(key, arg, both->word, err);
	*both->flag = true;
	return 0;
}

int cmd_parse_one_flag(const struct command *command, int argc, char **argv, const char *what,
		       const char **word, bool *flag, struct error *err)
{
	struct word_and_flag both = { word, flag };

	*word = NULL;
	*flag = false;
	if (cmd_parse(command, argc, argv, word_or_flag, &both, err))
		return -1;
	return require(command, what, *word, err);
}
