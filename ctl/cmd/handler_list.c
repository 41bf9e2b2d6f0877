// SPDX-License-Identifier: GPL-2.0
/* coppice handler list */
#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/terminator.h"

static const struct column columns[] = {
	{ "name", "NAME", COLUMN_TEXT },
	{ "listen", "LISTENS AT", COLUMN_TEXT },
	{ "to", "HANDLER", COLUMN_TEXT },
	{ "http", "HTTP", COLUMN_TEXT },
	{ "proxy", "PROXY", COLUMN_TEXT },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	(void)key;
	(void)data;
	return error_usage(err, "'%.80s' is one argument too many: handler list takes none", arg);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *rows = NULL;

	if (cmd_parse(&cmd_handler_list, argc, argv, option, NULL, err))
		return -1;
	rows = terminator_list(err);
	return rows ? output_rows(ctx, rows, columns, err) : -1;
}

const struct command cmd_handler_list = {
	.object = "handler",
	.verb = "list",
	.summary = "Show the handlers behind TLS or a relay",
	.run = run,
};
