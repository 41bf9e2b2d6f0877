/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COPPICE_COMPILE_TREE_H
#define COPPICE_COMPILE_TREE_H

#include "deployment.h"

/* From resources and their access: where each is, and the tree of modes and ACLs. */
int __must_check compile_tree(struct deployment *deployment, struct error *err);

#endif /* COPPICE_COMPILE_TREE_H */
