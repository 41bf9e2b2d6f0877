/* SPDX-License-Identifier: GPL-2.0 */
/* Private to redirect*.c: the groups that are entered in the maps, by number and by name. */
#ifndef COPPICE_REDIRECT_GROUPS_H
#define COPPICE_REDIRECT_GROUPS_H

#include <linux/types.h>
#include <stdbool.h>

#include "coppice/redirect.h"
#include "error.h"
#include "redirect_pins.h"
#include "redirect_target.h"

/* Names are checked, because they become paths. */
int __must_check redirect_check_group(const char *group, struct error *err);
/* The number of a group, or 0. */
__u32 redirect_find_group(const struct pins *pins, const char *group);
/* The same, with REDIRECT_HUB_NAME: false if there is none. */
bool redirect_group_number(const struct pins *pins, const char *group, __u32 *number);

/* Is there anything that the maps are needed for? */
bool groups_in_use(const struct pins *pins);
/* Enter the group, or the new cgroup of one that is there. */
int __must_check groups_enter(const struct pins *pins, struct target *target, struct error *err);
/* What the programs attached to cgroup @id take as their group; it must be attached. */
int __must_check groups_set_cgroup(const struct pins *pins, __u64 id, __u32 number);

#endif /* COPPICE_REDIRECT_GROUPS_H */
