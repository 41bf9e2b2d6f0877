// SPDX-License-Identifier: GPL-2.0
/*
 * Mapping an image: what the VMAs of a task do.
 *
 * A private mapping of a file that nobody can open: the core mm copies a
 * page on the first write, so a store page is never writable in any page table, and
 * every other way to write (ptrace, /proc/PID/mem, pins) goes through the same
 * copy. VM_MIXEDMAP lets pages be mapped in batches ahead of any fault.
 */
#include <linux/anon_inodes.h>
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "coppice.h"
#include "compat/mm.h"
#include "trace.h"

#define AHEAD_BATCH	128
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

/*
 * Map what lies around a page that is read, in its page table, as the page cache
 * does it. Not while the task starts: what a start touches is learned from its
 * faults, page by page.
 */
static void map_around(struct coppice_task *task, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long window = AROUND_PAGES << PAGE_SHIFT;
	unsigned long addr = max(round_down(vmf->address, window), vma->vm_start);
	unsigned long end = min(round_down(vmf->address, window) + window, vma->vm_end);

	for (; addr < end; addr += PAGE_SIZE) {
		struct page *page = coppice_image_page(task->group->image,
						       linear_page_index(vma, addr));

		/* Refused where something is mapped: that stays. */
		if (page && addr != vmf->address)
			vm_insert_page(vma, addr, page);
	}
}

/* What is copied ahead comes through here too, and is no fault of the task's. */
static void count_fault(struct coppice_task *task, struct vm_fault *vmf)
{
	if (task->copying)
		return;
	atomic64_inc(&task->faults);
	atomic64_inc(&task->group->faults);
	trace_coppice_fault(task, vmf->address, vmf->flags & FAULT_FLAG_WRITE);
}

