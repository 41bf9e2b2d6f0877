/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between two deployments, for people who decide on it. */
#ifndef COPPICE_DEPLOYMENT_CHANGES_H
#define COPPICE_DEPLOYMENT_CHANGES_H

#include <jansson.h>

#include "deployment.h"

/*
 * Rows: change ("create", "remove", "change"), kind ("user", "group", "directory", "file",
 * "resource"), name, from, to (texts or null), sorted by kind and name. @from NULL: there is
 * none. What is removed of a volume's nodes is its place in the tree; data stays.
 */
json_t *deployment_changes(const struct deployment *from, const struct deployment *to);

#endif /* COPPICE_DEPLOYMENT_CHANGES_H */
