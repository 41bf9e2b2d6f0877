// SPDX-License-Identifier: GPL-2.0
/*
 * Does an image fit this hub? It holds copies of code that was chosen for, and resolved
 * against, the hub that it was built on.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"
#include "hub.h"
#include "image.h"

static int lacks(int word, uint32_t missing, struct error *err)
{
	const struct cpu_feature *feature;

	for (feature = cpu_features; feature->name; feature++)
		if (feature->word == word && missing >> feature->bit & 1)
			return error_set(err, ENOEXEC, "the image uses the processor feature %s, which this hub lacks: build the image on this hub",
					 feature->name);
	return error_set(err, ENOEXEC, "the image uses processor features that this hub lacks (%s, bits %#x): build the image on this hub",
			 cpu_word_names[word], missing);
}

static int check_cpu(const struct image *image, const struct image *hub, struct error *err)
{
	uint32_t missing;
	int i;

	for (i = 0; i < IMAGE_CPU_WORDS; i++) {
		missing = image->cpu[i] & ~hub->cpu[i] & ~cpu_ignored[i];
		if (missing)
			return lacks(i, missing, err);
	}
	return 0;
}

static int check_vdso(const struct image *image, const struct image *hub, struct error *err)
{
	if (image->vdso_build_id_len == hub->vdso_build_id_len &&
	    !memcmp(image->vdso_build_id, hub->vdso_build_id, hub->vdso_build_id_len))
		return 0;
	return error_set(err, ENOEXEC, "the image was built for the vDSO of another kernel: build the image on this hub, with this kernel");
}

/* A library that is gone can't be loaded a second time in another version, and does no harm. */
static int check_library(const struct image_library *library, struct error *err)
{
	uint8_t id[32], len = 0;

	if (access(library->path, F_OK))
		return 0;
	if (!hub_build_id(library->path, id, &len) && len == library->build_id_len &&
	    !memcmp(id, library->build_id, len))
		return 0;
	return error_set(err, ENOEXEC, "%.200s is not the one that the image holds a copy of: build the image on this hub",
			 library->path);
}

int image_check(const struct image *image, struct error *err)
{
	struct image hub = {};
	size_t i;

	/* Nothing runs in it, and tasks with other builds are not adopted. */
	if (image_is_library(image))
		return 0;
	if (hub_describe(&hub, err) || check_vdso(image, &hub, err) ||
	    check_cpu(image, &hub, err))
		return -1;
	for (i = 0; i < image->nr_libraries; i++)
		if (check_library(&image->libraries[i], err))
			return -1;
	return 0;
}
