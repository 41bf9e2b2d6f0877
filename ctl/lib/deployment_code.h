/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions that a deployment carries: manifest and code, an archive each in the bundle, and
 * unpacked in the slot that is applied, functions/NAME/.
 */
#ifndef COPPICE_DEPLOYMENT_CODE_H
#define COPPICE_DEPLOYMENT_CODE_H

#include "deployment.h"
#include "function.h"

#define DEPLOYMENT_CODE_MAX	(256UL << 20)	/* of one function, and of all in a bundle */

/* The archive of ->manifest: reproducible, and with the grants of @deployment in it. */
char *deployment_code_pack(const struct deployment *deployment,
			   const struct deployment_function *function, size_t *len,
			   struct error *err);

/* Below the slot's directory, all that are carried. Nothing but files; the manifests hold. */
int __must_check deployment_code_unpack(int dir, const struct deployment *deployment,
					struct error *err);

/*
 * Refused if a function of that name is on the hub that is no function of this deployment.
 */
int __must_check deployment_code_check(const struct deployment *deployment, struct error *err);

/* One of the applied version, read from its slot; with ->deployment and ->digest. */
int __must_check deployment_code_read(const char *deployment, const char *name,
				      struct function *function, struct error *err);

#endif /* COPPICE_DEPLOYMENT_CODE_H */
