// SPDX-License-Identifier: GPL-2.0
/*
 * Enter: replace the caller's memory by the group's image, as execve() does.
 *
 * All that can be refused is refused before the first mapping goes. What fails
 * after that kills the caller, whose memory is neither the old nor the new one.
 */
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>

#include "coppice.h"
#include "compat/mm.h"

static const char library_refusal[] =
	"The group's image is made of libraries and has no entry: adopt running tasks instead of entering";

static const char *owner_refusal(const struct coppice_group *group)
{
	if (!uid_eq(current_uid(), group->owner) ||
	    !uid_eq(current_euid(), group->owner))
		return "Only the group's owner may enter: change to the owner's user id first";
	return NULL;
}

static const char *state_refusal(void)
{
	if (get_nr_threads(current) != 1)
		return "The caller has several threads: enter from a process with one";
	if (current->vfork_done)
		return "The caller shares its parent's memory (vfork): fork before entering";
	if (coppice_rseq_registered())
		return "The caller has an rseq area that would vanish: unregister it first";
	if (in_compat_syscall())
		return "The caller is a 32-bit process: enter from a 64-bit one";
	return NULL;
}

static const char *range_refusal(const struct coppice_image *image,
				 const struct coppice_range *range,
				 unsigned long floor)
{
	const struct coppice_vseg *next;

	if (!range->len || !PAGE_ALIGNED(range->start) || !PAGE_ALIGNED(range->len))
		return "A range to keep is empty or not page-aligned: align its start and length";
	if (range->start >= TASK_SIZE || range->len > TASK_SIZE - range->start)
		return "A range to keep reaches into the kernel's addresses: keep it below the end of user memory";
	if (range->start < floor)
		return "The ranges to keep overlap or are not in order: sort them by address";
	next = coppice_image_find(image, range->start);
	if (next && next->start < range->start + range->len)
		return "A range to keep overlaps a segment of the image: move it elsewhere first";
	return NULL;
}

static const char *ranges_refusal(const struct coppice_image *image,
				  const struct coppice_range *ranges, u32 nr)
{
	unsigned long floor = 0;
	const char *why;
	u32 i;

	if (nr > COPPICE_KEEP_MAX)
		return "There are too many ranges to keep: merge adjacent ones";
	for (i = 0; i < nr; i++) {
		why = range_refusal(image, &ranges[i], floor);
		if (why)
			return why;
		floor = ranges[i].start + ranges[i].len;
	}
	return NULL;
}

static bool has_range(const struct coppice_range *ranges, u32 nr, unsigned long start,
		      unsigned long len)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (start >= ranges[i].start && start - ranges[i].start < ranges[i].len &&
		    len <= ranges[i].len - (start - ranges[i].start))
			return true;
	return false;
}

/* The ranges are good. */
static const char *saved_refusal(const struct coppice_enter *enter)
{
	if (!enter->saved_len)
		return NULL;
	if (enter->saved_len > COPPICE_SAVED_MAX)
		return "The content to be saved has more than 4 MiB: give the task shorter arguments or a smaller environment";
	if (!PAGE_ALIGNED(enter->saved) ||
	    !has_range(enter->keep, enter->nr_keep, enter->saved, enter->saved_len) ||
	    !has_range(enter->home, enter->nr_home, enter->saved, enter->saved_len))
		return "The content to be saved is not in what is kept: have it in a range to keep that is also in the home, from a page's start on";
	return NULL;
}

static const char *call_refusal(const struct coppice_image *image,
				const struct coppice_enter *enter)
{
	if (enter->flags & ~COPPICE_ENTER_NO_PREMAP)
		return "The call has unknown flags: use COPPICE_ENTER_NO_PREMAP or none";
	if (enter->pad)
		return "The padding is not zero: set it to 0";
	/* ioctl(2) returns an int, whatever the kernel's own functions do. */
	if (enter->cookie > INT_MAX || enter->reset_cookie > INT_MAX)
		return "The cookie does not fit into the result of a call: give an address below 2 GiB (MAP_32BIT)";
	return ranges_refusal(image, enter->keep, enter->nr_keep) ?:
	       ranges_refusal(image, enter->home, enter->nr_home) ?:
	       saved_refusal(enter);
}

