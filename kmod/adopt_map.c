// SPDX-License-Identifier: GPL-2.0
/*
 * Replacing mappings of a process that runs.
 *
 * do_mmap() asks a file's get_unmapped_area() where it wants to be mapped, with the mmap
 * lock held for writing, and holds the lock until the old mapping has gone and the
 * new one is there. So a file that looks at the range when it is asked, and refuses what is
 * not equal to its own content, makes "compare and replace" one step: no thread of
 * the process sees anything in between, nor does a change come in between.
 *
 * Whoever writes through the mapping (a tracer, a breakpoint) makes a copy, which is
 * anonymous and stays. Whoever writes to the file behind a private mapping has no
 * promise from mmap(2) that it shows; files that are open for writing are left alone.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "coppice.h"
#include "compat/area.h"
#include "trace.h"

/* Most pages replaced in one step: what the process's own faults may have to wait for. */
#define STEP_PAGES	512
/* A mapping of its own costs memory too, and the process may only have so many. */
#define RUN_MIN		8

/* What a mapping may be, and be replaced. All else (locked, mseal, pkeys) is refused. */
#define FLAGS_KNOWN	(VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | \
			 VM_ACCOUNT | VM_NORESERVE | VM_SOFTDIRTY | VM_DONTCOPY | \
			 VM_DONTDUMP | VM_RAND_READ | VM_SEQ_READ | VM_HUGEPAGE | \
			 VM_NOHUGEPAGE | VM_MERGEABLE)
/* What mmap() does not set, and the new mapping has like the old one. */
#define FLAGS_KEPT	(VM_DONTCOPY | VM_DONTDUMP | VM_RAND_READ | VM_SEQ_READ)
#define FLAGS_MAY	(VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)

/**
 * struct adopted_file - the file of adopted mappings
 * @delta: page of the image, less the page of the file that was mapped before
 * @worker: who replaces a range by a mapping of the file right now
 * @adoption: what @worker is at; for it alone
 *
 * Its offsets are those of the file whose pages it replaces, so that what is read
 * in /proc/PID/maps still is the place in the library.
 */
struct adopted_file {
	unsigned long delta;
	struct task_struct *worker;
	struct adoption *adoption;
};

/**
 * struct adoption - a range that is being adopted
 * @group: whose image
 * @adopt: the request, and what is counted
 * @given_up: nobody waits for it any more
 * @why: the sentence, should it fail
 * @task: of the process, once there is something to adopt
 * @original: file of the mapping; reference
 * @flags: of the mapping
 * @pgoff: the mapping's page offset at the start of the range
 * @image_pgoff: the image's page offset there
 * @file: of the mappings that replace it; reference, once there is @task
 * @batch: room for STEP_PAGES pages
 */
struct adoption {
	struct coppice_group *group;
	struct coppice_adopt *adopt;
	const bool *given_up;
	const char **why;
	struct coppice_task *task;
	struct file *original;
	unsigned long flags;
	unsigned long pgoff;
	unsigned long image_pgoff;
	struct file *file;
	struct page **batch;
};

static unsigned long range_page(const struct adoption *adoption, unsigned long addr)
{
	return (addr - adoption->adopt->start) >> PAGE_SHIFT;
}

/* Where it lies in the file that was mapped, and in the image. */
static unsigned long range_pgoff(const struct adoption *adoption, unsigned long addr)
{
	return adoption->pgoff + range_page(adoption, addr);
}

static unsigned long range_image_pgoff(const struct adoption *adoption, unsigned long addr)
{
	return adoption->image_pgoff + range_page(adoption, addr);
}

static vm_fault_t adopted_fault(struct vm_fault *vmf)
{
	const struct adopted_file *file = vmf->vma->vm_file->private_data;
	struct coppice_task *task = vmf->vma->vm_private_data;
	struct page *page;

	page = coppice_image_page(task->group->image, vmf->pgoff + file->delta);
	if (!page)
		return VM_FAULT_SIGBUS;
	atomic64_inc(&task->faults);
	atomic64_inc(&task->group->faults);
	trace_coppice_fault(task, vmf->address, vmf->flags & FAULT_FLAG_WRITE);
	return coppice_fault_page(vmf, page);
}

static const struct vm_operations_struct adopted_vm_ops = {
	.open = coppice_vma_open,
	.close = coppice_vma_close,
	.fault = adopted_fault,
};

/*
 * Nothing may fail here: the old mapping has gone. What the process could not do
 * with it, like making it executable, it can't do with the new one.
 */
