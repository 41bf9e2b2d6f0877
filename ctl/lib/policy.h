/* SPDX-License-Identifier: GPL-2.0 */
/* When a group's tasks give equal pages back. The module keeps the text and follows none of it. */
#ifndef COPPICE_POLICY_H
#define COPPICE_POLICY_H

#include <stdint.h>

#include "error.h"

#define POLICY_SIZE	32	/* of the text */
#define POLICY_DEFAULT	"idle"

struct policy {
	enum {
		POLICY_IDLE,		/* when a task says that it is idle */
		POLICY_NEVER,
		POLICY_EVERY,		/* `coppice group watch`, every so many seconds */
		POLICY_PRESSURE,	/* `coppice group watch`, when memory is short */
	} when;
	uint64_t seconds;
};

/* "idle", "never", "every=SECONDS" or "pressure". */
int __must_check policy_parse(const char *text, struct policy *policy, struct error *err);

#endif /* COPPICE_POLICY_H */
