/* SPDX-License-Identifier: GPL-2.0 */
/* What holds within a deployment: numbers, paths, the tree. */
#ifndef COPPICE_DEPLOYMENT_NODES_H
#define COPPICE_DEPLOYMENT_NODES_H

#include "deployment.h"

/* Absolute, without dots and doubled slashes, and not of the system's or Coppice's own. */
int __must_check deployment_source_check(enum deployment_kind kind, const char *source,
					 struct error *err);

/*
 * Everything that is in it agrees: roles and numbers are of one kind each, every resource has the
 * node that it needs, and no node has more than it may. Sets the nodes' resources.
 */
int __must_check deployment_check(struct deployment *deployment, struct error *err);

#endif /* COPPICE_DEPLOYMENT_NODES_H */
