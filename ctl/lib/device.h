/* SPDX-License-Identifier: GPL-2.0 */
/* /dev/coppice: loading images and reading them back; see <linux/coppice_dev.h>. */
#ifndef COPPICE_DEVICE_H
#define COPPICE_DEVICE_H

#include <stdbool.h>

#include "error.h"
#include "image.h"

int __must_check device_load(const char *name, uid_t owner, const struct image *image,
			     struct error *err);

/*
 * The image's segments and notes. With @content, also what is in the segments; else
 * their data is not to be used, but for telling fresh memory (NULL) from content.
 */
int __must_check device_read(const char *name, bool content, struct image *image,
			     struct error *err);

/* Is the module there? */
bool device_is_there(void);

struct group_info;

/*
 * A descriptor with which tasks may enter the group's image, or -1. It keeps the group and its image. @info: what it is,
 * without statistics.
 */
int __must_check device_open_group(const char *group, struct group_info *info, struct error *err);

#endif /* COPPICE_DEVICE_H */
