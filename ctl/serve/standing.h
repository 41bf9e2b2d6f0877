/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Standing spares: those of groups that are not in use. The first request for a function that was deployed, or that
 * had none for long, finds a task so, as do those after the coordinator's start.
 */
#ifndef COPPICE_STANDING_H
#define COPPICE_STANDING_H

#include "pool.h"

/* As many groups as may have one by default: of what the hub's memory is. */
unsigned int standing_default(void);
/* May this function's group have one, as far as it is not for others to have it? */
bool standing_possible(const struct pool *pool);
/* Choose the groups that have one: those used last, then those deployed last. */
void standing_choose(struct coordinator *coordinator);

#endif /* COPPICE_STANDING_H */
