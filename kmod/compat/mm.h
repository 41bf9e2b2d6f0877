/* SPDX-License-Identifier: GPL-2.0 */
/* Differences between the kernels' mm interfaces, guarded by the symbol. */
#ifndef _COPPICE_COMPAT_MM_H
#define _COPPICE_COMPAT_MM_H

#include <linux/mm.h>
#include <linux/sched.h>

/* vm_flags are written through helpers since 6.3, which lock the VMA. */
static inline void coppice_vm_flags_set(struct vm_area_struct *vma,
					unsigned long flags)
{
#ifdef COPPICE_HAVE_VM_FLAGS_SET
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

/* Has the calling thread an rseq area that the kernel writes to? */
static inline bool coppice_rseq_registered(void)
{
#ifdef CONFIG_RSEQ
	return current->rseq;
#else
	return false;
#endif
}

#endif /* _COPPICE_COMPAT_MM_H */
