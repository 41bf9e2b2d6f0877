// SPDX-License-Identifier: GPL-2.0
/*
 * What of the kernel's things is clean after an enter or a reset, so that the image's code
 * need not see to it.
 *
 * That code can't ask: it would set each signal's action and go through each mapping, in case
 * there were something, and take as long for it as for some hundred pages.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "coppice.h"
#include "compat/thread.h"

/* As execve() leaves those that were handled, and here also what was ignored. */
static void default_actions(void)
{
	/* The thread's own does not change under it. */
	struct sighand_struct *sighand = rcu_dereference_protected(current->sighand, true);

	spin_lock_irq(&sighand->siglock);
	memset(sighand->action, 0, sizeof(sighand->action));
	spin_unlock_irq(&sighand->siglock);
}

/* Nor is anything as it will be mapped (MCL_FUTURE). */
static bool nothing_locked(const struct mm_struct *mm)
{
	return !(mm->def_flags & VM_LOCKED) && !READ_ONCE(mm->locked_vm);
}

/**
 * coppice_clean() - make clean what is at hand, and say what is
 *
 * Context: process context of a task with one thread, all its signals blocked.
 * Return: COPPICE_CLEAN_*, for the image's entry.
 */
unsigned long coppice_clean(void)
{
	unsigned long clean = COPPICE_CLEAN_ACTIONS;

	default_actions();
	if (nothing_locked(current->mm))
		clean |= COPPICE_CLEAN_LOCKS;
	if (!coppice_has_timers())
		clean |= COPPICE_CLEAN_TIMERS;
	return clean;
}
