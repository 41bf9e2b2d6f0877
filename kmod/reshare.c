// SPDX-License-Identifier: GPL-2.0
/*
 * Reshare: give back private pages whose content has become the image's again.
 *
 * A page may go only while nobody can write to it, or a write is lost. Two ways
 * lead there. A task that runs alone in its memory and does it to itself holds
 * the mmap lock: no other thread writes or pins, a remote writer (ptrace,
 * /proc/PID/mem) waits for the lock, and a page that somebody has pinned before has a reference
 * too many and is left alone. From outside, or with threads, the pages are
 * secluded: unmapped under migration entries, which everybody waits for, once
 * more compared, and zapped or let back in. KSM orders its steps likewise
 * (write_protect_page() in mm/ksm.c), with functions that modules do not have.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "coppice.h"
#include "compat/migrate.h"
#include "compat/mm.h"

/* Pages compared under one hold of the mmap lock. */
#define RESHARE_BATCH	64

struct candidate {
	unsigned long addr;
	struct page *page;	/* with a reference, until compared */
	bool equal;
};

/* One call's working space: too much for the stack. */
struct reshare {
	struct coppice_group *group;
	struct mm_struct *mm;
	bool alone;	/* nobody else runs in @mm; under the mmap lock */
	u64 compared;
	u64 given_back;
	unsigned int nr;
	struct candidate candidates[RESHARE_BATCH];
	unsigned long src[RESHARE_BATCH];
	unsigned long dst[RESHARE_BATCH];
};

static int collect(pte_t pte, unsigned long addr, unsigned long pgoff, void *data)
{
	struct reshare *rs = data;
	struct page *page;

	if (!pte_present(pte))
		return 0;
	page = pte_page(pte);
	if (PageCompound(page))
		return 0;
	if (rs->nr == RESHARE_BATCH)
		return -ENOSPC;
	get_page(page);
	rs->candidates[rs->nr++] = (struct candidate) { .addr = addr, .page = page };
	return 0;
}

/* So many words are compared before it is asked if they were equal; memcmp() asks for each. */
#define TOGETHER	8
#define PAGE_WORDS	(PAGE_SIZE / sizeof(unsigned long))

static bool equal_words(const unsigned long *a, const unsigned long *b)
{
	unsigned long differing = 0;
	unsigned int i, j;

	for (i = 0; i < PAGE_WORDS && !differing; i += TOGETHER)
#pragma GCC unroll 8
		for (j = 0; j < TOGETHER; j++)
			differing |= a[i + j] ^ b[i + j];
	return !differing;
}

static bool same(struct vm_area_struct *vma, unsigned long addr, struct page *page)
{
	struct coppice_task *task = vma->vm_private_data;
	unsigned long pgoff = coppice_image_pgoff(linear_page_index(vma, addr));
	struct page *origin = coppice_image_page(task->group->image, pgoff);
	void *a = kmap_local_page(page);
	void *b = kmap_local_page(origin);
	bool equal = equal_words(a, b);

	kunmap_local(b);
	kunmap_local(a);
	return equal;
}

static void compare(struct reshare *rs, struct vm_area_struct *vma)
{
	unsigned int i;

	for (i = 0; i < rs->nr; i++) {
		struct candidate *c = &rs->candidates[i];

		c->equal = same(vma, c->addr, c->page) &&
			   (!rs->alone || coppice_page_unused(c->page, 1));
		put_page(c->page);
	}
	rs->compared += rs->nr;
}

static void give_back(struct reshare *rs, struct vm_area_struct *vma,
		      unsigned long addr, unsigned long nr)
{
	struct coppice_task *task = vma->vm_private_data;

	coppice_zap(vma, addr, nr << PAGE_SHIFT);
	coppice_map_again(vma, addr, nr);
	rs->given_back += nr;
	coppice_count(&task->given_back, nr);
	atomic64_add(nr, &rs->group->given_back);
}

/* The secluded pages that are still equal: what was written since, stays. */
static void give_back_secluded(struct reshare *rs, struct vm_area_struct *vma,
			       unsigned long addr, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++, addr += PAGE_SIZE)
		if ((rs->src[i] & MIGRATE_PFN_MIGRATE) &&
		    same(vma, addr, migrate_pfn_to_page(rs->src[i])))
			give_back(rs, vma, addr, 1);
}

