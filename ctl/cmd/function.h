/* SPDX-License-Identifier: GPL-2.0 */
/* What functions have in images and groups; `function add` and `function restore` make it. */
#ifndef COPPICE_CMD_FUNCTION_H
#define COPPICE_CMD_FUNCTION_H

#include "cmd.h"
#include "lib/function.h"

/*
 * Make what is not there of the function's image, group and overrides; after a restart of the
 * hub that is all. The first time, with ->mode FUNCTION_IMAGE, code that no image can carry makes
 * it FUNCTION_ORDINARY, with ->reason. Undone on failure.
 */
int __must_check function_set_up(struct context *ctx, struct function *function,
				 struct error *err);

/* Delete image and group, which no other function has; @force: end their tasks. */
int __must_check function_take_down(struct context *ctx, const struct function *function,
				    bool force, struct error *err);

/*
 * Let the limit on the group's memory be that of the functions in it that are deployed, and of
 * @extra, or NULL. Without the controller for it there is no limit.
 */
int __must_check function_limit(const struct function *function, const struct function *extra,
				struct error *err);

/* Put the overrides of the manifest in place of all that the function's group has. */
int __must_check function_set_overrides(struct context *ctx, const struct function *function,
					struct error *err);

/* Manifest, mode, group and what else is known, without the values of the environment. */
json_t *function_row(const struct context *ctx, const struct function *function);

#endif /* COPPICE_CMD_FUNCTION_H */
