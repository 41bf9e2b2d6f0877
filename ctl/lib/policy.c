// SPDX-License-Identifier: GPL-2.0
/* When a group's tasks give equal pages back. */
#include <string.h>

#include "name.h"
#include "policy.h"

#define EVERY	"every="

int policy_parse(const char *text, struct policy *policy, struct error *err)
{
	*policy = (struct policy) { .when = POLICY_IDLE };
	if (!strcmp(text, "idle"))
		return 0;
	if (!strcmp(text, "never"))
		policy->when = POLICY_NEVER;
	else if (!strcmp(text, "pressure"))
		policy->when = POLICY_PRESSURE;
	else if (!strncmp(text, EVERY, strlen(EVERY)))
		policy->when = POLICY_EVERY;
	else
		return error_usage(err, "'%.80s' says not when memory is given back: use idle, never, every=SECONDS or pressure",
				   text);
	if (policy->when != POLICY_EVERY)
		return 0;
	if (number_parse("a number of seconds", text + strlen(EVERY), 86400, &policy->seconds, err))
		return -1;
	if (!policy->seconds)
		return error_usage(err, "every=0 would never pause: give 1 or more seconds");
	return 0;
}
