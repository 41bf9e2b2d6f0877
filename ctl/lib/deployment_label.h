/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Labels: owner, group, mode and ACLs of a file, as the deployment wants them and as they are
 * on the disk. All by descriptors, which may be O_PATH.
 */
#ifndef COPPICE_DEPLOYMENT_LABEL_H
#define COPPICE_DEPLOYMENT_LABEL_H

#include <jansson.h>
#include <sys/stat.h>

#include "deployment.h"

/* Give the open file or directory the label of @node. What it has already is not written. */
int __must_check label_set(int fd, const struct deployment_node *node, struct error *err);

/* 1 if it has another one, with what differs in @what; 0 if not; -1 with err set. */
int __must_check label_differs(int fd, const struct deployment_node *node, char *what,
			       size_t size, struct error *err);

/*
 * Give what lies in a volume at any depth the label that it would have had if it was made
 * under the volume's default ACL. Who made it stays its owner, and what the owner has taken away
 * from everybody else stays taken away. *changed says whether it had another.
 */
int __must_check label_content(int fd, const struct stat *st,
			       const struct deployment_node *volume, bool *changed,
			       struct error *err);

/* "0770 0:70000 user::rwx,…", to be compared and shown; as JSON. */
json_t *label_describe(const struct deployment_node *node);

#endif /* COPPICE_DEPLOYMENT_LABEL_H */
