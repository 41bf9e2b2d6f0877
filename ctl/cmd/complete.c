// SPDX-License-Identifier: GPL-2.0
/*
 * coppice complete -- WORD…: what the last word may become, one candidate a line. For
 * shells: see completion/coppice. Everything but names comes from the table.
 */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/dead.h"
#include "lib/devices.h"
#include "lib/function.h"

/* What of the words before the last one matters. */
struct line {
	const char *object, *verb;
	const struct command *command;
	const char *wanted;	/* option that the last word is the value of, or NULL */
	int nr_args;		/* positional words of the command */
	const char *backend;
	bool only_args;		/* after -- */
};

static const struct argp_option *find_option(const struct line *line, const char *word)
{
	const struct argp_option *lists[] = {
		line->command ? line->command->options : NULL, global_options,
	};
	const struct argp_option *option;
	size_t i;

	for (i = 0; i < 2; i++)
		for (option = lists[i]; option && option->name; option++)
			if (!strcmp(option->name, word + 2))
				return option;
	return NULL;
}

static void take_word(struct line *line, const char *word)
{
	if (!line->object)
		line->object = word;
	else if (!line->command)
		line->verb = word;
	else
		line->nr_args++;
	if (!line->command)
		line->command = command_find(line->object, line->verb);
}

static void take(struct line *line, const char *word)
{
	const struct argp_option *option;

	if (line->wanted) {
		if (!strcmp(line->wanted, "kernel|memfd"))
			line->backend = word;
		line->wanted = NULL;
	} else if (!line->only_args && !strcmp(word, "--")) {
		line->only_args = true;
	} else if (!line->only_args && !strncmp(word, "--", 2)) {
		option = find_option(line, word);
		line->wanted = option ? option->arg : NULL;
	} else {
		take_word(line, word);
	}
}

static void print(const char *candidate, const char *prefix)
{
	if (!strncmp(candidate, prefix, strlen(prefix)))
		puts(candidate);
}

static void print_options(const struct argp_option *options, const char *prefix)
{
	char text[64];

	for (; options && options->name; options++) {
		snprintf(text, sizeof(text), "--%s", options->name);
		print(text, prefix);
	}
}

/* Objects, or the verbs of one; neighbours in the table may have one object. */
static void print_words(const char *object, const char *prefix)
{
	char names[256], *name, *rest;

	command_names(object, names, sizeof(names));
	for (name = strtok_r(names, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest))
		print(name, prefix);
}

static int print_group(const struct group_info *info, void *prefix)
{
	print(info->name, prefix);
	return 0;
}

static int print_image(const struct image_info *info, void *prefix)
{
	print(info->name, prefix);
	return 0;
}

static int print_function(const struct function *function, void *prefix)
{
	print(function->name, prefix);
	return 0;
}

static void print_devices(const char *prefix, struct error *ignored)
{
	struct devices devices;
	size_t i;

	if (devices_read(&devices, ignored))
		return;
	for (i = 0; i < devices.nr; i++)
		print(devices.list[i].name, prefix);
	devices_free(&devices);
}

static void print_events(const char *prefix, struct error *ignored)
{
	autojson json_t *rows = dead_list(NULL, ignored);
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		print(json_string_value(json_object_get(row, "id")), prefix);
}

static bool is_kind(const char *kind, size_t len, const char *word)
{
	return len == strlen(word) && !strncmp(kind, word, len);
}

/* Without the right to ask there are no candidates, and no message into the line. */
static void print_names(const struct line *line, const char *kind, size_t len, char *prefix)
{
	const struct backend *backend;
	struct error ignored;

	if (is_kind(kind, len, "FUNCTION"))
		(void)!function_each(print_function, prefix, &ignored);
	else if (is_kind(kind, len, "DEVICE"))
		print_devices(prefix, &ignored);
	else if (is_kind(kind, len, "EVENT"))
		print_events(prefix, &ignored);
	backend = backend_find(line->backend, &ignored);
	if (!backend)
		return;
	if (is_kind(kind, len, "IMAGE"))
		(void)!backend->image_each(print_image, prefix, &ignored);
	else if (is_kind(kind, len, "GROUP"))
		(void)!backend->group_each(print_group, prefix, &ignored);
}

/* The word of the command's usage that stands where the argument does. */
static const char *usage_word(const struct line *line, size_t *len)
{
	const char *word = line->command->args ? line->command->args : "";
	int skip = line->nr_args;

	while (skip-- && *word && *word != '[') {
		word += strcspn(word, " ");
		word += strspn(word, " ");
	}
	word += *word == '[';
	*len = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return word;
}

static void complete(const struct line *line, char *last)
{
	const char *word;
	size_t len;

	if (line->wanted && !strcmp(line->wanted, "kernel|memfd")) {
		print("kernel", last);
		print("memfd", last);
	} else if (line->wanted) {
		print_names(line, line->wanted, strlen(line->wanted), last);
	} else if (!line->only_args && last[0] == '-') {
		print_options(line->command ? line->command->options : NULL, last);
		print_options(global_options, last);
	} else if (!line->command) {
		print_words(line->object, last);
	} else if (!strcmp(line->object, "help")) {
		print_words(NULL, last);
	} else {
		word = usage_word(line, &len);
		print_names(line, word, len, last);
	}
}

static int option(int key, char *arg, void *data, struct error *err)
{
	char **words = data;

	(void)key;
	(void)err;
	while (*words)
		words++;
	*words = arg;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	char *words[argc + 1], **word;
	struct line line = { .backend = ctx->backend_name };

	memset(words, 0, sizeof(words));
	if (cmd_parse(&cmd_complete, argc, argv, option, words, err))
		return -1;
	if (!words[0])
		return error_usage(err, "complete is for shells: give the words of the command line after --");
	for (word = words; word[1]; word++)
		take(&line, *word);
	complete(&line, *word);
	return EXIT_OK;
}

const struct command cmd_complete = {
	.object = "complete",
	.args = "-- WORD…",
	.run = run,
};
