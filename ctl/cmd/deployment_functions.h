/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions, with their images, groups, overrides and grants, as the applied version of a
 * deployment has them. The deployment's tree is switched at once; this follows, and can be repeated.
 */
#ifndef COPPICE_CMD_DEPLOYMENT_FUNCTIONS_H
#define COPPICE_CMD_DEPLOYMENT_FUNCTIONS_H

#include "cmd.h"
#include "lib/deployment_apply.h"
#include "lib/group.h"

/* deployment_apply() and what follows from it: its answer, or NULL with err set. */
json_t *deployment_apply_all(struct context *ctx, const struct deployment_request *request,
			     enum group_running running, struct error *err);

/*
 * Bring the hub to it: functions that are not carried any more go, others are added, replaced, or
 * given what is missing, and every function that has grants of it gets those in force. Nothing is
 * done that is done already.
 */
int __must_check deployment_functions_settle(struct context *ctx, const char *deployment,
					     enum group_running running, struct error *err);

/* All that it carries off the hub. */
int __must_check deployment_functions_withdraw(struct context *ctx, const char *deployment,
					       enum group_running running, struct error *err);

/* Add to @status, of deployment_status(), what the hub has otherwise: "drift" and "state". */
int __must_check deployment_functions_status(struct context *ctx, json_t *status,
					     struct error *err);

#endif /* COPPICE_CMD_DEPLOYMENT_FUNCTIONS_H */
