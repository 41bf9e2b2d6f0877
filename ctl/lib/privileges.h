/* SPDX-License-Identifier: GPL-2.0 */
/* What a process of root's can do, and gives up for good before it becomes a task. */
#ifndef COPPICE_PRIVILEGES_H
#define COPPICE_PRIVILEGES_H

#include "error.h"

/*
 * In a child, while it is root still: no capability can be had any more, by whatever program
 * or user, and the caller's session keyring is left. What root has, it has until user_become().
 */
int __must_check privileges_bound(struct error *err);
/* After it: nothing is left that could be handed on. */
int __must_check privileges_drop(struct error *err);

#endif /* COPPICE_PRIVILEGES_H */
