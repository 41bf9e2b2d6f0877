/* SPDX-License-Identifier: GPL-2.0 */
/* Differences between the kernels' mm interfaces, guarded by the symbol. */
#ifndef _COPPICE_COMPAT_MM_H
#define _COPPICE_COMPAT_MM_H

#include <linux/mm.h>
#include <linux/rseq.h>
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

static inline void coppice_vm_flags_clear(struct vm_area_struct *vma,
					  unsigned long flags)
{
#ifdef COPPICE_HAVE_VM_FLAGS_SET
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

/* Take what is mapped in a part of a VMA away. Of zap_page_range*() one is exported. */
static inline void coppice_zap(struct vm_area_struct *vma, unsigned long addr,
			       unsigned long len)
{
#ifdef COPPICE_HAVE_ZAP_PAGE_RANGE
	zap_page_range(vma, addr, len);
#elif defined(COPPICE_HAVE_ZAP_VMA_RANGE)
	zap_vma_range(vma, addr, len);
#else
	zap_page_range_single(vma, addr, len, NULL);
#endif
}

/*
 * Call @fn for the page table entries of a range. Where only the walk that makes what page tables
 * lack is exported, the range must have them throughout, and empty entries are walked, too.
 */
#ifdef COPPICE_HAVE_APPLY_TO_EXISTING
#define COPPICE_CAN_APPLY_SPARSE	1
#define coppice_apply	apply_to_existing_page_range
#else
#define COPPICE_CAN_APPLY_SPARSE	0
#define coppice_apply	apply_to_page_range
#endif

/*
 * What is asked of each entry of a page table, without what pte_val() and pte_page() do for
 * guests of Xen and against speculation: both compare only.
 *
 * coppice_pte_of() is what an entry has that maps a page, and not for writing, of the bits in
 * COPPICE_PTE_COMPARED. coppice_pte_differs() has none of these where an entry is such a one; else
 * it may be all the same.
 */
#ifdef CONFIG_X86
#define COPPICE_PTE_COMPARED	(PTE_PFN_MASK | _PAGE_PRESENT | _PAGE_RW)
#define coppice_pte_bits(ptep)	READ_ONCE((ptep)->pte)

static inline pteval_t coppice_pte_of(const struct page *page)
{
	return (pteval_t)page_to_pfn(page) << PAGE_SHIFT | _PAGE_PRESENT;
}

static inline pteval_t coppice_pte_differs(const pte_t *ptep, pteval_t wanted)
{
	return coppice_pte_bits(ptep) ^ wanted;
}
#else
#define COPPICE_PTE_COMPARED	1
#define coppice_pte_bits(ptep)	pte_val(ptep_get((pte_t *)(ptep)))

static inline pteval_t coppice_pte_of(const struct page *page)
{
	return page_to_pfn(page);
}

static inline pteval_t coppice_pte_differs(const pte_t *ptep, pteval_t wanted)
{
	pte_t pte = ptep_get((pte_t *)ptep);

	return !pte_present(pte) || pte_pfn(pte) != wanted;
}
#endif

/* Has an anonymous mapping a name, which prctl() gives it? */
static inline bool coppice_vma_named(const struct vm_area_struct *vma)
{
#ifdef CONFIG_ANON_VMA_NAME
	return vma->anon_name;
#else
	return false;
#endif
}

/*
 * Pages of a memory in which only the caller runs, by what they are: exactly, with what the kernel
 * keeps for it apart.
 */
static inline long coppice_mm_counter(struct mm_struct *mm, int member)
{
#ifdef SPLIT_RSS_COUNTING
	return atomic_long_read(&mm->rss_stat.count[member]) + current->rss_stat.count[member];
#elif defined(COPPICE_HAVE_RSS_PERCPU)
	return percpu_counter_sum(&mm->rss_stat[member]);
#else
	return get_mm_counter(mm, member);
#endif
}

static inline long coppice_mm_anonymous(struct mm_struct *mm)
{
	return coppice_mm_counter(mm, MM_ANONPAGES) + coppice_mm_counter(mm, MM_SWAPENTS);
}

/* How many page table entries map a page that is no part of a larger one. */
static inline int coppice_page_mapcount(struct page *page)
{
	return atomic_read(&page->_mapcount) + 1;
}

/* Has the calling thread an rseq area that the kernel writes to? */
static inline bool coppice_rseq_registered(void)
{
#ifdef COPPICE_HAVE_RSEQ_DATA
	return current->rseq.usrptr;
#elif defined(CONFIG_RSEQ)
	return current->rseq;
#else
	return false;
#endif
}

/* Take it away without telling user space, as execve() does. */
static inline void coppice_rseq_forget(void)
{
	rseq_execve(current);
}

#endif /* _COPPICE_COMPAT_MM_H */
