/* SPDX-License-Identifier: GPL-2.0 */
/* The tree of a deployment as a tar and as tmpfiles.d. */
#ifndef COPPICE_DEPLOYMENT_TREE_H
#define COPPICE_DEPLOYMENT_TREE_H

#include "deployment.h"

/* Both are to be freed; NULL with err set. */
char *deployment_tar(const struct deployment *deployment, size_t *len, struct error *err);
char *deployment_tmpfiles(const struct deployment *deployment, size_t *len, struct error *err);

/* Refused unless the archive is the deployment's tree, node for node. */
int __must_check deployment_tar_check(const struct deployment *deployment, const void *data,
				      size_t len, struct error *err);

#endif /* COPPICE_DEPLOYMENT_TREE_H */
