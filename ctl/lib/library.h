/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Library overrides: a local shared object, Python package or module, or Node module in
 * place of the provider's, merged with it. What the local one has overrides, what it lacks falls through.
 *
 * A merged library is a directory below LIBRARY_DIRECTORY with copies of the local library, of the
 * provider's files that are covered, and what is laid over those. It never changes; what it is
 * like is a record, JSON, kept in the recipe of the image that was built with it.
 */
#ifndef COPPICE_LIBRARY_H
#define COPPICE_LIBRARY_H

#include <limits.h>
#include <stdbool.h>
#include <jansson.h>

#include "error.h"
#include "task_mounts.h"
#include "user.h"

#define LIBRARY_DIRECTORY	"/var/lib/coppice/library"

struct library_request {
	const char *provider;	/* path, soname or name of a Python module */
	const char *local;	/* path */
	bool strict;		/* refuse what would fall through */
	const struct user *user;	/* whose tasks use it: library code runs as this user */
};

/*
 * Compare the two and make the merged library. The record has "id", "kind", "provider", "local",
 * the lists "overridden", "falls_through" and "added", and "mounts". NULL on failure,
 * with nothing left.
 */
json_t *library_make(const struct library_request *request, struct error *err);
int __must_check library_remove(const char *id, struct error *err);
/* Is a controller alive that made it? Until that ends, it may still be noted in a recipe. */
bool library_in_work(const char *id);

/* Did the provider's files, or what covers them, change since? NULL, or the path of one that did. */
const char *library_changed(const json_t *record);

/* What a task with these records has mounted; refused if a provider's file changed. */
int __must_check library_mounts(const json_t *records, struct task_mounts *mounts,
				struct error *err);
/* The record of this provider, as it was given or as it was found; or NULL. */
json_t *library_find(const json_t *records, const char *provider);

typedef int (*library_fn)(const char *id, void *data);
int __must_check library_each(library_fn fn, void *data, struct error *err);

#endif /* COPPICE_LIBRARY_H */
