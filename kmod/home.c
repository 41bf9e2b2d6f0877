// SPDX-License-Identifier: GPL-2.0
/*
 * Home: what a task keeps of its launcher beside the image, through an enter and each reset.
 *
 * The code that it resumes with calls the vDSO and believes the arguments, so nothing that an
 * event has mapped there may be taken for them. What was written a reset undoes, see
 * restore_home_vma(); what is mapped has to be what was kept, or the task ends.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/userfaultfd_k.h>
#include <linux/xxhash.h>

#include "coppice.h"
#include "compat/mm.h"

/* What a mapping is, wherever it was moved and however it was split. Without padding. */
struct kept {
	const void *ops;
	const void *special;	/* of the kernel's own mappings: which of them */
	const void *file;
	unsigned long ino;
	unsigned long first;	/* where the first page of a file is, less the start of the range */
	unsigned long flags;
	u32 generation;		/* a later file may lie where this one did, and not be it */
	u32 watched;		/* by somebody who decides what is there */
};

static struct kept kept_of(struct vm_area_struct *vma, const struct coppice_range *range)
{
	struct kept kept = {
		.ops = vma->vm_ops, .file = vma->vm_file,
		.flags = vma->vm_flags & (VM_ACCESS_FLAGS | VM_SHARED | VM_MAYSHARE),
		.watched = userfaultfd_armed(vma),
	};

	if (vma_is_anonymous(vma))
		return kept;
	kept.first = vma->vm_start - (vma->vm_pgoff << PAGE_SHIFT) - range->start;
	if (vma->vm_file) {
		kept.ino = file_inode(vma->vm_file)->i_ino;
		kept.generation = file_inode(vma->vm_file)->i_generation;
	} else {
		kept.special = vma->vm_private_data;
	}
	return kept;
}

static u64 range_sum(struct mm_struct *mm, const struct coppice_range *range)
{
	unsigned long addr = range->start, end = addr + range->len, start;
	struct vm_area_struct *vma;
	struct kept last = {}, kept;
	u64 sum = 0, mapped = 0;

	for (; (vma = find_vma(mm, addr)) && vma->vm_start < end; addr = vma->vm_end) {
		start = max_t(unsigned long, vma->vm_start, range->start);
		mapped += min(vma->vm_end, end) - start;
		kept = kept_of(vma, range);
		/* Parts of one, as mlock() makes them, are one. */
		if (start == addr && !memcmp(&kept, &last, sizeof(kept)))
			continue;
		sum = xxh64(&kept, sizeof(kept), sum + start - range->start);
		last = kept;
	}
	return sum + mapped;
}

/**
 * coppice_home_sum() - what is mapped in some ranges
 * @mm: current's
 * @ranges: apart from each other
 * @nr: number of @ranges
 *
 * Each range counts by what is where in it, and not by its own address or place among others: the
 * code that a task resumes with has moved some of them.
 *
 * Context: may sleep; takes the mmap lock.
 * Return: a sum that is another if something else is mapped there.
 */
u64 coppice_home_sum(struct mm_struct *mm, const struct coppice_range *ranges, u32 nr)
{
	u64 sum = 0;
	u32 i;

	mmap_read_lock(mm);
	for (i = 0; i < nr; i++)
		sum += range_sum(mm, &ranges[i]);
	mmap_read_unlock(mm);
	return sum;
}

/**
 * coppice_home_save() - note what a reset is to put back
 * @task: current's, entering
 * @enter: checked
 * @why: set to a sentence on failure
 *
 * Context: may sleep; takes the mmap lock by faults.
 * Return: 0, -ENOMEM or -EFAULT.
 */
int coppice_home_save(struct coppice_task *task, const struct coppice_enter *enter,
		      const char **why)
{
	if (!enter->saved_len)
		return 0;
	*why = "No memory for the content to be saved: free memory or raise the group's memory limit";
	task->saved = kvmalloc(enter->saved_len, GFP_KERNEL_ACCOUNT);
	if (!task->saved)
		return -ENOMEM;
	*why = "The content to be saved can't be read: have it in readable memory";
	if (copy_from_user(task->saved, u64_to_user_ptr(enter->saved), enter->saved_len))
		return -EFAULT;
	task->saved_at = (struct coppice_range) { enter->saved, enter->saved_len };
	return 0;
}

static void zap_between(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	start = max(start, vma->vm_start);
	end = min(end, vma->vm_end);
	if (start < end)
		coppice_zap(vma, start, end - start);
}

/**
 * coppice_home_clear() - take away what was written to anonymous memory that a reset keeps
 * @task: current's
 * @vma: in one of its home ranges
 *
 * But for the pages that coppice_home_restore() writes to.
 *
 * Context: the mmap lock is held for writing.
 */
void coppice_home_clear(const struct coppice_task *task, struct vm_area_struct *vma)
{
	unsigned long start = task->saved_at.start;

	zap_between(vma, 0, start);
	zap_between(vma, PAGE_ALIGN(start + task->saved_at.len), TASK_SIZE);
}

/**
 * coppice_home_pages() - how many pages the content that was put back is in
 * @task: current's
 * @pages: set to how many anonymous pages are left of what a reset keeps, when it was
 *
 * Context: under the mmap lock.
 * Return: false if it is not in anonymous memory, whatever its launcher has said.
 */
bool coppice_home_pages(const struct coppice_task *task, unsigned long *pages)
{
	unsigned long start = task->saved_at.start, len = PAGE_ALIGN(task->saved_at.len);
	struct vm_area_struct *vma;

	*pages = len >> PAGE_SHIFT;
	if (!len)
		return true;
	vma = find_vma(task->mm, start);
	return vma && vma->vm_start <= start && vma->vm_end - start >= len &&
	       vma_is_anonymous(vma);
}

/**
 * coppice_home_restore() - put back what coppice_home_save() has noted
 * @task: current's
 *
 * Of the last page the rest is cleared.
 *
 * Context: may sleep; takes the mmap lock by faults.
 * Return: 0 or -EFAULT.
 */
int coppice_home_restore(const struct coppice_task *task)
{
	unsigned long len = task->saved_at.len;
	char __user *start = u64_to_user_ptr(task->saved_at.start);

	if (!task->saved)
		return 0;
	if (copy_to_user(start, task->saved, len) ||
	    clear_user(start + len, PAGE_ALIGN(len) - len))
		return -EFAULT;
	return 0;
}
