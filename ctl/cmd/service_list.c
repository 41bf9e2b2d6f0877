// SPDX-License-Identifier: GPL-2.0
/* coppice service list */
#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/service.h"

static const struct column columns[] = {
	{ "name", "NAME", COLUMN_TEXT },
	{ "program", "PROGRAM", COLUMN_TEXT },
	{ "wanted", "WANTED", COLUMN_TEXT },
	{ "pid", "PROCESS", COLUMN_NUMBER },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	(void)key;
	(void)data;
	return error_usage(err, "'%.80s' is one argument too many: service list takes none", arg);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *rows = json_array();
	const struct service *const *service;

	if (cmd_parse(&cmd_service_list, argc, argv, option, NULL, err))
		return -1;
	for (service = services; *service; service++) {
		pid_t pid = service_pid(*service, err);
		int wanted = (*service)->wanted(err);

		if (pid < 0 || wanted < 0)
			return -1;
		json_array_append_new(rows, json_pack("{s:s, s:s, s:b, s:o}",
						      "name", (*service)->name,
						      "program", (*service)->program,
						      "wanted", wanted,
						      "pid", pid ? json_integer(pid) : json_null()));
	}
	return output_rows(ctx, rows, columns, err);
}

const struct command cmd_service_list = {
	.object = "service",
	.verb = "list",
	.summary = "Show the programs that answer for overrides: whether they are wanted, and run",
	.run = run,
};
