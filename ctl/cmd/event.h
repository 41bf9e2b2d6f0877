/* SPDX-License-Identifier: GPL-2.0 */
/* Which dead letters a command is about. */
#ifndef COPPICE_CMD_EVENT_H
#define COPPICE_CMD_EVENT_H

#include "cmd.h"
#include "lib/dead.h"

#define EVENT_ARGS	"[EVENT] [--function FUNCTION]"

extern const struct argp_option event_options[];

/* Do to one event, or to all of a function, what @act does, and say of how many. */
typedef int (*event_act)(const struct dead_choice *choice, uint64_t *nr, struct error *err);
int __must_check event_act_on(struct context *ctx, const struct command *command, int argc,
			      char **argv, event_act act, struct error *err);

#endif /* COPPICE_CMD_EVENT_H */
