// SPDX-License-Identifier: GPL-2.0
/*
 * What of the kernel's things is clean after an enter or a reset, so that the image's code
 * need not see to it.
 *
 * That code can't ask: it would set each signal's action and go through each mapping, in case
 * there were something, and take as long for it as for some hundred pages.
 */
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
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

static bool nothing_pending(void)
{
	bool none;

	spin_lock_irq(&current->sighand->siglock);
	none = sigisemptyset(&current->pending.signal) &&
	       sigisemptyset(&current->signal->shared_pending.signal);
	spin_unlock_irq(&current->sighand->siglock);
	return none;
}

/* Make clean what is at hand, and say what is: COPPICE_CLEAN_*. */
static unsigned long clean_up(void)
{
	const unsigned long senders = COPPICE_CLEAN_TIMERS | COPPICE_CLEAN_ALARMS;
	unsigned long clean = COPPICE_CLEAN_ACTIONS;

	default_actions();
	if (nothing_locked(current->mm))
		clean |= COPPICE_CLEAN_LOCKS;
	if (!coppice_has_timers())
		clean |= COPPICE_CLEAN_TIMERS;
	if (!coppice_has_alarms())
		clean |= COPPICE_CLEAN_ALARMS;
	/* Asked last: what there is no timer for can't be sent by one any more. */
	if ((clean & senders) == senders && nothing_pending())
		clean |= COPPICE_CLEAN_SIGNALS;
	return clean;
}

/**
 * coppice_start_image() - go on at an image's entry
 * @image: that the caller has mapped
 *
 * The entry finds in the second register of a result what is clean.
 *
 * Context: process context of a task with one thread, all its signals blocked.
 */
void coppice_start_image(const struct coppice_image *image)
{
	struct pt_regs *regs = current_pt_regs();

	coppice_start_thread(regs, image->entry, image->stack);
	coppice_set_second_result(regs, clean_up());
}