static int adopted_mmap(struct file *file, struct vm_area_struct *vma)
{
	const struct adopted_file *adopted = file->private_data;
	const struct adoption *adoption = adopted->adoption;

	if (READ_ONCE(adopted->worker) != current)
		return -EACCES;
	coppice_vm_flags_mod(vma, VM_MIXEDMAP | VM_DONTEXPAND | (adoption->flags & FLAGS_KEPT),
			     FLAGS_MAY & ~adoption->flags);
	vma->vm_ops = &adopted_vm_ops;
	vma->vm_private_data = adoption->task;
	coppice_task_open(adoption->task);
	return 0;
}

static int adopted_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

enum page_state { PAGE_EQUAL, PAGE_DIFFERENT, PAGE_PRIVATE, PAGE_ABSENT };

/*
 * Only what the page tables have, without a lock and without a fault: a fault may wait
 * for a file system that never answers.
 */
static enum page_state page_state(const struct adoption *adoption, unsigned long addr)
{
	struct page *wanted = coppice_image_page(adoption->group->image,
						 range_image_pgoff(adoption, addr));
	enum page_state state = PAGE_DIFFERENT;
	void *left, *right;
	struct page *page;

	if (get_user_pages_fast_only(addr, 1, 0, &page) != 1)
		return PAGE_ABSENT;
	if (PageAnon(page)) {
		state = PAGE_PRIVATE;
	} else {
		left = kmap_local_page(page);
		right = kmap_local_page(wanted);
		if (!memcmp(left, right, PAGE_SIZE))
			state = PAGE_EQUAL;
		kunmap_local(right);
		kunmap_local(left);
	}
	put_page(page);
	return state;
}

static const char *vma_refusal(const struct vm_area_struct *vma)
{
	if (!vma->vm_file || !S_ISREG(file_inode(vma->vm_file)->i_mode))
		return "The range is no mapping of a file: adopt what is mapped from one";
	if (vma->vm_flags & (VM_WRITE | VM_SHARED | VM_MAYSHARE))
		return "The mapping is writable or shared: only private read-only mappings are adopted";
	if (!(vma->vm_flags & VM_READ) || (vma->vm_flags & ~FLAGS_KNOWN))
		return "The mapping is locked, sealed, watched, not readable or a device's: only plain mappings are adopted";
	if (inode_is_open_for_write(file_inode(vma->vm_file)))
		return "The mapping's file is open for writing: adopt when it has been closed";
	return NULL;
}

/* The VMA that holds all of a range, which may have changed since anybody looked. */
static struct vm_area_struct *range_vma(unsigned long addr, unsigned long len)
{
	struct vm_area_struct *vma = find_vma(current->mm, addr);

	return vma && vma->vm_start <= addr && len <= vma->vm_end - addr ? vma : NULL;
}

/* Is the range still what the worker has looked at? Under the mmap lock. */
static bool range_unchanged(const struct adoption *adoption, unsigned long addr,
			    unsigned long len)
{
	struct vm_area_struct *vma = range_vma(addr, len);

	return vma && vma->vm_file == adoption->original &&
	       !((vma->vm_flags ^ adoption->flags) & ~VM_SOFTDIRTY) &&
	       linear_page_index(vma, addr) == range_pgoff(adoption, addr) &&
	       !vma_refusal(vma);
}

static bool range_equal(const struct adoption *adoption, unsigned long addr,
			unsigned long len)
{
	unsigned long end = addr + len;

	for (; addr < end; addr += PAGE_SIZE)
		if (page_state(adoption, addr) != PAGE_EQUAL)
			return false;
	return true;
}

/* Under the mmap lock, held for writing until the range has been replaced. */
static unsigned long adopted_area(struct file *file, unsigned long addr,
				  unsigned long len, unsigned long pgoff,
				  unsigned long flags)
{
	const struct adopted_file *adopted = file->private_data;

	/* mremap() of an adopted mapping asks too. */
	if (READ_ONCE(adopted->worker) != current)
		return coppice_default_area(file, addr, len, pgoff, flags);
	lockdep_assert_held_write(&current->mm->mmap_lock);
	if (!range_unchanged(adopted->adoption, addr, len) ||
	    !range_equal(adopted->adoption, addr, len))
		return -EAGAIN;
	return addr;
}

/* The owner pins the module as long as any VMA has the file. */
static const struct file_operations adopted_fops = {
	.owner = THIS_MODULE,
	.mmap = adopted_mmap,
	.get_unmapped_area = adopted_area,
	.release = adopted_release,
};

