/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers that somebody else on the hub has: its users and groups (NSS), ranges that are lent to
 * containers (/etc/subuid, /etc/subgid), other deployments, and owners of files in what the
 * deployment's functions get to see. Such a number is refused, or another one of the hub's range
 * takes its place.
 */
#ifndef COPPICE_DEPLOYMENT_CONFLICT_H
#define COPPICE_DEPLOYMENT_CONFLICT_H

#include <jansson.h>

#include "deployment.h"
#include "deployment_store.h"

/* Of this machine: {"range": [FROM, TO]}, from which other numbers are taken. */
#define DEPLOYMENT_CONFIGURATION	"/etc/coppice/deployment.json"

/* "70000-79999" into @range. */
int __must_check conflict_range_parse(const char *text, struct deployment_range *range,
				      struct error *err);
/* That of the configuration; all 0 if there is none. */
int __must_check conflict_range_read(struct deployment_range *range, struct error *err);

/*
 * What is to be remapped of @deployment, in the form of deployment_numbers_remap(), or NULL with
 * err set: the first conflict if @range is all 0. @kept is that of the applied one: what it has
 * stays as it is, so that files keep their owners. @store has the volumes; its base may be -1:
 * there are none.
 */
json_t *conflict_resolve(struct deployment *deployment, const struct deployment_store *store,
			 const json_t *kept, const struct deployment_range *range,
			 struct error *err);

#endif /* COPPICE_DEPLOYMENT_CONFLICT_H */
