/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Volumes: data that all versions of a deployment share, so that it is in none of the slots. Its
 * permissions are those of the current slot's nodes, and follow the switch:
 *
 *	1. the switch;
 *	2. volumes.json loses the volumes whose label is another one now;
 *	3. they are labelled, to the last file;
 *	4. volumes.json gets them back, with the label that they have.
 *
 * The switch alone decides which version it is. As long as volumes.json does not say that all
 * volumes have its labels no task is started, and whoever changes the deployment next does steps
 * 2 to 4, each of which can be done again. So no task ever starts in a mix.
 */
#ifndef COPPICE_DEPLOYMENT_VOLUME_H
#define COPPICE_DEPLOYMENT_VOLUME_H

#include <stdbool.h>

#include "deployment.h"
#include "deployment_store.h"

/* Is it the node of a volume? */
bool volume_is(const struct deployment_node *node);

/* Do all volumes have the labels of @deployment? @base: the store's. 1 or 0, or -1 where that cannot be told. */
int __must_check volumes_settled(int base, const struct deployment *deployment, struct error *err);

/* Make what is missing, and give them their labels; @all: also where they should have them. */
int __must_check volumes_settle(const struct deployment_store *store,
				const struct deployment *deployment, bool all,
				struct error *err);

#endif /* COPPICE_DEPLOYMENT_VOLUME_H */
