// SPDX-License-Identifier: GPL-2.0
/*
 * What of the kernel's things is clean after an enter or a reset, so that the image's code
 * need not see to it.
 *
 * That code can't ask: it would set each signal's action and go through each mapping, in case
 * there were something, and take as long for it as for some hundred pages.
 */
#include <linux/bitmap.h>
#include <linux/fdtable.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "coppice.h"
#include "compat/thread.h"

/* It does not change under its thread. */
static struct sighand_struct *own_sighand(void)
{
	return rcu_dereference_protected(current->sighand, true);
}

/* As execve() leaves those that were handled, and here also what was ignored. */
static void default_actions(void)
{
	struct sighand_struct *sighand = own_sighand();

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
	struct sighand_struct *sighand = own_sighand();
	bool none;

	spin_lock_irq(&sighand->siglock);
	none = sigisemptyset(&current->pending.signal) &&
	       sigisemptyset(&current->signal->shared_pending.signal);
	spin_unlock_irq(&sighand->siglock);
	return none;
}

/* Numbers of the open descriptors; ALL_FILES if one has a larger number. */
#define FILES		64
#define ALL_FILES	(~0ULL)

static u64 open_files(void)
{
	struct files_struct *files = current->files;
	const struct fdtable *table;
	u64 open = ALL_FILES;

	spin_lock(&files->file_lock);
	table = files_fdtable(files);
	if (find_next_bit(table->open_fds, table->max_fds, FILES) >= table->max_fds)
		bitmap_to_arr64(&open, table->open_fds, FILES);
	spin_unlock(&files->file_lock);
	return open;
}

/**
 * coppice_note_files() - note with which descriptors a task enters
 * @task: the caller's
 *
 * Context: process context.
 */
void coppice_note_files(struct coppice_task *task)
{
	u64 open = open_files();

	/* Where they are too many to be told apart, each reset has some closed. */
	task->files = open == ALL_FILES ? 0 : open;
}

/* Make clean what is at hand, and say what is: COPPICE_CLEAN_*. */
static unsigned long clean_up(const struct coppice_task *task)
{
	const unsigned long senders = COPPICE_CLEAN_TIMERS | COPPICE_CLEAN_ALARMS;
	unsigned long clean = COPPICE_CLEAN_ACTIONS;

	default_actions();
	if (!(open_files() & ~task->files))
		clean |= COPPICE_CLEAN_FILES;
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
 * @task: the caller's, which has mapped the image
 *
 * The entry finds in the second register of a result what is clean.
 *
 * Context: process context of a task with one thread, all its signals blocked.
 */
void coppice_start_image(const struct coppice_task *task)
{
	const struct coppice_image *image = task->group->image;
	struct pt_regs *regs = current_pt_regs();

	coppice_start_thread(regs, image->entry, image->stack);
	coppice_set_second_result(regs, clean_up(task));
}
