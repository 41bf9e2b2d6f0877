/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which groups trust the hub's CA, and what their tasks and templates are given for that:
 * /var/lib/coppice/ca/trust/certs, which is /etc/ssl/certs with the hub's CA added, laid over
 * it in their mount namespaces, and variables for programs that look elsewhere.
 */
#ifndef COPPICE_TRUST_H
#define COPPICE_TRUST_H

#include <stdbool.h>

#include "ca.h"
#include "error.h"
#include "task_mounts.h"

#define TRUST_SYSTEM	"/etc/ssl/certs"
#define TRUST_CERTS	CA_DIRECTORY "/trust/certs"
#define TRUST_BUNDLE	TRUST_CERTS "/ca-certificates.crt"

/* Kept until it is taken back or the group is deleted. No error if it is so already. */
int __must_check trust_give(const char *group, struct error *err);
int __must_check trust_take(const char *group, struct error *err);
bool trust_has(const char *group);

/* The groups' names, as an array of JSON; or NULL. */
json_t *trust_groups(struct error *err);

/* Make what tasks are given, or make it anew if the hub's own certificates have changed. */
int __must_check trust_prepare(struct error *err);

/*
 * What a task that trusts the CA has mounted; and its variables, "NAME=FILE" each, of which
 * those go to @to (with room for TRUST_VARIABLES) whose names are not in @given (of @nr_given).
 */
int __must_check trust_mounts(struct task_mounts *mounts, struct error *err);
#define TRUST_VARIABLES	12
size_t trust_variables(char *const *given, size_t nr_given, char **to);

#endif /* COPPICE_TRUST_H */