static vm_fault_t segment_fault(struct vm_fault *vmf)
{
	struct coppice_task *task = vmf->vma->vm_private_data;
	unsigned long *touched = task->group->hints.touched;
	struct page *page;

	page = coppice_image_page(task->group->image, vmf->pgoff);
	if (!page)
		return VM_FAULT_SIGBUS;
	if (READ_ONCE(task->ready)) {
		if (!(vmf->flags & FAULT_FLAG_WRITE))
			map_around(task, vmf);
	} else if (!test_bit(vmf->pgoff, touched)) {
		set_bit(vmf->pgoff, touched);
	}
	count_fault(task, vmf);
	get_page(page);
	vmf->page = page;
	return 0;
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
	coppice_vm_flags_set(vma, VM_MIXEDMAP | VM_DONTEXPAND);
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
	return anon_inode_getfile(name, &segment_fops, task, O_RDWR);
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
 * coppice_map_segment() - map one segment where nothing is in its way
 * @seg: of the image of the file's task
 * @file: from coppice_map_file(); not needed for an anonymous segment
 *
 * Context: may sleep; takes the mmap lock of current's mm.
 * Return: 0 or a negative error.
 */
int coppice_map_segment(const struct coppice_vseg *seg, struct file *file)
{
	unsigned long flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE | MAP_NORESERVE;
	unsigned long addr;

	if (seg->anon)
		addr = vm_mmap(NULL, seg->start, seg->len, seg->prot,
			       flags | MAP_ANONYMOUS, 0);
	else
		addr = vm_mmap(file, seg->start, seg->len, seg->prot, flags,
			       seg->pgoff << PAGE_SHIFT);
	if (IS_ERR_VALUE(addr))
		return addr;
	return addr == seg->start ? 0 : -EEXIST;
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

	for (i = 0; i < image->nr_segs; i++) {
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
 * @vma: maps an image
 * @addr: first address, in @vma
 * @batch: room for @nr pages, overwritten
 * @nr: pages, all of them in @vma
 *
 * Spares the faults; what can't be mapped is a fault later, no error.
 *
 * Context: under the mmap lock; may sleep.
 */
void coppice_map_again(struct vm_area_struct *vma, unsigned long addr,
		       struct page **batch, unsigned long nr)
{
	struct coppice_task *task = vma->vm_private_data;
	unsigned long pgoff = linear_page_index(vma, addr);
	unsigned long i, left = nr;

	for (i = 0; i < nr; i++)
		batch[i] = coppice_image_page(task->group->image, pgoff + i);
	vm_insert_pages(vma, addr, batch, &left);
}

/* Is [addr, addr + len) one of the task's own mappings, as it was mapped? */
static struct vm_area_struct *segment_vma(struct coppice_task *task,
					  unsigned long addr, unsigned long len,
					  unsigned long pgoff)
{
	struct vm_area_struct *vma = find_vma(task->mm, addr);

	if (!vma || vma->vm_ops != &segment_vm_ops ||
	    vma->vm_private_data != task)
		return NULL;
	if (vma->vm_start > addr || vma->vm_end - addr < len)
		return NULL;
	if (vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT) != pgoff)
		return NULL;
	return vma;
}

/* What a mapping of a segment has, and what the kernel adds by itself. */
#define SEGMENT_FLAGS	(VM_READ | VM_WRITE | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | \
			 VM_MIXEDMAP | VM_DONTEXPAND | VM_NORESERVE | VM_ACCOUNT | VM_SOFTDIRTY)

/**
 * coppice_map_intact() - is a segment mapped as it was when the task entered?
 * @task: current's
 * @seg: with pages, of its image
 *
 * Not if it was split, moved, given another protection, advised or locked.
 *
 * Context: under the mmap lock.
 */
bool coppice_map_intact(struct coppice_task *task, const struct coppice_vseg *seg)
{
	struct vm_area_struct *vma = segment_vma(task, seg->start, seg->len, seg->pgoff);
	unsigned long prot;

	if (!vma || vma->vm_end - vma->vm_start != seg->len)
		return false;
	prot = calc_vm_prot_bits(seg->prot, 0);
	return (vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) == prot &&
	       !(vma->vm_flags & ~SEGMENT_FLAGS);
}

/* Maps up to a batch of pages; returns how many of them lie behind it now. */
static unsigned long map_run(struct coppice_task *task, unsigned long addr,
			     unsigned long pgoff, unsigned long pages,
			     struct page **batch)
{
	struct coppice_image *image = task->group->image;
	unsigned long i, n = min_t(unsigned long, pages, AHEAD_BATCH), left = n;
	struct vm_area_struct *vma;

	for (i = 0; i < n; i++)
		batch[i] = coppice_image_page(image, pgoff + i);
	mmap_read_lock(task->mm);
	vma = segment_vma(task, addr, n << PAGE_SHIFT, pgoff);
	/* A page that can't be mapped ahead is a fault later, no error. */
	if (vma)
		vm_insert_pages(vma, addr, batch, &left);
	mmap_read_unlock(task->mm);
	task->mapped += n - left;
	return n;
}

typedef unsigned long (*run_fn)(struct coppice_task *task, unsigned long addr,
				unsigned long pgoff, unsigned long pages,
				struct page **batch);

/* First bit from @from on that is set in @bits and, if there is one, not in @skip. */
static unsigned long run_begin(const unsigned long *bits, const unsigned long *skip,
			       unsigned long end, unsigned long from)
{
	from = find_next_bit(bits, end, from);
	while (skip && from < end && test_bit(from, skip))
		from = find_next_bit(bits, end, from + 1);
	return from;
}

static unsigned long run_end(const unsigned long *bits, const unsigned long *skip,
			     unsigned long end, unsigned long from)
{
	unsigned long stop = find_next_zero_bit(bits, end, from);

	return skip ? find_next_bit(skip, stop, from) : stop;
}

/* Calls @fn for the runs of set bits that lie in @seg. */
static void segment_runs(struct coppice_task *task,
			 const struct coppice_vseg *seg, const unsigned long *bits,
			 const unsigned long *skip, run_fn fn, struct page **batch)
{
	unsigned long from = seg->pgoff;
	unsigned long end = from + (seg->len >> PAGE_SHIFT);
	unsigned long stop;

	for (;;) {
		from = run_begin(bits, skip, end, from);
		if (from >= end || fatal_signal_pending(current))
			return;
		stop = run_end(bits, skip, end, from);
		from += fn(task,
			   seg->start + ((from - seg->pgoff) << PAGE_SHIFT),
			   from, stop - from, batch);
		cond_resched();
	}
}

#define WRITABLE	(PROT_READ | PROT_WRITE)

/* @skip, if any, counts for segments that can be written. */
static void image_runs(struct coppice_task *task, const unsigned long *bits,
		       const unsigned long *skip, unsigned int prot, run_fn fn)
{
	const struct coppice_image *image = task->group->image;
	struct page **batch;
	unsigned int i;

	batch = kmalloc_array(AHEAD_BATCH, sizeof(*batch), GFP_KERNEL);
	if (!batch)
		return;
	for (i = 0; i < image->nr_segs; i++) {
		const struct coppice_vseg *seg = &image->segs[i];

		if (!seg->anon && (seg->prot & prot) == prot)
			segment_runs(task, seg, bits,
				     (seg->prot & WRITABLE) == WRITABLE ? skip : NULL,
				     fn, batch);
	}
	kfree(batch);
}

/**
 * coppice_map_ahead() - map the pages that earlier tasks touched as they started
 * @task: entering, its segments are mapped
 *
 * Costs page tables for those pages only, and spares a fault for each. Not those
 * that coppice_copy_ahead() will copy.
 *
 * Context: may sleep; takes the mmap lock.
 */
void coppice_map_ahead(struct coppice_task *task)
{
	struct coppice_group *group = task->group;

	image_runs(task, group->hints.touched,
		   task->learner ? NULL : group->hints.written, PROT_READ, map_run);
	atomic64_add(task->mapped, &group->mapped);
}

static unsigned long copy_run(struct coppice_task *task, unsigned long addr,
			      unsigned long pgoff, unsigned long pages,
			      struct page **batch)
{
	unsigned long n = min_t(unsigned long, pages, AHEAD_BATCH);
	int i, got = get_user_pages_fast(addr, n, FOLL_WRITE, batch);

	for (i = 0; i < got; i++)
		put_page(batch[i]);
	if (got > 0)
		task->copied += got;
	return n;
}

/**
 * coppice_copy_ahead() - copy the pages that every earlier task wrote as it started
 * @task: entering, its segments are mapped
 *
 * The copies are the core mm's own: a write fault without the exception. Not
 * for a learner, which shows what it writes by itself.
 *
 * Context: may sleep; takes the mmap lock.
 */
void coppice_copy_ahead(struct coppice_task *task)
{
	struct coppice_group *group = task->group;

	if (task->learner)
		return;
	task->copying = true;
	image_runs(task, group->hints.written, NULL, WRITABLE, copy_run);
	task->copying = false;
	atomic64_add(task->copied, &group->copied);
}
