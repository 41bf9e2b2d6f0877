/* SPDX-License-Identifier: GPL-2.0 */
/* Differences in how a thread starts anew, guarded by what the architecture exports. */
#ifndef _COPPICE_COMPAT_THREAD_H
#define _COPPICE_COMPAT_THREAD_H

#include <linux/hrtimer.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <asm/processor.h>

/* Where the calling thread goes on in user mode. */
static inline void coppice_start_thread(struct pt_regs *regs, unsigned long entry,
					unsigned long stack)
{
#ifdef CONFIG_ARM64
	/*
	 * start_thread() asks, by a function that modules don't have, how the thread is to be kept
	 * from speculating. The bit says so already, as the thread is an old one.
	 */
	u64 speculation = regs->pstate & PSR_SSBS_BIT;

	memset(&regs->user_regs, 0, sizeof(regs->user_regs));
	regs->orig_x0 = 0;
	regs->pc = entry;
	regs->sp = stack;
	regs->pstate = PSR_MODE_EL0t | speculation;
#else
	start_thread(regs, entry, stack);
#endif
}

/* The register behind that of a system call's result, as functions return what is longer. */
static inline void coppice_set_second_result(struct pt_regs *regs, unsigned long value)
{
#ifdef CONFIG_ARM64
	regs->regs[1] = value;
#else
	regs->dx = value;
#endif
}

/* Has the calling process made any by timer_create(2)? */
static inline bool coppice_has_timers(void)
{
#ifndef CONFIG_POSIX_TIMERS
	return false;
#elif defined(COPPICE_HAVE_TIMERS_HLIST)
	return !hlist_empty(&current->signal->posix_timers);
#else
	return !list_empty(&current->signal->posix_timers);
#endif
}

/* Has it one of setitimer(2) that runs, or that its signal will set going when it is taken? */
static inline bool coppice_has_alarms(void)
{
#ifdef CONFIG_POSIX_TIMERS
	const struct signal_struct *signal = current->signal;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(signal->it); i++)
		if (signal->it[i].expires || signal->it[i].incr)
			return true;
	return signal->it_real_incr || hrtimer_active(&signal->real_timer);
#else
	return false;
#endif
}

#endif /* _COPPICE_COMPAT_THREAD_H */
