// SPDX-License-Identifier: GPL-2.0
/*
 * Mapping an image: what the VMAs of a task do.
 *
 * A private mapping of a file that nobody can open: the core mm copies a
 * page on the first write, so a store page is never writable in any page table, and
 * every other way to write (ptrace, /proc/PID/mem, pins) goes through the same
 * copy. VM_MIXEDMAP lets pages be mapped in batches ahead of any fault.
 */
#include <linux/bitops.h>
#include <linux/fs.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>

#include "coppice.h"
#include "compat/mm.h"
#include "trace.h"

/* As many as the page cache's fault-around maps by default. */
#define AROUND_PAGES	16

/**
 * coppice_vma_open() - a VMA of an image was copied: split, moved or forked
 * @vma: the copy
 *
 * Context: the mmap lock is held for writing; takes the group's lock.
 */
void coppice_vma_open(struct vm_area_struct *vma)
{
	struct coppice_task *task = vma->vm_private_data;

	if (task->mm == vma->vm_mm)
		coppice_task_open(task);
	else
		vma->vm_private_data = coppice_task_fork(task, vma->vm_mm);
}

/**
 * coppice_vma_close() - a VMA of an image goes
 * @vma: the VMA
 *
 * Context: may sleep; takes the group's lock.
 */
void coppice_vma_close(struct vm_area_struct *vma)
{
	coppice_task_close(vma->vm_private_data);
}

/* A mapping of a segment never reaches beyond it (VM_DONTEXPAND). */
static struct page **image_frames(struct coppice_task *task, struct vm_area_struct *vma,
				  unsigned long addr)
{
	return task->group->image->frames + linear_page_index(vma, addr);
}

/*
 * Map the image's pages from *@addr up to @end or to a page that something is mapped
 * at. *@addr is then behind that, or where it could not go on.
 */
static int map_pages(struct coppice_task *task, struct vm_area_struct *vma,
		     unsigned long *addr, unsigned long end)
{
	unsigned long pages = (end - *addr) >> PAGE_SHIFT, left = pages;
	int err = vm_insert_pages(vma, *addr, image_frames(task, vma, *addr), &left);

	*addr += (pages - left + (err == -EBUSY)) << PAGE_SHIFT;
	return err;
}

/*
 * Map a page that is read and what lies around it, in its page table, as the page cache
 * does it. Not while the task starts: what a start touches is learned from its
 * faults, page by page. What is mapped there already stays.
 *
 * False: the page itself may not be mapped.
 */
static bool map_around(struct coppice_task *task, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long window = AROUND_PAGES << PAGE_SHIFT;
	unsigned long addr = max(round_down(vmf->address, window), vma->vm_start);
	unsigned long end = min(round_down(vmf->address, window) + window, vma->vm_end);
	int err = 0;

	while (addr < end && (!err || err == -EBUSY))
		err = map_pages(task, vma, &addr, end);
	return addr > vmf->address;
}

/* What is copied ahead comes through here too, and is no fault of the task's. */
static void count_fault(struct coppice_task *task, struct vm_fault *vmf)
{
	/* Who shares the memory of a task that enters may fault beside it. */
	if (READ_ONCE(task->copying))
		return;
	atomic64_inc(&task->faults);
	atomic64_inc(&task->group->faults);
	trace_coppice_fault(task, vmf->address, vmf->flags & FAULT_FLAG_WRITE);
}

/* The others are huge parts, which the core mm maps by itself. */
static bool is_small(const struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_MIXEDMAP;
}

/**
 * coppice_fault_page() - answer a fault by a page of the image
 * @vmf: the fault
 * @page: of the image, without a reference
 *
 * The core mm would map all of a compound page of which it is handed a part, where
 * address and offset allow. In a VM_MIXEDMAP mapping this would be unmapped as what has no
 * references, and there it may be the part of another run: so it is mapped here.
 *
 * Context: as of .fault.
 * Return: what .fault returns.
 */
vm_fault_t coppice_fault_page(struct vm_fault *vmf, struct page *page)
{
	int err;

	if (is_small(vmf->vma) && PageCompound(page) && !(vmf->flags & FAULT_FLAG_WRITE)) {
		err = vm_insert_page(vmf->vma, vmf->address, page);
		return err && err != -EBUSY ? VM_FAULT_OOM : VM_FAULT_NOPAGE;
	}
	get_page(page);
	vmf->page = page;
	return 0;
}

/*
 * A task says that it is ready before it calls its function, and the function's first lines
 * are the same each time, too. So some pages more are learned, from whichever task comes first.
 */
