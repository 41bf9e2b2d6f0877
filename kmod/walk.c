// SPDX-License-Identifier: GPL-2.0
/*
 * What a task has in place of the image's pages.
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
	struct page *page = NULL;
	pte_t pte = ptep_get(ptep);

	if (pte_none(pte))
		return 0;
	if (pte_present(pte)) {
		page = pte_page(pte);
		if (!PageAnon(page))
			return 0;
	}
	return walk->fn(page, addr, linear_page_index(walk->vma, addr), walk->data);
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
