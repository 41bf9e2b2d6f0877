/* SPDX-License-Identifier: GPL-2.0 */
/* What both backends fill a struct launch in with. */
#ifndef COPPICE_LAUNCH_TABLE_H
#define COPPICE_LAUNCH_TABLE_H

#include "image.h"
#include "launch.h"

/* All but fd and module; argv and envp are the caller's. launch_free() when done. */
int __must_check launch_fill(struct launch *launch, const struct image *image,
			     struct error *err);
/* Closes fd too. */
void launch_free(struct launch *launch);

#endif /* COPPICE_LAUNCH_TABLE_H */
