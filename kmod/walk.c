// SPDX-License-Identifier: GPL-2.0
/*
 * What a task has mapped of the image, and what in place of it.
 *
 * The page tables say it, and nothing else does: the core mm copies a page that
 * is written without asking the module.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "compat/mm.h"
#include "coppice.h"

struct walk {
	struct vm_area_struct *vma;
	const struct coppice_image *image;
	const struct coppice_hints *hints;	/* where to look, or NULL: everywhere */
	coppice_private_fn fn;
	void *data;
	unsigned long next;	/* where it goes on */
	int err;
};

/* What walk_table() returns so that the kernel's walk ends. */
#define TABLE_DONE	1

/* The store's pages are nobody's anonymous memory and never writable, a copy is. */
static bool is_private(pte_t pte)
{
	return !pte_present(pte) || pte_write(pte) || PageAnon(pte_page(pte));
}

/* So many entries are looked at together: most are of no page, or of the image's. */
#define TOGETHER	8

static bool none_of(const pte_t *ptep)
{
	pteval_t any = 0;
	int i;

#pragma GCC unroll 8
	for (i = 0; i < TOGETHER; i++)
		any |= coppice_pte_bits(ptep + i);
	return !any;
}

/* Is each the image's? Of others it is asked one by one. */
static bool all_of(const pte_t *ptep, const pteval_t *wanted)
{
	pteval_t differ = 0;
	int i;

#pragma GCC unroll 8
	for (i = 0; i < TOGETHER; i++)
		differ |= coppice_pte_differs(ptep + i, wanted[i]);
	return !(differ & COPPICE_PTE_COMPARED);
}

static bool may_be_private(const pte_t *ptep, pteval_t wanted)
{
	return coppice_pte_differs(ptep, wanted) & COPPICE_PTE_COMPARED &&
	       coppice_pte_bits(ptep);
}

/* Entries of a page table. */
struct entries {
	pte_t *ptep;
	const pteval_t *wanted;	/* of the image's pages */
	unsigned long addr, pgoff;	/* of the first one */
	unsigned long nr;
	unsigned long skew;	/* of the first in those that are looked at together */
};

/* The first eight from @i on among which one may be of a private page, or the few at the end. */
static unsigned long next_eight(const struct entries *entries, unsigned long i)
{
	for (; i + TOGETHER <= entries->nr; i += TOGETHER)
		if (!none_of(entries->ptep + i) &&
		    !all_of(entries->ptep + i, entries->wanted + i))
			break;
	return i;
}

/* The entry from @i on that may be of a private page, or the number of entries. */
static unsigned long next_entry(const struct entries *entries, unsigned long i)
{
	unsigned long end;

	for (; i < entries->nr; i = end) {
		if ((i + entries->skew) % TOGETHER == 0)
			i = next_eight(entries, i);
		end = min(round_up(i + entries->skew + 1, TOGETHER) - entries->skew, entries->nr);
		for (; i < end; i++)
			if (may_be_private(entries->ptep + i, entries->wanted[i]))
				return i;
	}
	return entries->nr;
}

static int walk_entry(const struct walk *walk, const struct entries *entries, unsigned long i)
{
	pte_t pte = ptep_get(entries->ptep + i);

	if (pte_none(pte) || !is_private(pte))
		return 0;
	return walk->fn(pte, entries->addr + (i << PAGE_SHIFT), entries->pgoff + i, walk->data);
}

static int walk_all(const struct walk *walk, const struct entries *entries)
{
	unsigned long i;
	int err = 0;

	for (i = 0; !err && (i = next_entry(entries, i)) < entries->nr; i++)
		err = walk_entry(walk, entries, i);
	return err;
}

/* Of a word of hints those for pages [from, end), as they stand: see coppice_walk_hinted(). */
static unsigned long hinted_word(const struct coppice_hints *hints, unsigned long word,
				 unsigned long from, unsigned long end)
{
	return (READ_ONCE(hints->written[word]) | READ_ONCE(hints->changed[word])) &
	       coppice_word_mask(word, from, end);
}

static int walk_word(const struct walk *walk, const struct entries *entries, unsigned long word)
{
	unsigned long bits = hinted_word(walk->hints, word, entries->pgoff,
					 entries->pgoff + entries->nr);
	unsigned long i;
	int err = 0;

	for (; bits && !err; bits &= bits - 1) {
		i = word * BITS_PER_LONG + __ffs(bits) - entries->pgoff;
		if (may_be_private(entries->ptep + i, entries->wanted[i]))
			err = walk_entry(walk, entries, i);
	}
	return err;
}

static int walk_words(const struct walk *walk, const struct entries *entries)
{
	unsigned long word = entries->pgoff / BITS_PER_LONG;
	int err = 0;

	for (; word * BITS_PER_LONG < entries->pgoff + entries->nr && !err; word++)
		err = walk_word(walk, entries, word);
	return err;
}

/*
 * Called by the kernel's walk for the first entry in use of a page table, under its lock. A call
 * for each entry would cost more than what there is to do, so the rest of the table is
 * gone through here, and the walk begins anew behind it.
 */
static int walk_table(pte_t *ptep, unsigned long addr, void *data)
{
	struct walk *walk = data;
	unsigned long pgoff = coppice_image_pgoff(linear_page_index(walk->vma, addr));
	unsigned long end = pmd_addr_end(addr, walk->vma->vm_end);
	struct entries entries = {
		.ptep = ptep,
		.wanted = walk->image->ptes + min(pgoff, walk->image->nr_pages),
		.addr = addr,
		.pgoff = pgoff,
		.nr = (end - addr) >> PAGE_SHIFT,
		/* As pages are mapped around one that is read: by aligned addresses. */
		.skew = addr >> PAGE_SHIFT,
	};

	walk->err = walk->hints ? walk_words(walk, &entries) : walk_all(walk, &entries);
	walk->next = end;
	return TABLE_DONE;
}

