/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Strays: what killed controllers left, that belongs to no image, group or build. They are
 * found by comparing what is there with what the backends know, never by a list of ours.
 */
#ifndef COPPICE_STRAY_H
#define COPPICE_STRAY_H

#include "error.h"

struct stray {
	enum {
		STRAY_CGROUP,	/* below /coppice, of no group */
		STRAY_BUILD,	/* a template's cgroup whose controller died */
		STRAY_PINS,	/* overrides of no group */
		STRAY_KEEPER,	/* holds an image that nothing knows */
		STRAY_GRANTS,	/* of no group */
		STRAY_LIBRARY,	/* merged for an image that is gone or never came to be */
	} kind;
	char name[256];		/* of the cgroup or group, or the keeper's process id */
};

extern const char *const stray_kinds[];

/* Nothing is made or deleted by others while this runs. A non-zero result of @fn ends it. */
typedef int (*stray_fn)(const struct stray *stray, void *data, struct error *err);
int __must_check stray_each(stray_fn fn, void *data, struct error *err);

/* Remove it, with the processes in it. May be called by the function above. */
int __must_check stray_remove(const struct stray *stray, struct error *err);

#endif /* COPPICE_STRAY_H */
