// SPDX-License-Identifier: GPL-2.0
/*
 * Learning what a start touches and writes.
 *
 * Touched pages are noted by the fault handler. Written ones the module does not
 * see (the core mm copies a mapped page without asking), so the first few tasks
 * that are ready have their mappings compared with the image. A page that all of
 * them had copied is copied ahead for later tasks.
 *
 * These are hints: a task that lies about them costs its own group's starts
 * time or memory, nothing else.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/slab.h>

#include "coppice.h"

/* Does the caller have a copy of the page? Its own mapping is what counts. */
static bool page_copied(struct coppice_image *image, unsigned long addr,
			unsigned long pgoff)
{
	struct page *page;
	bool copied;

	if (get_user_pages_fast(addr, 1, 0, &page) != 1)
		return false;
	copied = page != coppice_image_page(image, pgoff);
	put_page(page);
	return copied;
}

static void learn_page(struct coppice_group *group,
		       const struct coppice_vseg *seg, unsigned long pgoff)
{
	unsigned long addr = seg->start + ((pgoff - seg->pgoff) << PAGE_SHIFT);
	struct coppice_hints *hints = &group->hints;

	if (hints->learned && !test_bit(pgoff, hints->written))
		return;
	if (page_copied(group->image, addr, pgoff))
		set_bit(pgoff, hints->written);
	else
		clear_bit(pgoff, hints->written);
}

static void learn_segment(struct coppice_group *group,
			  const struct coppice_vseg *seg)
{
	unsigned long pgoff = seg->pgoff;
	unsigned long end = pgoff + (seg->len >> PAGE_SHIFT);

	for_each_set_bit_from(pgoff, group->hints.touched, end) {
		learn_page(group, seg, pgoff);
		cond_resched();
	}
}

static void learn_image(struct coppice_group *group)
{
	const unsigned int writable = PROT_READ | PROT_WRITE;
	const struct coppice_image *image = group->image;
	unsigned int i;

	for (i = 0; i < image->nr_segs; i++) {
		const struct coppice_vseg *seg = &image->segs[i];

		if (!seg->anon && (seg->prot & writable) == writable)
			learn_segment(group, seg);
	}
}

/**
 * coppice_learn() - learn from the calling task, which is ready
 * @group: that it is in
 *
 * Context: may sleep; takes the hints' lock, then the mmap lock.
 */
void coppice_learn(struct coppice_group *group)
{
	struct coppice_hints *hints = &group->hints;

	if (READ_ONCE(hints->learned) >= COPPICE_LEARNERS)
		return;
	mutex_lock(&hints->lock);
	if (hints->learned < COPPICE_LEARNERS) {
		learn_image(group);
		WRITE_ONCE(hints->learned, hints->learned + 1);
	}
	mutex_unlock(&hints->lock);
}

/**
 * coppice_hints_init() - nothing learned yet
 * @hints: to be freed by coppice_hints_free(), also on failure
 * @pages: of the image
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int coppice_hints_init(struct coppice_hints *hints, unsigned long pages)
{
	size_t size = BITS_TO_LONGS(pages) * sizeof(long);

	mutex_init(&hints->lock);
	hints->touched = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	hints->written = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	return hints->touched && hints->written ? 0 : -ENOMEM;
}

/**
 * coppice_hints_free() - of a group that is in use by nobody
 * @hints: zeroed, or from coppice_hints_init()
 */
void coppice_hints_free(struct coppice_hints *hints)
{
	kvfree(hints->touched);
	kvfree(hints->written);
}
