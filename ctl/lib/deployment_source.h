/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a deployment takes from the hub as it is: paths, devices, files of secrets. Nothing of it is
 * ever changed. Every component is a real directory: a link could be turned elsewhere later.
 */
#ifndef COPPICE_DEPLOYMENT_SOURCE_H
#define COPPICE_DEPLOYMENT_SOURCE_H

#include <jansson.h>

#include "deployment.h"

/*
 * Is it there, of the right type, and can its file system do what the deployment gives? To be
 * recorded: path, device and inode, filesystem, read_only, idmap (other owners can be shown).
 * NULL with err set.
 */
json_t *source_check(const struct deployment *deployment,
		     const struct deployment_resource *resource, struct error *err);

/*
 * Open it (O_PATH) if it is still what was recorded: else somebody has put something else there,
 * and the deployment has to be applied again. What is mounted or opened later has to come from
 * this descriptor, so that no name counts any more. @recorded NULL: whatever it is now.
 */
int __must_check source_open(const struct deployment_resource *resource, const json_t *recorded,
			     struct error *err);

#endif /* COPPICE_DEPLOYMENT_SOURCE_H */
