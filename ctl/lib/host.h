/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Host names of endpoints, exact or with wildcards.
 *
 * A "*" at the front stands for one label or more, so that bucket names with dots are
 * caught too; elsewhere it stands for exactly one: *.s3.*.amazonaws.com.
 */
#ifndef COPPICE_HOST_H
#define COPPICE_HOST_H

#include <stdbool.h>

#include "error.h"

#define HOST_MAX	253	/* characters of a name */

/* @host: in lower case, without the final dot. */
int __must_check host_parse(const char *text, char host[HOST_MAX + 1], struct error *err);

bool host_is_wildcard(const char *host);

/* Is @host below @domain, or that itself? */
bool host_is_within(const char *host, const char *domain);

#endif /* COPPICE_HOST_H */
