/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bringing a bundle onto this hub: verify, check, lay out beside what is there, switch, give the
 * volumes their permissions. Until the switch nothing but the slot "next" is written.
 */
#ifndef COPPICE_DEPLOYMENT_APPLY_H
#define COPPICE_DEPLOYMENT_APPLY_H

#include <jansson.h>
#include <stdbool.h>

#include "deployment.h"

struct deployment_request {
	const char *bundle;
	const char *keys;		/* directory or file that is trusted; NULL: the hub's */
	struct deployment_range range;	/* of other numbers; all 0: conflicts are refused */
};

/*
 * What it is and changes: name, version, digest, key, from (the version that is applied, or
 * null), unchanged (this digest is applied already, and nothing has drifted), changes (rows as of
 * deployment_changes()), remapped and drift (strings). NULL with err set.
 */
json_t *deployment_plan(const struct deployment_request *request, struct error *err);
/* The same, and it is done. */
json_t *deployment_apply(const struct deployment_request *request, struct error *err);

/* Back to the previous version: name, version, digest, from. */
json_t *deployment_rollback(const char *name, struct error *err);
/* Give the name up; with the volumes if @volumes. */
int __must_check deployment_delete(const char *name, bool volumes, struct error *err);

/*
 * name, version, digest, key, applied (time), previous (version or null), state ("applied",
 * "unsettled": its volumes are not labelled yet, "drifted"), drift (strings).
 */
json_t *deployment_status(const char *name, struct error *err);

#endif /* COPPICE_DEPLOYMENT_APPLY_H */
