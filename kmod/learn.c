// SPDX-License-Identifier: GPL-2.0
/*
 * Learning what a start touches and writes.
 *
 * Touched pages are noted by the fault handler. Written ones the module does not
 * see (the core mm copies a mapped page without asking), so the page tables of
 * the first few tasks that are ready are searched for copies. A page that all of them
 * had copied is copied ahead for later tasks, but for one in sixteen: what that one does
 * not write is forgotten.
 *
 * These are hints: a task that lies about them costs its own group's starts
 * time or memory, nothing else.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "coppice.h"

static int note_written(pte_t pte, unsigned long addr, unsigned long pgoff, void *data)
{
	__set_bit(pgoff, data);
	return 0;
}

/* The pages of the image that the caller has copies of. */
static unsigned long *written_now(const struct coppice_group *group)
{
	size_t size = BITS_TO_LONGS(group->image->nr_pages) * sizeof(long);
	unsigned long *now = kvzalloc(size, GFP_KERNEL);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long addr = 0;

	if (!now)
		return NULL;
	mmap_read_lock(mm);
	while ((vma = coppice_vma_next(mm, addr, group))) {
		coppice_walk_private(vma, vma->vm_start, note_written, now);
		addr = vma->vm_end;
	}
	mmap_read_unlock(mm);
	return now;
}

/* Keeps what every task so far has written. */
static void learn_written(struct coppice_group *group)
{
	struct coppice_hints *hints = &group->hints;
	unsigned long words = BITS_TO_LONGS(group->image->nr_pages), i;
	unsigned long *now = written_now(group);

	if (!now)
		return;
	/* Others search it meanwhile: each word is the old one or the new one. */
	for (i = 0; i < words; i++)
		WRITE_ONCE(hints->written[i], hints->learned ? hints->written[i] & now[i] : now[i]);
	WRITE_ONCE(hints->learned, hints->learned + 1);
	kvfree(now);
}

/**
 * coppice_learns() - is a task that enters now to be learned from?
 * @group: that it enters
 *
 * The first few are, and some later ones, since starts change with what they are
 * given.
 */
bool coppice_learns(const struct coppice_group *group)
{
	return READ_ONCE(group->hints.learned) < COPPICE_LEARNERS ||
	       !(READ_ONCE(group->entered) % COPPICE_LEARN_EVERY);
}

/**
 * coppice_learn() - learn from the calling task, which is ready and a learner
 * @group: that it is in
 *
 * Context: may sleep; takes the hints' lock, then the mmap lock.
 */
void coppice_learn(struct coppice_group *group)
{
	struct coppice_hints *hints = &group->hints;

	mutex_lock(&hints->lock);
	learn_written(group);
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
	atomic_set(&hints->called, 0);
	hints->touched = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	hints->written = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	hints->changed = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	return hints->touched && hints->written && hints->changed ? 0 : -ENOMEM;
}

/**
 * coppice_hints_free() - of a group that is in use by nobody
 * @hints: zeroed, or from coppice_hints_init()
 */
void coppice_hints_free(struct coppice_hints *hints)
{
	kvfree(hints->touched);
	kvfree(hints->written);
	kvfree(hints->changed);
}
