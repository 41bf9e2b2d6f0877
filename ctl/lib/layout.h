/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where templates of an owner have their memory. Equal pages hold equal addresses, so
 * what images share depends on it: all templates of one owner get the same secret
 * layout, instead of another one each time.
 */
#ifndef COPPICE_LAYOUT_H
#define COPPICE_LAYOUT_H

#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define LAYOUT_DIRECTORY "/var/lib/coppice/layout"

struct layout {
	uint64_t shift;		/* of mappings below the end of user memory, in bytes */
	uint32_t seed;		/* of hash tables */
};

/* The owner's, made up when there is none yet. Removing its file rotates it. */
int __must_check layout_get(uid_t owner, struct layout *layout, struct error *err);

/*
 * In a child that is about to execve() a template, as root: use it. It changes the soft limit
 * on stacks, which the template has to set again (COPPICE_ENV_STACK).
 */
int __must_check layout_use(const struct layout *layout, struct error *err);
/* The soft limit on stacks, which layout_use() changes. */
uint64_t layout_stack_limit(void);

#endif /* COPPICE_LAYOUT_H */
