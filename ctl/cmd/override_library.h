/* SPDX-License-Identifier: GPL-2.0 */
/* Library overrides of groups, as `override add`, `delete` and `list` have them. */
#ifndef COPPICE_OVERRIDE_LIBRARY_H
#define COPPICE_OVERRIDE_LIBRARY_H

#include "cmd.h"

/*
 * The group's image is built again with the override, under another name, and the group moved to
 * it. Nothing changes if any of this fails.
 */
int __must_check override_library_add(struct context *ctx, const char *group,
				      const char *provider, const char *local, bool strict,
				      struct error *err);
int __must_check override_library_delete(struct context *ctx, const char *group,
					 const char *provider, struct error *err);

/* Rows for the overrides of a group, or of all (NULL), of all backends. */
int __must_check override_library_rows(json_t *rows, const char *group, struct error *err);

#endif /* COPPICE_OVERRIDE_LIBRARY_H */
