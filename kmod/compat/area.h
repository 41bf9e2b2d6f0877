/* SPDX-License-Identifier: GPL-2.0 */
/* Differences in what replacing a mapping needs, guarded by the symbol. */
#ifndef _COPPICE_COMPAT_AREA_H
#define _COPPICE_COMPAT_AREA_H

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

/* Both at once, of a VMA that nobody else sees yet. */
static inline void coppice_vm_flags_mod(struct vm_area_struct *vma,
					unsigned long set, unsigned long clear)
{
#ifdef COPPICE_HAVE_VM_FLAGS_SET
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

/* What a file gets that has no get_unmapped_area() of its own. */
static inline unsigned long coppice_default_area(struct file *file,
						 unsigned long addr,
						 unsigned long len,
						 unsigned long pgoff,
						 unsigned long flags)
{
#ifdef COPPICE_HAVE_CURRENT_UNMAPPED_AREA
	return mm_get_unmapped_area(file, addr, len, pgoff, flags);
#elif defined(COPPICE_HAVE_MM_GET_UNMAPPED_AREA)
	return mm_get_unmapped_area(current->mm, file, addr, len, pgoff, flags);
#else
	return current->mm->get_unmapped_area(file, addr, len, pgoff, flags);
#endif
}

#endif /* _COPPICE_COMPAT_AREA_H */