static bool is_call(const struct coppice_task *task)
{
	return !task->forked && !task->adopted &&
	       atomic_add_unless(&task->group->hints.called, 1, COPPICE_CALL_PAGES);
}

static void note_touched(const struct coppice_task *task, unsigned long pgoff)
{
	struct coppice_hints *hints = &task->group->hints;

	if (!test_bit(pgoff, hints->touched) && (!READ_ONCE(task->ready) || is_call(task)))
		set_bit(pgoff, hints->touched);
}

static vm_fault_t segment_fault(struct vm_fault *vmf)
{
	struct coppice_task *task = vmf->vma->vm_private_data;
	unsigned long pgoff = coppice_image_pgoff(vmf->pgoff);
	bool around = false;
	struct page *page;

	page = coppice_image_page(task->group->image, pgoff);
	if (!page)
		return VM_FAULT_SIGBUS;
	note_touched(task, pgoff);
	if (READ_ONCE(task->ready) && is_small(vmf->vma) && !(vmf->flags & FAULT_FLAG_WRITE))
		around = map_around(task, vmf);
	count_fault(task, vmf);
	return around ? VM_FAULT_NOPAGE : coppice_fault_page(vmf, page);
}

static const struct vm_operations_struct segment_vm_ops = {
	.open = coppice_vma_open,
	.close = coppice_vma_close,
	.fault = segment_fault,
};

/*
 * Only an enter maps the file: it is in no descriptor table, and afterwards
 * its task is taken out of it.
 */
static int segment_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct coppice_task *task = file->private_data;

	if (!task || vma->vm_mm != task->mm || (vma->vm_flags & VM_SHARED))
		return -EACCES;
	coppice_vm_flags_set(vma, VM_DONTEXPAND |
			     (vma->vm_pgoff & COPPICE_MAP_HUGE ? 0 : VM_MIXEDMAP));
	vma->vm_ops = &segment_vm_ops;
	vma->vm_private_data = task;
	coppice_task_open(task);
	return 0;
}

/* The owner pins the module as long as any VMA has the file. */
static const struct file_operations segment_fops = {
	.owner = THIS_MODULE,
	.mmap = segment_mmap,
};

/**
 * coppice_map_file() - the file that a task's segments are mappings of
 * @task: entering
 *
 * Context: may sleep.
 * Return: the file, or ERR_PTR.
 */
struct file *coppice_map_file(struct coppice_task *task)
{
	char name[COPPICE_FILE_NAME_SIZE];

	scnprintf(name, sizeof(name), "coppice:%s", task->group->image->name);
	/* Of a compound page's own index, 0, to its end. */
	return coppice_file_create(name, &segment_fops, task, O_RDWR,
				   task->group->image->huge ? PMD_SIZE : 0);
}

/**
 * coppice_map_file_done() - from here on the file serves the VMAs that it has
 * @file: from coppice_map_file(), its task still alive
 */
void coppice_map_file_done(struct file *file)
{
	file->private_data = NULL;
	fput(file);
}

/**
 * coppice_map_segment() - map one segment, in place of what is there
 * @seg: of the image of the file's task
 * @file: from coppice_map_file(); not needed for an anonymous segment
 *
 * Callers have unmapped what was in the way: what still is, was mapped since by a process that
 * shares the memory.
 *
 * Context: may sleep; takes the mmap lock of current's mm.
 * Return: 0 or a negative error.
 */
int coppice_map_segment(const struct coppice_vseg *seg, struct file *file)
{
	unsigned long flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
	unsigned long addr;

	if (seg->anon)
		addr = vm_mmap(NULL, seg->start, seg->len, seg->prot,
			       flags | MAP_ANONYMOUS, 0);
	else
		addr = vm_mmap(file, seg->start, seg->len, seg->prot, flags,
			       seg->map_pgoff << PAGE_SHIFT);
	return IS_ERR_VALUE(addr) ? addr : 0;
}

/**
 * coppice_map_segments() - map every segment of the group's image
 * @task: entering; its mm is current's and has nothing in the way
 * @file: from coppice_map_file()
 *
 * Context: may sleep; takes the mmap lock.
 * Return: 0 or a negative error with some segments mapped.
 */
int coppice_map_segments(struct coppice_task *task, struct file *file)
{
	const struct coppice_image *image = task->group->image;
	unsigned int i;
	int err;

	/* Downwards: the kernel's tree of mappings has less to move than if each came last. */
	for (i = image->nr_segs; i--;) {
		err = coppice_map_segment(&image->segs[i], file);
		if (err)
			return err;
	}
	return 0;
}

