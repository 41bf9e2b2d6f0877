/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The overrides of sockets that were given, as they are to be after a reboot, which takes pins
 * and groups away: a file a group, which is replaced by each change and goes with the group.
 *
 *	/var/lib/coppice/overrides/GROUP.json	{owner, overrides: [{endpoint, handlers, policy}]}
 */
#ifndef COPPICE_KEPT_H
#define COPPICE_KEPT_H

#include <jansson.h>
#include <sys/types.h>

#include "error.h"

#define KEPT_NOBODY ((uid_t)-1)		/* of REDIRECT_HUB_NAME, or not known */

/*
 * Keep what is in force of @group, with its owner: KEPT_NOBODY leaves the one that is kept.
 * Nothing is kept of a group without overrides.
 */
int __must_check kept_write(const char *group, uid_t owner, struct error *err);
/* Say before @err, which kept that from being done, what is in force all the same; -1. */
int kept_explain(const char *group, struct error *err);
int __must_check kept_remove(const char *group, struct error *err);

/* The object in the file, or NULL with err set (ENOENT: nothing is kept of the group). */
json_t *kept_read(const char *group, struct error *err);
/* The names of all groups that something is kept of, sorted: an array, or NULL. */
json_t *kept_groups(struct error *err);

#endif /* COPPICE_KEPT_H */
