/* SPDX-License-Identifier: GPL-2.0 */
/* Building an image: a template runs in a cgroup of its own until its checkpoint. */
#ifndef COPPICE_BUILD_H
#define COPPICE_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "enclosure.h"
#include "error.h"
#include "grants.h"
#include "image.h"
#include "layout.h"
#include "overrides.h"
#include "task_mounts.h"
#include "user.h"

struct build {
	const char *name;		/* of the image */
	const struct user *user;
	char *const *command;		/* of the template, NULL-terminated */
	const char *python_path;	/* added to PYTHONPATH, or NULL */
	const char *python_base;	/* run before the function is loaded, or NULL */
	int placement;			/* of placement_open(), or 0 */
	bool learns;			/* it is to fill that and end: there is no image */
	const struct layout *layout;	/* NULL: the kernel's own, another one each time */
	bool checkpoint_on_stdin;
	unsigned int timeout;		/* seconds */
	const struct override *overrides;
	size_t nr_overrides;
	const struct task_mounts *mounts;	/* of the template, or NULL */
	const struct grants *grants;	/* of the template, or NULL */
	const struct enclosure *enclosure;	/* made of them, with the mounts */
	bool trusts_ca;			/* has the variables for it */
};

/*
 * Run the template and capture it. When this returns, the template, its cgroup and its
 * overrides are gone; what a killed controller leaves of them is found by build_abandoned().
 * EBUSY in err, and nothing else: the template has something that no image can carry. One that
 * learns leaves @image empty.
 */
int __must_check build_image(const struct build *build, struct image *image,
			     struct error *err);

/* Of the cgroup of this name below /coppice: did its controller die? */
bool build_abandoned(const char *cgroup_name);
/* Remove what an abandoned build left. */
int __must_check build_prune(const char *cgroup_name, struct error *err);

#endif /* COPPICE_BUILD_H */
