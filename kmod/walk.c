// SPDX-License-Identifier: GPL-2.0
/*
 * What a task has mapped of the image, and what in place of it.
 *
 * The page tables say it, and nothing else does: the core mm copies a page that
 * is written without asking the module.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "coppice.h"

struct walk {
	struct vm_area_struct *vma;
	coppice_private_fn fn;
	void *data;
};

/* The store's pages are nobody's anonymous memory, a copy is. */
static int walk_pte(pte_t *ptep, unsigned long addr, void *data)
{
	const struct walk *walk = data;
	pte_t pte = ptep_get(ptep);

	if (pte_none(pte) || (pte_present(pte) && !PageAnon(pte_page(pte))))
		return 0;
	return walk->fn(pte, addr, linear_page_index(walk->vma, addr), walk->data);
}

static int count_pte(pte_t *ptep, unsigned long addr, void *data)
{
	struct coppice_usage *usage = data;
	pte_t pte = ptep_get(ptep);

	if (pte_none(pte))
		return 0;
	if (!pte_present(pte))
		usage->swapped++;
	else if (PageAnon(pte_page(pte)))
		usage->copied++;
	else
		usage->shared++;
	return 0;
}

/**
 * coppice_usage() - what a task has mapped of the image
 * @group: whose task it is; the caller holds a reference
 * @mm: of the task, held by mm_users
 * @usage: set to numbers of pages
 *
 * Context: may sleep; takes the mmap lock.
 * Return: 0, or -EINTR if the caller is being killed.
 */
int coppice_usage(struct coppice_group *group, struct mm_struct *mm,
		  struct coppice_usage *usage)
{
	struct vm_area_struct *vma;
	unsigned long addr = 0;

	*usage = (struct coppice_usage) {};
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	while ((vma = coppice_vma_next(mm, addr, group))) {
		apply_to_existing_page_range(mm, vma->vm_start,
					     vma->vm_end - vma->vm_start,
					     count_pte, usage);
		addr = vma->vm_end;
	}
	mmap_read_unlock(mm);
	return 0;
}

/**
 * coppice_walk_private() - the private pages of a VMA
 * @vma: maps an image, see coppice_vma_next()
 * @from: first address, in @vma
 * @fn: called for each private page under the page table's lock; what it
 *	returns ends the walk if it is not 0
 * @data: for @fn
 *
 * Costs by the page tables that the range has, and makes none.
 *
 * Context: under the mmap lock.
 * Return: 0 or what @fn returned.
 */
int coppice_walk_private(struct vm_area_struct *vma, unsigned long from,
			 coppice_private_fn fn, void *data)
{
	struct walk walk = { .vma = vma, .fn = fn, .data = data };

	return apply_to_existing_page_range(vma->vm_mm, from, vma->vm_end - from,
					    walk_pte, &walk);
}
