// SPDX-License-Identifier: GPL-2.0
/* The words of a command line, one a line: by the options of any command. */
#include <string.h>

#include "cmd/cmd.h"
#include "fuzz.h"
#include "lib/name.h"

#define WORDS_MAX 64

static int take(int key, char *arg, void *data, struct error *err)
{
	uint64_t number;

	(void)key;
	(void)data;
	if (arg && number_parse("it", arg, UINT32_MAX, &number, err))
		return -1;
	return arg && bytes_parse("it", arg, &number, err);
}

static int split(char *text, char **words)
{
	int nr = 0;

	while (text && nr < WORDS_MAX)
		words[nr++] = strsep(&text, "\n");
	words[nr] = NULL;
	return nr;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size ? fuzz_text(data + 1, size - 1) : NULL, *words[WORDS_MAX + 1];
	const struct command *command;
	struct error err = {};
	size_t nr = 0;
	int argc;

	if (!text)
		return 0;
	while (commands[nr])
		nr++;
	command = commands[data[0] % nr];
	argc = split(text, words);
	fuzz_judge(cmd_parse(command, argc, words, take, NULL, &err), &err);
	free(text);
	return 0;
}