/* Tells whose pages these are and of what: anon_inode:coppice:IMAGE:libc.so.6 */
static struct file *adopted_open(const struct adoption *adoption)
{
	struct adopted_file *adopted;
	struct name_snapshot library;
	char name[COPPICE_FILE_NAME_SIZE];
	struct file *file;

	adopted = kzalloc(sizeof(*adopted), GFP_KERNEL_ACCOUNT);
	if (!adopted)
		return ERR_PTR(-ENOMEM);
	adopted->delta = adoption->image_pgoff - adoption->pgoff;
	take_dentry_name_snapshot(&library, adoption->original->f_path.dentry);
	scnprintf(name, sizeof(name), "coppice:%.20s:%s",
		  adoption->group->image->name, library.name.name);
	release_dentry_name_snapshot(&library);
	file = coppice_file_create(name, &adopted_fops, adopted, O_RDONLY, 0);
	if (IS_ERR(file))
		kfree(adopted);
	return file;
}

/* Once there is something to adopt, and before anything is replaced. */
static int adoption_begin(struct adoption *adoption)
{
	struct coppice_task *task;

	if (adoption->task)
		return 0;
	*adoption->why = "No memory for the mapping: free memory or raise the group's memory limit";
	adoption->file = adopted_open(adoption);
	if (IS_ERR(adoption->file))
		return PTR_ERR(adoption->file);
	task = coppice_task_adopt(adoption->group, current->mm, adoption->why);
	if (IS_ERR(task))
		return PTR_ERR(task);
	adoption->task = task;
	return 0;
}

static void adoption_end(struct adoption *adoption)
{
	if (!IS_ERR_OR_NULL(adoption->file))
		fput(adoption->file);
	if (adoption->task)
		coppice_task_close(adoption->task);
	if (adoption->original)
		fput(adoption->original);
	kfree(adoption->batch);
}

/* Spares the process a fault for each page: most of them it had mapped. */
static void map_run(const struct adoption *adoption, unsigned long addr,
		    unsigned long pages)
{
	unsigned long first = range_image_pgoff(adoption, addr);
	unsigned long i, left = pages;
	struct vm_area_struct *vma;

	for (i = 0; i < pages; i++)
		adoption->batch[i] = coppice_image_page(adoption->group->image, first + i);
	mmap_read_lock(current->mm);
	vma = range_vma(addr, pages << PAGE_SHIFT);
	/* Unless the process has changed it meanwhile. */
	if (vma && vma->vm_file == adoption->file &&
	    linear_page_index(vma, addr) == range_pgoff(adoption, addr))
		vm_insert_pages(vma, addr, adoption->batch, &left);
	mmap_read_unlock(current->mm);
}

static unsigned long replace_run(struct adoption *adoption, unsigned long addr,
				 unsigned long len)
{
	struct adopted_file *adopted = adoption->file->private_data;
	unsigned long pgoff = range_pgoff(adoption, addr);
	unsigned long prot = PROT_READ | (adoption->flags & VM_EXEC ? PROT_EXEC : 0);
	unsigned long flags = MAP_PRIVATE | MAP_FIXED;
	unsigned long at;

	if (adoption->flags & VM_NORESERVE)
		flags |= MAP_NORESERVE;
	adopted->adoption = adoption;
	WRITE_ONCE(adopted->worker, current);
	at = vm_mmap(adoption->file, addr, len, prot, flags, pgoff << PAGE_SHIFT);
	WRITE_ONCE(adopted->worker, NULL);
	adopted->adoption = NULL;
	return at;
}

/* After a failure: is the range mapped, whoever did it? */
static bool range_mapped(unsigned long addr, unsigned long len)
{
	bool mapped;

	mmap_read_lock(current->mm);
	mapped = range_vma(addr, len);
	mmap_read_unlock(current->mm);
	return mapped;
}

static int adopt_run(struct adoption *adoption, unsigned long addr, unsigned long pages)
{
	unsigned long len = pages << PAGE_SHIFT, at;
	int err = adoption_begin(adoption);

	if (err)
		return err;
	at = replace_run(adoption, addr, len);
	if (at == addr) {
		map_run(adoption, addr, pages);
		adoption->adopt->id = adoption->task->id;
		adoption->adopt->adopted += pages;
		coppice_task_adopted(adoption->task, pages);
		trace_coppice_adopt(adoption->task, addr, pages);
		return 0;
	}
	if (at == -EAGAIN) {
		/* Changed since it was compared: left as it is. */
		adoption->adopt->absent += pages;
		return 0;
	}
	*adoption->why = "The mapping could not be replaced: the process may have no more mappings, or there is no memory";
	/* Before 6.12 mmap() may fail after it has unmapped what was there. */
	return range_mapped(addr, len) ? (long)at : -EFAULT;
}