/**
 * coppice_vma_next() - the next mapping of a group's image
 * @mm: to look in
 * @addr: where to begin
 * @group: whose tasks' mappings are meant
 *
 * Context: under the mmap lock, which keeps the VMA and so its task.
 * Return: the first VMA that ends behind @addr, or NULL.
 */
struct vm_area_struct *coppice_vma_next(struct mm_struct *mm, unsigned long addr,
					const struct coppice_group *group)
{
	struct vm_area_struct *vma;

	while ((vma = find_vma(mm, addr))) {
		struct coppice_task *task = vma->vm_private_data;

		/* A segment's or an adopted one. */
		if (vma->vm_ops && vma->vm_ops->close == coppice_vma_close &&
		    task->group == group)
			return vma;
		addr = vma->vm_end;
	}
	return NULL;
}

/**
 * coppice_map_again() - map the image's pages where copies of them were
 * @vma: maps a segment
 * @addr: first address, in @vma
 * @nr: pages, all of them in @vma
 *
 * Spares the faults; what can't be mapped is a fault later, no error.
 *
 * Context: under the mmap lock; may sleep.
 */
void coppice_map_again(struct vm_area_struct *vma, unsigned long addr, unsigned long nr)
{
	if (is_small(vma))
		map_pages(vma->vm_private_data, vma, &addr, addr + (nr << PAGE_SHIFT));
}

/* Is a mapping one of the task's own of a segment, with [addr, addr + len) as it was mapped? */
static bool is_segment(const struct coppice_task *task, const struct vm_area_struct *vma,
		       unsigned long addr, unsigned long len, unsigned long pgoff)
{
	return vma->vm_ops == &segment_vm_ops && vma->vm_private_data == task &&
	       vma->vm_start <= addr && vma->vm_end - addr >= len &&
	       vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT) == pgoff;
}

/* What a mapping of a segment has, and what the kernel adds by itself. */
#define SEGMENT_FLAGS	(VM_READ | VM_WRITE | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | \
			 VM_MIXEDMAP | VM_DONTEXPAND | VM_NORESERVE | VM_ACCOUNT | VM_SOFTDIRTY)

/* Is it anonymous, and no name or file tells of its past? */
static bool is_fresh(const struct vm_area_struct *vma)
{
	return vma_is_anonymous((struct vm_area_struct *)vma) && !vma->vm_file &&
	       !coppice_vma_named(vma);
}

/**
 * coppice_map_intact() - is a mapping that of a segment, as when the task entered?
 * @task: current's
 * @seg: of its image
 * @vma: where the segment starts or behind
 *
 * It is not if it was split, moved, given another protection, advised or locked. What is in
 * it is another question.
 *
 * Context: under the mmap lock.
 */
bool coppice_map_intact(const struct coppice_task *task, const struct coppice_vseg *seg,
			const struct vm_area_struct *vma)
{
	if (vma->vm_start != seg->start || vma->vm_end - vma->vm_start != seg->len)
		return false;
	if (seg->anon ? !is_fresh(vma) :
			!is_segment(task, vma, seg->start, seg->len, seg->map_pgoff))
		return false;
	return (vma->vm_flags & VM_ACCESS_FLAGS) == calc_vm_prot_bits(seg->prot, 0) &&
	       !(vma->vm_flags & ~SEGMENT_FLAGS) && !vma_policy(vma);
}

static unsigned long page_address_in(const struct vm_area_struct *vma, unsigned long pgoff)
{
	return vma->vm_start + ((pgoff - vma->vm_pgoff) << PAGE_SHIFT);
}

static unsigned long next_hint(const unsigned long *bits, unsigned long end, unsigned long from)
{
	/*
	 * As they stand, while faults note others: to miss a bit that is set meanwhile, or to see
	 * one that is forgotten, costs a fault or a page, so nothing hangs on what is read.
	 */
	return data_race(find_next_bit(bits, end, from));
}

/* Of a word of hints those for pages [from, end), as they stand: see next_hint(). */
static unsigned long hint_word(const unsigned long *bits, unsigned long word, unsigned long from,
			       unsigned long end)
{
	return READ_ONCE(bits[word]) & coppice_word_mask(word, from, end);
}

static void map_run(struct coppice_task *task, struct vm_area_struct *vma, unsigned long from,
		    unsigned long nr)
{
	unsigned long left = nr;

	/* A page that can't be mapped ahead is a fault later, no error. */
	vm_insert_pages(vma, page_address_in(vma, from), task->group->image->frames + from, &left);
	coppice_count(&task->mapped, nr - left);
}

