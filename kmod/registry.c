// SPDX-License-Identifier: GPL-2.0
/*
 * The registry: what has a name.
 *
 * One mutex for names, numbers and who uses whom. Operations on it are rare
 * (control, not starts), and one lock makes "in use" checks exact.
 */
#include <linux/ctype.h>

#include "coppice.h"

/* Protects both tables, their objects' names, sealed, groups, and generation. */
DEFINE_MUTEX(coppice_lock);
DEFINE_XARRAY_ALLOC1(coppice_images);
DEFINE_XARRAY_ALLOC1(coppice_groups);
/* Changes whenever a table does: a dump that saw a change says so. */
u32 coppice_generation = 1;

/**
 * coppice_name_valid() - may an image or a group be called so?
 * @name: NUL-terminated
 *
 * Letters, digits, dot, dash and underscore, not first a dot or a dash, so that
 * a name is a file name and never an option.
 */
bool coppice_name_valid(const char *name)
{
	const char *c;

	if (!isalnum(*name) && *name != '_')
		return false;
	for (c = name; *c; c++)
		if (!isascii(*c) || (!isalnum(*c) && !strchr("._-", *c)))
			return false;
	return c - name < COPPICE_DEV_NAME_SIZE;
}

/**
 * coppice_registry_clear() - delete every group and image, for module exit
 *
 * Runs when no task and no descriptor exists: each pins the module. So groups
 * have only the registry's reference, then images have only it, and loading
 * images do not exist at all.
 */
void coppice_registry_clear(void)
{
	struct coppice_group *group;
	struct coppice_image *image;
	unsigned long id;
	const char *why;

	xa_for_each(&coppice_groups, id, group) {
		coppice_group_hold(group);
		WARN_ON(coppice_group_delete(group, &why));
		coppice_group_put(group);
	}
	xa_for_each(&coppice_images, id, image) {
		kref_get(&image->ref);
		WARN_ON(coppice_image_delete(image, &why));
		coppice_image_put(image);
	}
	xa_destroy(&coppice_groups);
	xa_destroy(&coppice_images);
}
