/* SPDX-License-Identifier: GPL-2.0 */
/* Bringing functions onto the hub, replacing them, and taking them off. Hold function_lock(). */
#ifndef COPPICE_CMD_FUNCTION_DEPLOY_H
#define COPPICE_CMD_FUNCTION_DEPLOY_H

#include "function.h"
#include "lib/group.h"

/* Copy the code, make image and group; on failure nothing is left. Refused if it is there. */
int __must_check function_deploy(struct context *ctx, struct function *function,
				 struct error *err);

/*
 * The same in place of @old, which has its name. New tasks are @new's from when it is there; those of
 * @old are waited for (RUNNING_DRAIN) or killed.
 */
int __must_check function_replace(struct context *ctx, const struct function *old,
				  struct function *new, enum group_running running,
				  struct error *err);

/* What a replacement or a withdrawal has left that was killed. */
int __must_check function_finish(struct context *ctx, enum group_running running,
				 struct error *err);

/* RUNNING_KEEP: refused while its group has tasks at work, and is no other function's. */
int __must_check function_withdraw(struct context *ctx, const struct function *function,
				   enum group_running running, struct error *err);

/*
 * What a withdrawal of the function that failed has left: its group, its code. Refused as @err says already, that there is
 * no such function, if there is nothing.
 */
int __must_check function_withdraw_rest(struct context *ctx, const char *name,
					enum group_running running, struct error *err);

#endif /* COPPICE_CMD_FUNCTION_DEPLOY_H */
