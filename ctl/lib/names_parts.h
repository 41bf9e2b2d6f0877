/* SPDX-License-Identifier: GPL-2.0 */
/* Private to names*.c: records of the file. */
#ifndef COPPICE_NAMES_PARTS_H
#define COPPICE_NAMES_PARTS_H

#include "names.h"

#define NAMES_REST	86400	/* seconds that a given up address is nobody else's at least */

json_t *names_groups(const struct names *names);
/* {HOST: record} of what a group overrides, and of what was found under its wildcards. */
json_t *names_hosts(const struct names *names, const char *group);
json_t *names_found(const struct names *names, const char *group);

bool names_record_in_use(const json_t *record);
void names_record_read(const struct names *names, const char *group, const char *host,
		       const json_t *record, struct name *name);
void names_record_release(json_t *record);

/* As names_each(): @each goes through hosts of one group. */
typedef int (*hosts_fn)(const struct names *names, const char *group, name_fn fn, void *data);
int names_each_of(const struct names *names, const char *group, hosts_fn each, name_fn fn, void *data);

/* A new record with a number of its own; NULL with the error set. */
json_t *names_record_make(struct names *names, struct error *err);
/* The number is free for others when this returns. */
void names_record_drop(struct names *names, json_t *records, const char *host);

#endif /* COPPICE_NAMES_PARTS_H */