/* Compares up to STEP_PAGES pages, and notes which are equal. */
static void compare_step(struct adoption *adoption, unsigned long addr,
			 unsigned long pages, unsigned long *equal)
{
	unsigned long i;

	bitmap_zero(equal, STEP_PAGES);
	for (i = 0; i < pages; i++) {
		switch (page_state(adoption, addr + (i << PAGE_SHIFT))) {
		case PAGE_EQUAL:
			__set_bit(i, equal);
			break;
		case PAGE_DIFFERENT:
			adoption->adopt->different++;
			break;
		case PAGE_PRIVATE:
			adoption->adopt->private++;
			break;
		case PAGE_ABSENT:
			adoption->adopt->absent++;
			break;
		}
		cond_resched();
	}
}

static int adopt_step(struct adoption *adoption, unsigned long addr, unsigned long pages)
{
	unsigned long all = adoption->adopt->len >> PAGE_SHIFT;
	DECLARE_BITMAP(equal, STEP_PAGES);
	unsigned int from, to;
	int err;

	compare_step(adoption, addr, pages, equal);
	for_each_set_bitrange(from, to, equal, pages) {
		if (to - from < min_t(unsigned long, RUN_MIN, all)) {
			adoption->adopt->scattered += to - from;
			continue;
		}
		err = adopt_run(adoption, addr + ((unsigned long)from << PAGE_SHIFT),
				to - from);
		if (err)
			return err;
	}
	return 0;
}

static int adopt_steps(struct adoption *adoption)
{
	unsigned long end = adoption->adopt->start + adoption->adopt->len;
	unsigned long addr = adoption->adopt->start;
	unsigned long pages;
	int err = 0;

	for (; addr < end && !err; addr += pages << PAGE_SHIFT) {
		/* A process that is dying needs no memory saved. */
		if (READ_ONCE(*adoption->given_up) || atomic_read(&current->mm->mm_users) == 1)
			break;
		pages = min_t(unsigned long, (end - addr) >> PAGE_SHIFT, STEP_PAGES);
		err = adopt_step(adoption, addr, pages);
	}
	return err;
}

/* What the range is now; compared again before any of it is replaced. */
static int adoption_survey(struct adoption *adoption)
{
	const struct coppice_adopt *adopt = adoption->adopt;
	const struct coppice_vseg *seg = coppice_image_find(adoption->group->image,
							    adopt->image_addr);
	struct vm_area_struct *vma;

	adoption->image_pgoff = seg->pgoff + ((adopt->image_addr - seg->start) >> PAGE_SHIFT);
	*adoption->why = "The range is not one mapping: give a part of one";
	mmap_read_lock(current->mm);
	vma = range_vma(adopt->start, adopt->len);
	if (vma) {
		*adoption->why = vma_refusal(vma);
		adoption->original = vma->vm_file ? get_file(vma->vm_file) : NULL;
		adoption->flags = vma->vm_flags;
		adoption->pgoff = linear_page_index(vma, adopt->start);
	}
	mmap_read_unlock(current->mm);
	return *adoption->why ? -EINVAL : 0;
}

/**
 * coppice_adopt_range() - replace a range's pages that are equal to the image's
 * @group: whose image; held by the caller
 * @adopt: checked against the image; the counts are filled in
 * @given_up: set when nobody waits any more
 * @why: set to a sentence on failure
 *
 * Context: a kernel thread that uses the process's mm; takes the mmap lock.
 * Return: 0, or a negative error with every page mapped, old or new; but -EFAULT
 * if a part of the range was lost, so that the process can't go on.
 */
int coppice_adopt_range(struct coppice_group *group, struct coppice_adopt *adopt,
			const bool *given_up, const char **why)
{
	struct adoption adoption = {
		.group = group, .adopt = adopt, .given_up = given_up, .why = why,
	};
	int err;

	*why = "No memory for the adoption: free memory and try again";
	adoption.batch = kmalloc_array(STEP_PAGES, sizeof(*adoption.batch), GFP_KERNEL);
	if (!adoption.batch)
		return -ENOMEM;
	err = adoption_survey(&adoption) ?: adopt_steps(&adoption);
	adoption_end(&adoption);
	return err;
}
