// SPDX-License-Identifier: GPL-2.0
/* coppice image save IMAGE FILE */
#include <errno.h>

#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/recipe.h"

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

/* Elsewhere its tasks would load the provider's beside what the template had loaded of the local one. */
static int refuse_libraries(const struct context *ctx, const char *name, struct error *err)
{
	autojson json_t *libraries = recipe_libraries(ctx->backend, name, err);

	if (!libraries)
		return -1;
	if (!json_array_size(libraries))
		return 0;
	return error_set(err, EOPNOTSUPP, "image %s has %zu library overrides, which a file does not carry: build it where it is wanted",
			 name, json_array_size(libraries));
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
	if (refuse_libraries(ctx, arguments.text[0], err) ||
	    ctx->backend->image_read(arguments.text[0], &image, err))
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
		"secrets, so only its owner may read it. An image with library overrides is refused.",
	.needs_backend = true,
	.run = run,
};
