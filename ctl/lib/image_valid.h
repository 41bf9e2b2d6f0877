/* SPDX-License-Identifier: GPL-2.0 */
/* What any image must be, wherever it comes from: the module's rules, and more. */
#ifndef COPPICE_IMAGE_VALID_H
#define COPPICE_IMAGE_VALID_H

#include "image.h"

#define IMAGE_PAGE		4096UL
#define IMAGE_SEGMENTS_MAX	16384	/* the module's limits */
#define IMAGE_PAGES_MAX		(1UL << 24)

/* Refuse with the first reason. The first only looks at the segments. */
int __must_check image_segments_valid(const struct image *image, struct error *err);
int __must_check image_valid(const struct image *image, struct error *err);

#endif /* COPPICE_IMAGE_VALID_H */
