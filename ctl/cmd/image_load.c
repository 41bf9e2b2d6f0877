// SPDX-License-Identifier: GPL-2.0
/* coppice image load NAME FILE */
#include <errno.h>

#include "cmd.h"
#include "lib/name.h"
#include "lib/recipe.h"
#include "lib/user.h"

enum { OPTION_OWNER = 256 };

static const struct argp_option options[] = {
	{ .name = "owner", .key = OPTION_OWNER, .arg = "USER",
	  .doc = "whom the image belongs to (default: who called sudo, else nobody)" },
	{}
};

struct arguments {
	const char *text[2];	/* image, file */
	int nr;
	const char *owner;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	if (key == OPTION_OWNER) {
		arguments->owner = arg;
		return 0;
	}
	if (arguments->nr == 2)
		return error_usage(err, "'%.80s' is one argument too many: load takes a NAME and a FILE",
				   arg);
	arguments->text[arguments->nr++] = arg;
	return 0;
}

static int load(struct context *ctx, const struct arguments *arguments,
		const struct user *owner, struct error *err)
{
	struct image_info known;
	struct image image;
	int ret;

	if (image_file_read(&image, arguments->text[1], err))
		return -1;
	output_progress(ctx, "loading %s", arguments->text[0]);
	ret = image_check(&image, err);
	/* Of an image of that name that went without us, with the module or the hub. */
	if (!ret && ctx->backend->image_get(arguments->text[0], &known, err))
		ret = err->code == ENOENT ? recipe_remove(ctx->backend, arguments->text[0], err) : -1;
	if (!ret)
		ret = ctx->backend->image_load(arguments->text[0], owner->uid, &image, err);
	image_free(&image);
	return ret;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = {};
	struct user owner;

	if (cmd_parse(&cmd_image_load, argc, argv, option, &arguments, err))
		return -1;
	if (arguments.nr < 2)
		return error_usage(err, "a NAME for the image and the FILE to read are needed: coppice image load %s",
				   cmd_image_load.args);
	if (name_check("an image", arguments.text[0], err))
		return -1;
	if (arguments.owner ? user_find(arguments.owner, &owner, err) : user_default(&owner, err))
		return -1;
	return load(ctx, &arguments, &owner, err);
}

const struct command cmd_image_load = {
	.object = "image",
	.verb = "load",
	.args = "NAME FILE [--owner USER]",
	.summary = "Load an image from an ELF core file",
	.help = "Refused if it was built for another kernel's vDSO, needs processor features that "
		"this hub lacks, or holds copies of other builds of this hub's libraries.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
