/* SPDX-License-Identifier: GPL-2.0 */
/* What `deployment plan` and `deployment apply` have in common: the words and the answer. */
#ifndef COPPICE_DEPLOYMENT_REQUEST_H
#define COPPICE_DEPLOYMENT_REQUEST_H

#include "cmd.h"
#include "running.h"
#include "lib/deployment_apply.h"
#include "lib/deployment_conflict.h"

#define DEPLOYMENT_REQUEST_ARGS "BUNDLE [--keys PATH] [--range FROM-TO]"

/* What all of them have. */
#define DEPLOYMENT_REQUEST_OPTIONS							\
	{ .name = "keys", .key = 'k', .arg = "PATH",				\
	  .doc = "trust this public key, or those in this directory, instead of /etc/coppice/keys" }, \
	{ .name = "range", .key = 'r', .arg = "FROM-TO",			\
	  .doc = "take numbers from here in place of users and groups that somebody on the hub has " \
		 "(default: the range in /etc/coppice/deployment.json; without one they are refused)" }

/* Those that change nothing have no --running. */
extern const struct argp_option deployment_request_options[], deployment_apply_options[];

struct deployment_words {
	struct deployment_request *request;
	enum group_running *running;
};

/* For cmd_parse(), with the words as data. */
int __must_check deployment_request_option(int key, char *arg, void *data, struct error *err);

/* The range is the hub's if none is given; @running is RUNNING_DRAIN if nothing is said. */
int __must_check deployment_request_parse(const struct command *command, int argc, char **argv,
					  struct deployment_request *request,
					  enum group_running *running, struct error *err);

/* Takes @answer over, which may be NULL with err set. */
int __must_check deployment_request_print(const struct context *ctx, json_t *answer,
					  struct error *err);

#endif /* COPPICE_DEPLOYMENT_REQUEST_H */
