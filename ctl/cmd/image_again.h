/* SPDX-License-Identifier: GPL-2.0 */
/* Building an image again, as it was built once, but with other library overrides. */
#ifndef COPPICE_IMAGE_AGAIN_H
#define COPPICE_IMAGE_AGAIN_H

#include "cmd.h"

/*
 * By the @recipe (ctl/lib/recipe.h) of the image @base, under the name @name. Changes the
 * working directory and environment of this process to those of the first time.
 */
int __must_check image_build_again(struct context *ctx, const json_t *recipe, const char *base,
				   const char *name, json_t *libraries, struct error *err);

#endif /* COPPICE_IMAGE_AGAIN_H */
