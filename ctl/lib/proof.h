/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel will allow, by the tree alone: for every function and every path, computed
 * from modes and ACLs as fs/namei.c and fs/posix_acl.c do it. Shares nothing with the compiler
 * but the struct that is read back from the bundle.
 */
#ifndef COPPICE_PROOF_H
#define COPPICE_PROOF_H

#include "deployment.h"

/* What is meant: the rights of a function to a resource. */
typedef unsigned int (*proof_rights_fn)(const struct deployment_function *function,
					const struct deployment_resource *resource,
					const void *data);

struct proof_result {
	size_t pairs;		/* of function and path that were compared */
};

/*
 * Refused with the function, the path and what differs, unless every function can do what @rights
 * says and nothing else, and who is no function can do nothing.
 */
int __must_check proof_check(const struct deployment *deployment, proof_rights_fn rights,
			     const void *data, struct proof_result *result, struct error *err);

#endif /* COPPICE_PROOF_H */
