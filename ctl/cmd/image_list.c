// SPDX-License-Identifier: GPL-2.0
/* coppice image list */
#include <errno.h>

#include "cmd.h"
#include "describe.h"
#include "lib/cleanup.h"

static const struct column columns[] = {
	{ "name", "NAME", COLUMN_TEXT },
	{ "owner", "OWNER", COLUMN_TEXT },
	{ "bytes", "SIZE", COLUMN_BYTES },
	{ "segments", "SEGMENTS", COLUMN_NUMBER },
	{ "pages", "PAGES", COLUMN_NUMBER },
	{ "added_pages", "ADDED", COLUMN_NUMBER },
	{ "groups", "GROUPS", COLUMN_NUMBER },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	(void)key;
	(void)data;
	return error_usage(err, "'%.80s' is one argument too many: `coppice image show %.80s` shows one image",
			   arg, arg);
}

static int add_row(const struct image_info *info, void *data)
{
	return json_array_append_new(data, describe_image(info));
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *rows = json_array();

	if (cmd_parse(&cmd_image_list, argc, argv, option, NULL, err) ||
	    ctx->backend->image_each(add_row, rows, err))
		return -1;
	return output_rows(ctx, rows, columns, err);
}

const struct command cmd_image_list = {
	.object = "image",
	.verb = "list",
	.summary = "Show all images",
	.help = "PAGES have content; ADDED are those that no image of the same owner had "
		"before, so that the page store grew by them.",
	.needs_backend = true,
	.run = run,
};
