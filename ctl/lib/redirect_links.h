/* SPDX-License-Identifier: GPL-2.0 */
/* Private to redirect*.c: what attaches the programs to one cgroup, a pinned link a hook. */
#ifndef COPPICE_REDIRECT_LINKS_H
#define COPPICE_REDIRECT_LINKS_H

#include <linux/types.h>
#include <stdbool.h>

#include "error.h"
#include "redirect_hook.h"
#include "redirect_pins.h"
#include "redirect_programs.h"
#include "redirect_target.h"

#define EFFECTIVE_MAX	256	/* programs of one type that a cgroup can have: 64 a level */

/* The program of a pinned link if it is attached where it should be, else 0. */
__u32 links_program(const struct target *target, enum hook_number hook);
/* Is every program effective, and told the number of the group? */
bool links_attached(const struct pins *pins, const struct target *target);
/* Are there links at @place, of a cgroup that may have gone? */
bool links_pinned(const char *place);
/* Has the cgroup that the links at @place are of gone? */
bool links_gone(const char *place);

/* Make those that are missing. On failure some may be made. */
int __must_check links_make(const struct pins *pins, const struct target *target,
			    const struct programs *programs, struct error *err);
/* No error if there are none. */
void links_remove(const char *place);

#endif /* COPPICE_REDIRECT_LINKS_H */