static void give_back_run(struct reshare *rs, struct vm_area_struct *vma,
			  unsigned long addr, unsigned long nr)
{
	struct migrate_vma args = {
		.vma = vma, .src = rs->src, .dst = rs->dst,
		.start = addr, .end = addr + (nr << PAGE_SHIFT),
	};

	if (rs->alone) {
		give_back(rs, vma, addr, nr);
	} else if (!coppice_seclude(&args)) {
		give_back_secluded(rs, vma, addr, nr);
		coppice_readmit(&args);
	}
}

/* Neighbours go together: unmapping costs by the call. */
static void give_back_equal(struct reshare *rs, struct vm_area_struct *vma)
{
	unsigned int i, n;

	for (i = 0; i < rs->nr; i += n) {
		unsigned long addr = rs->candidates[i].addr;

		n = 1;
		if (!rs->candidates[i].equal)
			continue;
		while (i + n < rs->nr && rs->candidates[i + n].equal &&
		       rs->candidates[i + n].addr == addr + n * PAGE_SIZE)
			n++;
		give_back_run(rs, vma, addr, n);
	}
}

/* Returns where to go on. Adopted mappings are read-only and have other offsets. */
static unsigned long reshare_vma(struct reshare *rs, struct vm_area_struct *vma,
				 unsigned long from)
{
	struct coppice_task *task = vma->vm_private_data;
	unsigned long next = vma->vm_end;

	if (task->adopted)
		return next;
	rs->nr = 0;
	if (coppice_walk_private(vma, from, collect, rs) == -ENOSPC)
		next = rs->candidates[rs->nr - 1].addr + PAGE_SIZE;
	compare(rs, vma);
	give_back_equal(rs, vma);
	return next;
}

/* 1: done with a batch, *@addr is where to go on. 0: there is no more. */
static int reshare_batch(struct reshare *rs, unsigned long *addr, const char **why)
{
	struct vm_area_struct *vma;

	if (mmap_write_lock_killable(rs->mm)) {
		*why = "The call was interrupted by a fatal signal: what was given back stays so";
		return -EINTR;
	}
	rs->alone = coppice_runs_alone(rs->mm);
	vma = coppice_vma_next(rs->mm, *addr, rs->group);
	if (vma && (rs->alone || COPPICE_CAN_SECLUDE))
		*addr = reshare_vma(rs, vma, max(*addr, vma->vm_start));
	mmap_write_unlock(rs->mm);
	if (vma && !rs->alone && !COPPICE_CAN_SECLUDE) {
		*why = "This kernel keeps no other writers out (CONFIG_DEVICE_MIGRATION): reshare from inside the task, while it has one thread";
		return -EOPNOTSUPP;
	}
	return vma ? 1 : 0;
}

/**
 * coppice_reshare() - give back a task's pages that equal the image's
 * @group: whose task it is; the caller holds a reference
 * @mm: of the task; the caller's own or held by mm_users
 * @result: set, also on failure, to what was done
 * @why: set to a sentence on failure
 *
 * Costs by the private pages of the task: each is compared with the one page that
 * it was copied from. Pages that are pinned, swapped out or written meanwhile
 * are left as they are.
 *
 * Context: may sleep; takes the mmap lock for a batch of pages at a time.
 * Return: 0, -ENOMEM, -EINTR, or -EOPNOTSUPP where others run in @mm and the kernel has
 * no means to keep them out.
 */
int coppice_reshare(struct coppice_group *group, struct mm_struct *mm,
		    struct coppice_reshared *result, const char **why)
{
	struct reshare *rs = kzalloc(sizeof(*rs), GFP_KERNEL);
	unsigned long addr = 0;
	int more;

	*result = (struct coppice_reshared) {};
	if (!rs) {
		*why = "No memory for the comparison: free memory and try again";
		return -ENOMEM;
	}
	rs->group = group;
	rs->mm = mm;
	do {
		more = reshare_batch(rs, &addr, why);
		cond_resched();
	} while (more > 0);
	result->compared = rs->compared;
	result->given_back = rs->given_back;
	kfree(rs);
	return more;
}
