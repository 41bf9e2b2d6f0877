/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages out of everybody's reach: the first half of a migration, taken back.
 *
 * A kernel without device memory (CONFIG_DEVICE_MIGRATION) does not have it.
 */
#ifndef _COPPICE_COMPAT_MIGRATE_H
#define _COPPICE_COMPAT_MIGRATE_H

#include <linux/migrate.h>

#include "mm.h"

#ifdef CONFIG_DEVICE_MIGRATION

#define COPPICE_CAN_SECLUDE	1

/*
 * Unmap the pages of a range, so that whoever touches them waits, and leave alone
 * those that something holds a reference to. args->src has MIGRATE_PFN_MIGRATE for
 * each page that nobody can reach now. Under the mmap lock for writing, until
 * coppice_readmit().
 *
 * The kernel migrates nothing in special VMAs: they may map what has no struct
 * page. These here map none of that, so they can be ordinary for the moment;
 * mlock() and merging, which the flags also keep out, wait for the mmap lock.
 */
static inline int coppice_seclude(struct migrate_vma *args)
{
	const unsigned long special = args->vma->vm_flags & (VM_MIXEDMAP | VM_DONTEXPAND);
	int err;

	args->flags = MIGRATE_VMA_SELECT_SYSTEM;
	coppice_vm_flags_clear(args->vma, special);
	err = migrate_vma_setup(args);
	coppice_vm_flags_set(args->vma, special);
	return err;
}

/* No page has got a new place: what is still mapped is as it was before. */
static inline void coppice_readmit(struct migrate_vma *args)
{
	migrate_vma_pages(args);
	migrate_vma_finalize(args);
}

#else

#define COPPICE_CAN_SECLUDE	0

#ifndef CONFIG_MIGRATION
struct migrate_vma {
	struct vm_area_struct *vma;
	unsigned long *src;
	unsigned long *dst;
	unsigned long start;
	unsigned long end;
};

#define MIGRATE_PFN_MIGRATE	0

static inline struct page *migrate_pfn_to_page(unsigned long mpfn)
{
	return NULL;
}
#endif

static inline int coppice_seclude(struct migrate_vma *args)
{
	return -EOPNOTSUPP;
}

static inline void coppice_readmit(struct migrate_vma *args)
{
}

#endif

#endif /* _COPPICE_COMPAT_MIGRATE_H */