/*
 * Maps what was touched of pages [from, end) of the image, but no page that is @written. Word by
 * word: most runs are of a page or two, and to look for each in turn would cost half of what
 * it does to map it. To begin another run costs less than to map a page in between.
 */
static void map_touched(struct coppice_task *task, struct vm_area_struct *vma,
			const unsigned long *written, unsigned long from, unsigned long end)
{
	const unsigned long *touched = task->group->hints.touched;
	unsigned long word, hints, first, nr;

	for (word = from / BITS_PER_LONG; word * BITS_PER_LONG < end; word++) {
		hints = hint_word(touched, word, from, end);
		if (written)
			hints &= ~hint_word(written, word, from, end);
		for (; hints; hints &= ~(BITMAP_LAST_WORD_MASK(nr) << first)) {
			first = __ffs(hints);
			nr = ~(hints >> first) ? __ffs(~(hints >> first)) : BITS_PER_LONG;
			map_run(task, vma, word * BITS_PER_LONG + first, nr);
		}
	}
}

/* The copies are the core mm's own: a write fault without the exception. */
static bool copy_page_ahead(struct coppice_task *task, struct vm_area_struct *vma,
			    unsigned long pgoff)
{
	if (handle_mm_fault(vma, page_address_in(vma, pgoff), FAULT_FLAG_WRITE, NULL) &
	    VM_FAULT_ERROR)
		return false;
	coppice_count(&task->copied, 1);
	cond_resched();
	return true;
}

static void copy_written(struct coppice_task *task, struct vm_area_struct *vma,
			 unsigned long from, unsigned long end)
{
	const unsigned long *written = task->group->hints.written;
	unsigned long word, hints;

	for (word = from / BITS_PER_LONG; word * BITS_PER_LONG < end; word++) {
		hints = hint_word(written, word, from, end);
		for (; hints; hints &= hints - 1)
			if (!copy_page_ahead(task, vma, word * BITS_PER_LONG + __ffs(hints)))
				return;
	}
}

/* Each huge page of which a part was touched, by the fault that it would be. */
static void map_huge(struct coppice_task *task, struct vm_area_struct *vma,
		     unsigned long from, unsigned long end)
{
	const unsigned long *touched = task->group->hints.touched;
	unsigned long addr = vma->vm_start, next;

	for (; from < end; from = next, addr += PMD_SIZE) {
		next = from + COPPICE_HUGE_PAGES;
		if (next_hint(touched, next, from) < next &&
		    !(handle_mm_fault(vma, addr, 0, NULL) & VM_FAULT_ERROR))
			coppice_count(&task->mapped, COPPICE_HUGE_PAGES);
	}
}

#define WRITABLE	(PROT_READ | PROT_WRITE)

static void prepare_segment(struct coppice_task *task, const struct coppice_vseg *seg)
{
	const struct coppice_hints *hints = &task->group->hints;
	unsigned long from = seg->pgoff, end = from + (seg->len >> PAGE_SHIFT);
	bool copy = !task->learner && (seg->prot & WRITABLE) == WRITABLE;
	struct vm_area_struct *vma;

	/* What was written was touched. */
	if (next_hint(hints->touched, end, from) >= end)
		return;
	vma = find_vma(task->mm, seg->start);
	if (!vma || !is_segment(task, vma, seg->start, seg->len, seg->map_pgoff))
		return;
	if (seg->huge) {
		map_huge(task, vma, from, end);
		return;
	}
	if (copy)
		copy_written(task, vma, from, end);
	map_touched(task, vma, copy ? hints->written : NULL, from, end);
}

/**
 * coppice_map_ahead() - spare a task the faults that every start takes
 * @task: entering, its segments are mapped
 *
 * Maps the pages that earlier tasks touched as they started, and copies those that each
 * of them wrote; not for a learner, which shows what it writes by itself. Costs page
 * tables for those pages only.
 *
 * Context: may sleep; takes the mmap lock.
 */
void coppice_map_ahead(struct coppice_task *task)
{
	const struct coppice_image *image = task->group->image;
	unsigned int i;

	mmap_read_lock(task->mm);
	WRITE_ONCE(task->copying, true);
	for (i = 0; i < image->nr_segs && !fatal_signal_pending(current); i++)
		if (!image->segs[i].anon && (image->segs[i].prot & PROT_READ))
			prepare_segment(task, &image->segs[i]);
	WRITE_ONCE(task->copying, false);
	mmap_read_unlock(task->mm);
	atomic64_add(task->mapped, &task->group->mapped);
	atomic64_add(task->copied, &task->group->copied);
}
