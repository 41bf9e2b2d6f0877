/* SPDX-License-Identifier: GPL-2.0 */
/* What a deployment grants to a function whose manifest says whose it is: "DEPLOYMENT/FUNCTION". */
#ifndef COPPICE_FUNCTION_GRANTS_H
#define COPPICE_FUNCTION_GRANTS_H

#include "function.h"
#include "grants.h"

int __must_check function_grants_check(const char *text, struct error *err);

/* Is it a grant of @deployment? */
bool function_grants_are_of(const struct function *function, const char *deployment);

/*
 * As they are applied now, and the function's code. A function is of one user for good: refused
 * if that is not its owner any more.
 */
int __must_check function_grants_read(const struct function *function, struct grants *grants,
				      struct error *err);

/* Let the user whom the deployment names be the owner. No error if there are no grants. */
int __must_check function_grants_own(struct function *function, struct error *err);

/* For `image build --grants`, whose recipe refers to it: a file that stays as long as the image. */
int __must_check function_grants_write(const char *image, const struct grants *grants,
				       char path[PATH_MAX], struct error *err);
int __must_check function_grants_remove(const char *image, struct error *err);

#endif /* COPPICE_FUNCTION_GRANTS_H */
