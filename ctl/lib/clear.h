/* SPDX-License-Identifier: GPL-2.0 */
/* Taking off a hub all that is in force there: what stays is configuration under /var/lib/coppice. */
#ifndef COPPICE_CLEAR_H
#define COPPICE_CLEAR_H

#include <stdbool.h>

#include "error.h"

/* What was removed. */
struct cleared {
	unsigned int groups, images, strays;
};

/*
 * Stop the services and remove every group, image, override and stray, of both backends, and
 * the directories that held them. Refused, with nothing changed, while there are tasks, unless
 * @kill: then they are killed. What is removed stays removed if a later part fails.
 */
int __must_check clear_hub(bool kill, struct cleared *cleared, struct error *err);

#endif /* COPPICE_CLEAR_H */
