/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An image in a sealed memfd: the contents of its segments one after the other, then a
 * table of struct launch_segment, then its notes.
 */
#ifndef COPPICE_MEMFD_IMAGE_H
#define COPPICE_MEMFD_IMAGE_H

#include <stdbool.h>

#include "image.h"

/* Where things are in the file; kept in the image's record. */
struct memfd_layout {
	uint64_t content;	/* bytes */
	uint64_t segments;	/* entries of the table, which follows */
	uint64_t notes;		/* bytes; they follow the table */
};

/* Returns a sealed memfd, or -1. */
int __must_check memfd_image_create(const char *name, const struct image *image,
				    struct memfd_layout *layout, struct error *err);

/* With @content the segments' data can be read; else it only is NULL or not. */
int __must_check memfd_image_read(int fd, const struct memfd_layout *layout, bool content,
				  struct image *image, struct error *err);

#endif /* COPPICE_MEMFD_IMAGE_H */