/* Of an address in a mapping, whose page tables stay as long as the mmap lock is held. */
static pmd_t pmd_at(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d = pgd_none(*pgd) ? NULL : p4d_offset(pgd, addr);
	pud_t *pud = !p4d || p4d_none(*p4d) ? NULL : pud_offset(p4d, addr);

	return !pud || pud_none(*pud) ? __pmd(0) : READ_ONCE(*pmd_offset(pud, addr));
}

/*
 * What has page table entries of its own. The kernel's walk wants no huge page in the
 * range, and where nothing is mapped yet a fault may map one at any time; a page table
 * stays one. *@huge: increased by the pages that are mapped as huge ones.
 */
static int walk_range(struct vm_area_struct *vma, unsigned long addr, pte_fn_t fn,
		      void *data, u64 *huge)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long next;
	int err = 0;

	if (COPPICE_CAN_APPLY_SPARSE && vma->vm_flags & VM_MIXEDMAP)
		return coppice_apply(mm, addr, vma->vm_end - addr, fn, data);
	for (; addr < vma->vm_end && !err; addr = next) {
		pmd_t pmd = pmd_at(mm, addr);

		next = pmd_addr_end(addr, vma->vm_end);
		if (pmd_trans_huge(pmd))
			*huge += (next - addr) >> PAGE_SHIFT;
		else if (!pmd_none(pmd))
			err = coppice_apply(mm, addr, next - addr, fn, data);
	}
	return err;
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
		walk_range(vma, vma->vm_start, count_pte, usage, &usage->shared);
		addr = vma->vm_end;
	}
	mmap_read_unlock(mm);
	return 0;
}

/* To the next page that there is a hint for, if only these are asked for. */
static void skip_others(struct walk *walk)
{
	struct vm_area_struct *vma = walk->vma;
	unsigned long pgoff, end, word, bits;

	if (!walk->hints || walk->next >= vma->vm_end)
		return;
	pgoff = coppice_image_pgoff(linear_page_index(vma, walk->next));
	end = pgoff + ((vma->vm_end - walk->next) >> PAGE_SHIFT);
	word = pgoff / BITS_PER_LONG;
	do
		bits = hinted_word(walk->hints, word, pgoff, end);
	while (!bits && ++word * BITS_PER_LONG < end);
	if (bits)
		end = word * BITS_PER_LONG + __ffs(bits);
	walk->next += (end - pgoff) << PAGE_SHIFT;
}

static int walk_private(struct walk *walk)
{
	u64 huge = 0;
	int ret = TABLE_DONE;

	/* The core mm prepares a mapping before its first private page, under the mmap lock. */
	if (!READ_ONCE(walk->vma->anon_vma))
		return 0;
	while (ret == TABLE_DONE && !walk->err) {
		skip_others(walk);
		if (walk->next >= walk->vma->vm_end)
			break;
		ret = walk_range(walk->vma, walk->next, walk_table, walk, &huge);
	}
	return walk->err ?: min(ret, 0);
}

/**
 * coppice_walk_private() - the private pages of a VMA
 * @vma: maps an image, see coppice_vma_next()
 * @from: first address, in @vma
 * @fn: called for each private page under the page table's lock; what it
 *	returns ends the walk if it is not 0
 * @data: for @fn
 *
 * Costs by the page tables that the range has, and makes none; nothing at all if no page of
 * the mapping has ever been private.
 *
 * Context: under the mmap lock.
 * Return: 0 or what @fn returned.
 */
int coppice_walk_private(struct vm_area_struct *vma, unsigned long from,
			 coppice_private_fn fn, void *data)
{
	const struct coppice_task *task = vma->vm_private_data;
	struct walk walk = {
		.vma = vma, .image = task->group->image, .fn = fn, .data = data, .next = from,
	};

	return walk_private(&walk);
}

/**
 * coppice_walk_hinted() - those of its private pages that starts or events are known to write
 * @vma: see coppice_walk_private()
 * @from: first address, in @vma
 * @fn: as there
 * @data: for @fn
 *
 * By the hints as they stand: what others learn meanwhile may be missed. Costs by these pages.
 *
 * Context: under the mmap lock.
 * Return: 0 or what @fn returned.
 */
int coppice_walk_hinted(struct vm_area_struct *vma, unsigned long from,
			coppice_private_fn fn, void *data)
{
	const struct coppice_task *task = vma->vm_private_data;
	struct walk walk = {
		.vma = vma, .image = task->group->image, .hints = &task->group->hints,
		.fn = fn, .data = data, .next = from,
	};

	return walk_private(&walk);
}

/**
 * coppice_page_unused() - has a private page no references but known ones?
 * @page: of a task, whose page table's lock is held or for which the caller has a reference
 * @ours: how many references the caller has
 *
 * Known are those of page tables, of the swap cache, and of who puts it on the LRU lists or has
 * taken it from there, which is why it isn't on one. The flag is read before and after the
 * count: who does that in between has a reference of which it can't be said if it was counted.
 *
 * Context: any.
 * Return: true if nobody else looks at what is in it.
 */
bool coppice_page_unused(struct page *page, int ours)
{
	struct folio *folio = page_folio(page);
	bool listed = folio_test_lru(folio);
	int refs, known;

	smp_rmb();	/* the flag before the count, see above */
	refs = folio_ref_count(folio);
	known = coppice_page_mapcount(page) + folio_test_swapcache(folio) + ours;
	smp_rmb();	/* the count before the flag */
	return listed == folio_test_lru(folio) && refs == known + !listed;
}
