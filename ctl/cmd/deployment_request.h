/* SPDX-License-Identifier: GPL-2.0 */
/* What `deployment plan` and `deployment apply` have in common: the words and the answer. */
#ifndef COPPICE_DEPLOYMENT_REQUEST_H
#define COPPICE_DEPLOYMENT_REQUEST_H

#include "cmd.h"
#include "running.h"
#include "lib/deployment_apply.h"

#define DEPLOYMENT_REQUEST_ARGS "BUNDLE [--keys PATH] [--range FROM-TO]"

/* Those that change nothing have no --running. */
extern const struct argp_option deployment_request_options[], deployment_apply_options[];

/* The range is the hub's if none is given; @running is RUNNING_DRAIN if nothing is said. */
int __must_check deployment_request_parse(const struct command *command, int argc, char **argv,
					  struct deployment_request *request,
					  enum group_running *running, struct error *err);

/* Takes @answer over, which may be NULL with err set. */
int __must_check deployment_request_print(const struct context *ctx, json_t *answer,
					  struct error *err);

#endif /* COPPICE_DEPLOYMENT_REQUEST_H */