static int unmap(unsigned long start, unsigned long end)
{
	return start < end ? vm_munmap(start, end - start) : 0;
}

static int unmap_rest(const struct coppice_enter *enter)
{
	unsigned long from = 0;
	unsigned int i;
	int err;

	for (i = 0; i < enter->nr_keep; i++) {
		err = unmap(from, enter->keep[i].start);
		if (err)
			return err;
		from = enter->keep[i].start + enter->keep[i].len;
	}
	return unmap(from, TASK_SIZE);
}

static int replace_memory(struct coppice_task *task, struct file *file,
			  const struct coppice_enter *enter)
{
	int err = unmap_rest(enter) ?: coppice_map_segments(task, file);

	if (err)
		return err;
	if (!(enter->flags & COPPICE_ENTER_NO_PREMAP)) {
		task->learner = coppice_learns(task->group);
		coppice_map_ahead(task);
	}
	return 0;
}

static void count_enter(struct coppice_task *task)
{
	struct coppice_group *group = task->group;

	spin_lock(&group->lock);
	coppice_count(&group->entered, 1);
	spin_unlock(&group->lock);
	coppice_task_entered(task);
}

static void remember_home(struct coppice_task *task, const struct coppice_enter *enter)
{
	task->nr_home = enter->nr_home;
	memcpy(task->home, enter->home, sizeof(task->home));
	task->home_sum = coppice_home_sum(task->mm, enter->keep, enter->nr_keep);
	task->reset_cookie = enter->reset_cookie;
}

/* Past the point of no return: success, or the caller dies. */
static long enter_image(struct coppice_task *task, struct file *file,
			const struct coppice_enter *enter)
{
	int err = replace_memory(task, file, enter);

	if (err) {
		send_sig(SIGKILL, current, 1);
		return err;
	}
	remember_home(task, enter);
	coppice_note_files(task);
	count_enter(task);
	coppice_start_image(task);
	return enter->cookie;
}

static long enter_task(struct coppice_task *task,
		       const struct coppice_enter *enter, const char **why)
{
	struct file *file;
	long ret;

	ret = coppice_home_save(task, enter, why);
	if (ret)
		return ret;
	file = coppice_map_file(task);
	if (IS_ERR(file)) {
		*why = "No memory for the mapping: free memory or raise the group's memory limit";
		return PTR_ERR(file);
	}
	*why = "The image could not be mapped: raise the limits on address space and mappings";
	ret = enter_image(task, file, enter);
	coppice_map_file_done(file);
	return ret;
}

/**
 * coppice_enter() - make the caller a task of a group
 * @group: the caller holds a reference
 * @enter: checked here
 * @why: set to a sentence on failure
 *
 * Context: process context of the caller, may sleep; takes the group's lock and
 * the mmap lock.
 * Return: the cookie, which the image's entry finds as the result of its "call";
 * or a negative error with the caller unchanged, or about to die.
 */
long coppice_enter(struct coppice_group *group,
		   const struct coppice_enter *enter, const char **why)
{
	struct coppice_task *task;
	long ret;

	*why = library_refusal;
	if (coppice_image_is_library(group->image))
		return -ENOEXEC;
	*why = owner_refusal(group);
	if (*why)
		return -EACCES;
	*why = state_refusal();
	if (*why)
		return -EBUSY;
	*why = call_refusal(group->image, enter);
	if (*why)
		return -EINVAL;
	task = coppice_task_enter(group, why);
	if (IS_ERR(task))
		return PTR_ERR(task);
	ret = enter_task(task, enter, why);
	coppice_task_close(task);
	return ret;
}
