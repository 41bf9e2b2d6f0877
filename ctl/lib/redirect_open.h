/* SPDX-License-Identifier: GPL-2.0 */
/* Private to redirect*.c: connections that are open when rules change. */
#ifndef COPPICE_REDIRECT_OPEN_H
#define COPPICE_REDIRECT_OPEN_H

#include "redirect_pins.h"
#include "redirect_table.h"

/* Reset what was redirected by these rules, of @group or, for REDIRECT_HUB, of any. */
int __must_check redirect_reset(const struct pins *pins, __u32 group,
				const struct rule_gone *gone, size_t nr, struct error *err);

#endif /* COPPICE_REDIRECT_OPEN_H */
