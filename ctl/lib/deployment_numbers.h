/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The numbers of a deployment's users and groups, and others of the hub's in place of those that
 * somebody on the hub has already.
 */
#ifndef COPPICE_DEPLOYMENT_NUMBERS_H
#define COPPICE_DEPLOYMENT_NUMBERS_H

#include <jansson.h>

#include "deployment.h"

enum number_kind { NUMBER_USER, NUMBER_GROUP, NUMBER_KINDS };

extern const char *const number_kinds[NUMBER_KINDS];	/* "uids", "gids": as in records */

/* Called for every place that has a number other than 0, so more than once for each. */
typedef int (*number_fn)(enum number_kind kind, uint32_t *number, void *data,
			 struct error *err);
int __must_check deployment_numbers_each(struct deployment *deployment, number_fn fn, void *data,
			      struct error *err);

/*
 * {"uids": {"2000224257": 70000}, "gids": {}}: put the second where the first is, everywhere, and
 * what is in order of numbers in order again.
 */
int __must_check deployment_numbers_remap(struct deployment *deployment, const json_t *remap,
			       struct error *err);

#endif /* COPPICE_DEPLOYMENT_NUMBERS_H */
