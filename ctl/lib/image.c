// SPDX-License-Identifier: GPL-2.0
/* An image in the controller's memory. */
#include <stdlib.h>
#include <sys/mman.h>

#include "image.h"

void image_free(struct image *image)
{
	size_t i;

	for (i = 0; i < image->nr_segments; i++)
		free(image->segments[i].name);
	for (i = 0; i < image->nr_libraries; i++)
		free(image->libraries[i].path);
	free(image->segments);
	free(image->libraries);
	if (image->buffer_len)
		munmap(image->buffer, image->buffer_len);
	else
		free(image->buffer);
	*image = (struct image) {};
}
