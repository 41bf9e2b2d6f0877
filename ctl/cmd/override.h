/* SPDX-License-Identifier: GPL-2.0 */
/* What the override commands have in common. */
#ifndef COPPICE_CMD_OVERRIDE_H
#define COPPICE_CMD_OVERRIDE_H

#include "cmd.h"
#include "lib/redirect.h"

/* "HANDLER[,weight=N]" into the next handler of @override. */
int __must_check override_add_handler(struct override *override, const char *text,
				      struct error *err);
/* Attach the programs to the group, or to all groups for REDIRECT_HUB_NAME. */
int __must_check override_attach(const struct context *ctx, const char *group,
				 struct error *err);
/* One override as --json shows it. */
json_t *override_json(const struct override_info *info);

#endif /* COPPICE_CMD_OVERRIDE_H */
