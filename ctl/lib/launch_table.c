// SPDX-License-Identifier: GPL-2.0
/* A struct launch from an image. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "launch_table.h"

int launch_fill(struct launch *launch, const struct image *image, struct error *err)
{
	struct launch_segment *segments = calloc(image->nr_segments, sizeof(*segments));
	uint64_t offset = 0;
	size_t i;

	if (!segments)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < image->nr_segments; i++) {
		const struct image_segment *from = &image->segments[i];

		segments[i] = (struct launch_segment) {
			.start = from->start,
			.len = from->len,
			.prot = from->prot,
			.anon = !from->data,
			.offset = from->data ? offset : 0,
		};
		/* A file holds the contents one after the other. */
		offset += from->data ? from->len : 0;
	}
	launch->segments = segments;
	launch->nr_segments = image->nr_segments;
	launch->entry = image->entry;
	launch->stack = image->stack;
	launch->vdso = image->vdso;
	launch->vvar = image->vvar;
	launch->mm = image->mm;
	return 0;
}

void launch_free(struct launch *launch)
{
	free((void *)launch->segments);
	launch->segments = NULL;
	if (launch->fd >= 0)
		close(launch->fd);
	launch->fd = -1;
}
