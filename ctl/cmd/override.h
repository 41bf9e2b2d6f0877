/* SPDX-License-Identifier: GPL-2.0 */
/* What the override commands have in common. */
#ifndef COPPICE_CMD_OVERRIDE_H
#define COPPICE_CMD_OVERRIDE_H

#include "cmd.h"
#include "lib/redirect.h"

/* "HANDLER[,weight=N]" into the next handler of @override. */
int __must_check override_add_handler(struct override *override, const char *text,
				      struct error *err);
/*
 * A JSON list of overrides, "-" for standard input, as `override list --json` prints it or
 * shorter. Freed by the caller; the number, or -1.
 */
ssize_t override_read(const char *path, struct override **overrides, struct error *err);
ssize_t override_read_list(const json_t *list, struct override **overrides, struct error *err);
/* Keep what is in force now for after a reboot; to be called when it has been changed. */
int __must_check override_keep(const struct context *ctx, const char *group, struct error *err);
/*
 * The same for a command that was refused with @err since it was done before (@done is the code for that): that may
 * not have come so far; or since not all has followed (EINPROGRESS). Not of a group of which nothing is in force since
 * a reboot. -1.
 */
int override_keep_again(const struct context *ctx, const char *group, int done, struct error *err);
/* "keep" or "reset". */
int __must_check override_connections(const char *text, enum redirect_connections *connections,
				      struct error *err);
/*
 * Before they are added or set: refuse those that can't be in force, and handlers that are tasks of
 * the group itself; then attach the programs.
 */
int __must_check override_ready(const struct context *ctx, const char *group,
				const struct override *overrides, size_t nr, struct error *err);
/* Attach the programs to the group, or to all groups for REDIRECT_HUB_NAME. */
int __must_check override_attach(const struct context *ctx, const char *group,
				 struct error *err);
/*
 * What is in force of a group's overrides at the cgroup of @path, its own or a task's: programs,
 * overrides, libraries and counts; or NULL.
 */
json_t *override_describe(const struct group_info *info, const char *path, struct error *err);
/* One override as --json shows it. */
json_t *override_json(const struct override_info *info);

#endif /* COPPICE_CMD_OVERRIDE_H */
