/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which functions share a group, and with it an image and the tasks' memory. All of it follows from
 * what functions are, and nothing from the order in which they were added.
 */
#ifndef COPPICE_FUNCTION_GROUP_H
#define COPPICE_FUNCTION_GROUP_H

#include <jansson.h>

#include "function.h"

/* Why two functions do not share a group: the first that holds, in this order. */
enum function_rule {
	FUNCTION_TOGETHER,	/* they do */
	FUNCTION_OWNER,
	FUNCTION_DOMAIN,
	FUNCTION_ALONE,		/* one of them forbids it */
	FUNCTION_RUNTIME,
	FUNCTION_CODE_DIFFERS,
	FUNCTION_ENVIRONMENT,
	FUNCTION_OVERRIDES,
	FUNCTION_LIBRARIES,
	FUNCTION_GRANTS,
	NR_FUNCTION_RULES
};

extern const char *const function_rules[NR_FUNCTION_RULES];

/* Both need their ->digest. A function is together with itself. */
enum function_rule function_apart(const struct function *a, const struct function *b);

/* Are equal pages of their images stored once, though their groups are two? */
bool function_pages_meet(const struct function *a, const struct function *b);

/* Sentences: where @function is and why, with regard to @nr @others (itself may be among them). */
json_t *function_why(const struct function *function, const struct function *others, size_t nr);

#endif /* COPPICE_FUNCTION_GROUP_H */
