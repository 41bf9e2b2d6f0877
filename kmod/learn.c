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

static void learn_page(struct coppice_image *image,
		       const struct coppice_vseg *seg, unsigned long pgoff)
{
	unsigned long addr = seg->start + ((pgoff - seg->pgoff) << PAGE_SHIFT);

	if (image->learned && !test_bit(pgoff, image->written))
		return;
	if (page_copied(image, addr, pgoff))
		set_bit(pgoff, image->written);
	else
		clear_bit(pgoff, image->written);
}

static void learn_segment(struct coppice_image *image,
			  const struct coppice_vseg *seg)
{
	unsigned long pgoff = seg->pgoff;
	unsigned long end = pgoff + (seg->len >> PAGE_SHIFT);

	for_each_set_bit_from(pgoff, image->touched, end) {
		learn_page(image, seg, pgoff);
		cond_resched();
	}
}

/**
 * coppice_learn() - learn from the calling task, which is ready
 * @image: of its group
 *
 * Context: may sleep; takes the image's learn lock, then the mmap lock.
 */
void coppice_learn(struct coppice_image *image)
{
	const unsigned int writable = PROT_READ | PROT_WRITE;
	unsigned int i;

	if (READ_ONCE(image->learned) >= COPPICE_LEARNERS)
		return;
	mutex_lock(&image->learn_lock);
	if (image->learned < COPPICE_LEARNERS) {
		for (i = 0; i < image->nr_segs; i++)
			if (!image->segs[i].anon &&
			    (image->segs[i].prot & writable) == writable)
				learn_segment(image, &image->segs[i]);
		WRITE_ONCE(image->learned, image->learned + 1);
	}
	mutex_unlock(&image->learn_lock);
}
