/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How an image was built, so that it can be built again: JSON files below /run/coppice/images,
 * which go with the images when the hub restarts.
 *
 *	argv		the words of `image build`
 *	cwd, environ	where and with which variables they were given
 *	owner		uid
 *	libraries	records of the library overrides that the template had: see library.h
 *	base		name of the image that this one was made in place of, for a group; or null
 */
#ifndef COPPICE_RECIPE_H
#define COPPICE_RECIPE_H

#include <jansson.h>

#include "backend.h"
#include "error.h"

/* NULL with ENOENT in err: the image was not built on this hub. */
json_t *recipe_read(const struct backend *backend, const char *image, struct error *err);
int __must_check recipe_write(const struct backend *backend, const char *image,
			      const json_t *recipe, struct error *err);

/* Forget it, and the merged libraries that no other recipe has. No error if there is none. */
int __must_check recipe_remove(const struct backend *backend, const char *image,
			       struct error *err);

/* Remove the merged libraries of these records that no recipe has. */
int __must_check recipe_drop_libraries(const json_t *records, struct error *err);

/* The records of an image's library overrides, maybe none; NULL on failure. */
json_t *recipe_libraries(const struct backend *backend, const char *image, struct error *err);

/* Does any recipe have this merged library? In doubt yes. */
bool recipe_has_library(const char *id);

/*
 * Delete the image with its recipe if it was made in place of another one and no group has it
 * any more.
 */
int __must_check recipe_drop_image(const struct backend *backend, const char *image,
				   struct error *err);

#endif /* COPPICE_RECIPE_H */
