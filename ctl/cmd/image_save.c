// SPDX-License-Identifier: GPL-2.0
/* coppice image save IMAGE FILE */
#include "cmd.h"

struct arguments {
	const char *text[2];	/* image, file */
	int nr;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	(void)key;
	if (arguments->nr == 2)
		return error_usage(err, "'%.80s' is one argument too many: save takes an IMAGE and a FILE",
				   arg);
	arguments->text[arguments->nr++] = arg;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = {};
	struct image image;
	int ret;

	if (cmd_parse(&cmd_image_save, argc, argv, option, &arguments, err))
		return -1;
	if (arguments.nr < 2)
		return error_usage(err, "the name of the IMAGE and the FILE to write are needed: coppice image save %s",
				   cmd_image_save.args);
	if (ctx->backend->image_read(arguments.text[0], &image, err))
		return -1;
	output_progress(ctx, "writing %s", arguments.text[1]);
	ret = image_file_write(&image, arguments.text[1], err);
	image_free(&image);
	return ret;
}

const struct command cmd_image_save = {
	.object = "image",
	.verb = "save",
	.args = "IMAGE FILE",
	.summary = "Write an image to an ELF core file",
	.help = "eu-readelf and gdb open it. It holds all that the template had in memory, also "
		"secrets, so only its owner may read it.",
	.needs_backend = true,
	.run = run,
};
