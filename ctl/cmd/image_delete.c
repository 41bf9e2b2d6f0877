// SPDX-License-Identifier: GPL-2.0
/* coppice image delete IMAGE */
#include "cmd.h"
#include "lib/recipe.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	const char *name;

	if (cmd_parse_one(&cmd_image_delete, argc, argv, "the name of the IMAGE", &name, err))
		return -1;
	if (ctx->backend->image_delete(name, err))
		return -1;
	return recipe_remove(ctx->backend, name, err);
}

const struct command cmd_image_delete = {
	.object = "image",
	.verb = "delete",
	.args = "IMAGE",
	.summary = "Delete an image that no group uses",
	.needs_backend = true,
	.run = run,
};
