// SPDX-License-Identifier: GPL-2.0
/*
 * Reset: a task is again what it was when it entered.
 *
 * What is mapped as the image has it stays mapped. Of its private pages those that the
 * task will write again are overwritten with the image's content, the others go: so the
 * cost follows what the task has changed. All else is unmapped or mapped anew. Like enter, it
 * refuses first and kills the caller if it fails later.
 */
#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/elf.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <asm/syscall.h>

#include "coppice.h"
#include "compat/mm.h"
#include "trace.h"

#define RESET_BATCH	128
/* For a task to come by: longer than any system call that a signal can't end. */
#define RESET_SECONDS	10

struct reset {
	struct coppice_task *task;
	struct file *file;	/* for segments to be mapped anew; made when needed */
	bool counted;		/* nothing is in the gaps, if all segments are intact */
	bool afresh;		/* which pages events write is to be learned anew */
	bool alone;		/* nobody else runs in the memory; under the mmap lock */
	bool in_place;		/* and the segment can't be executed */
	bool hinted;		/* private pages are looked for where hints are */
	bool learned;		/* there was one that had none */
	unsigned long overwritten, dropped;	/* pages of the image, for the trace */
	unsigned long next;	/* where a batch ended */
	unsigned int left;	/* pages until it is full */
	unsigned int nr;
	unsigned long addrs[RESET_BATCH];	/* of pages to be dropped */
};

static const char no_memory[] =
	"No memory for the reset: free memory or raise the group's memory limit";

static const char homeless[] =
	"The task was forked or entered without saying what a reset keeps: start it anew";

static bool runs_in(struct task_struct *process, const struct mm_struct *mm)
{
	struct task_struct *thread;

	for_each_thread(process, thread) {
		const struct mm_struct *its = READ_ONCE(thread->mm);

		if (its)
			return its == mm;
		/* It ends. Whom it started in its memory is to be seen behind it. */
		smp_rmb();
	}
	return false;
}

/*
 * Another process in this memory (clone() with CLONE_VM) would go on in it after the reset, with
 * what the last event left in its registers. As current_is_single_threaded() does, which is not
 * exported: new processes come last in the list, and only those in the memory can start one there.
 */
static bool is_shared(const struct mm_struct *mm)
{
	struct task_struct *process;
	bool shared = false;

	if (atomic_read(&mm->mm_users) == 1)
		return false;
	rcu_read_lock();
	for_each_process(process) {
		shared = process != current->group_leader && !(process->flags & PF_KTHREAD) &&
			 runs_in(process, mm);
		if (shared)
			break;
	}
	rcu_read_unlock();
	return shared;
}

static const char *task_refusal(const struct coppice_task *task)
{
	if (get_nr_threads(current) != 1)
		return "The task has several threads: end them before it is reset";
	if (current->vfork_done)
		return "The task shares its parent's memory (vfork): reset the parent";
	if (is_shared(current->mm))
		return "Another process runs in the task's memory (CLONE_VM): end it before the task is reset";
	return NULL;
}

/* A walk through what stays: segments and kept ranges, sorted and apart from each other. */
struct stays {
	const struct coppice_task *task;
	unsigned int seg, home;	/* the next ones */
	unsigned long from;	/* where the last one ended */
};

/* The end of user memory, when there is no other. */
static struct coppice_range next_stay(struct stays *stays)
{
	const struct coppice_task *task = stays->task;
	const struct coppice_image *image = task->group->image;
	const struct coppice_vseg *seg = image->segs + stays->seg;
	const struct coppice_range *home = task->home + stays->home;
	bool has_seg = stays->seg < image->nr_segs, has_home = stays->home < task->nr_home;

	if (has_home && !(has_seg && seg->start < home->start)) {
		stays->home++;
		return *home;
	}
	if (has_seg) {
		stays->seg++;
		return (struct coppice_range) { seg->start, seg->len };
	}
	return (struct coppice_range) { TASK_SIZE, 0 };
}

/* The next gap between what stays in which the task has mapped something. */
static bool next_used_gap(struct stays *stays, struct coppice_range *gap)
{
	VMA_ITERATOR(vmas, stays->task->mm, stays->from);
	struct mm_struct *mm = stays->task->mm;
	struct vm_area_struct *vma;
	struct coppice_range stay;
	bool used = false;

	mmap_read_lock(mm);
	vma = vma_next(&vmas);
	while (!used && vma && stays->from < TASK_SIZE) {
		stay = next_stay(stays);
		gap->start = stays->from;
		gap->len = stay.start - stays->from;
		used = gap->len && vma->vm_start < stay.start;
		stays->from = stay.start + stay.len;
		while (vma && vma->vm_end <= stays->from)
			vma = vma_next(&vmas);
	}
	mmap_read_unlock(mm);
	return used;
}

static int clear_gaps(const struct coppice_task *task)
{
	struct stays stays = { .task = task };
	struct coppice_range gap;
	int err = 0;

	while (!err && next_used_gap(&stays, &gap))
		err = vm_munmap(gap.start, gap.len);
	return err;
}

/*
 * Will the task write to the page again? Starts do, or events: it was changed before. One
 * reset in some finds out anew about the latter, so that the memory of a task is
 * not for ever what the largest of its events took.
 */
static bool written_again(struct reset *reset, unsigned long pgoff)
{
	const struct coppice_hints *hints = &reset->task->group->hints;

	if (test_bit(pgoff, hints->written))
		return true;
	if (test_bit(pgoff, hints->changed))
		return !reset->afresh;
	set_bit(pgoff, hints->changed);
	reset->learned = true;
	return false;
}

static bool only_mapped(struct page *page)
{
	if (page_ref_count(page) == 1)
		return true;
	return !folio_test_swapcache(page_folio(page)) && coppice_page_unused(page, 0);
}

/*
 * Give a private page the image's content in place: if it were taken away, the next event
 * would have it copied again. Under the page table's lock. Who else could notice?
 *
 * 1. Whoever shares the page, by fork or KSM: where a page is shared no page table entry is
 *    writable, the first to write gets a copy. This one is writable, and was written through.
 *    So the task could do by stores what is done here, and nobody can rely on it not
 *    to; a clean copy of the old content in the swap, or soft-dirty bits that miss this, can't be.
 * 2. Whoever holds a reference: a device's or io_uring's pin, a page in a pipe, an access
 *    of another process under way. They may read the page later, and must find what they took
 *    it for, or write to it what belongs to the last event. So nobody but the page table may have
 *    one, and who puts the page on the LRU lists or has taken it from there: the pages that were
 *    copied last are always on their way, and who takes one unmaps it before he looks at what is
 *    in it. A page in the swap cache goes.
 * 3. Whoever takes a reference now: through the page tables of this mm only its own threads
 *    can without the mmap lock, and the caller is the only one (coppice_runs_alone()). Who comes
 *    from the LRU lists wants to unmap the page, waits for this lock, and finds the new content.
 * 4. Whoever follows page tables by notifiers, or works on the mm from outside, writes to an
 *    address, whatever page is there: for that it makes no difference.
 *
 * Nothing is unmapped and no right changes, so there is nothing to flush in TLBs. Caches of
 * instructions that don't follow what is written are looked after when a page is mapped, which it
 * is not here: pages that can be executed go.
 */
static bool overwrite(const struct reset *reset, pte_t pte, unsigned long pgoff)
{
	struct page *page;

	if (!reset->in_place || !pte_present(pte) || !pte_write(pte) || !pte_dirty(pte))
		return false;
	page = pte_page(pte);
	if (!PageAnon(page) || PageCompound(page) || !only_mapped(page))
		return false;
	copy_highpage(page, coppice_image_page(reset->task->group->image, pgoff));
	flush_dcache_page(page);
	return true;
}

static int restore_page(pte_t pte, unsigned long addr, unsigned long pgoff, void *data)
{
	struct reset *reset = data;

	reset->next = addr;
	if (!reset->left--)
		return -ENOSPC;
	if (written_again(reset, pgoff) && overwrite(reset, pte, pgoff))
		reset->overwritten++;
	else
		reset->addrs[reset->nr++] = addr;
	return 0;
}

/* Neighbours go together: unmapping costs by the call. */
static void drop_collected(struct reset *reset, struct vm_area_struct *vma)
{
	unsigned int i, n;

	for (i = 0; i < reset->nr; i += n) {
		unsigned long addr = reset->addrs[i];

		for (n = 1; i + n < reset->nr; n++)
			if (reset->addrs[i + n] != addr + n * PAGE_SIZE)
				break;
		coppice_zap(vma, addr, n << PAGE_SHIFT);
	}
	reset->dropped += reset->nr;
}

/* What is dropped is not mapped again: who wrote to it once will most likely write first. */
static int restore_private(struct reset *reset, struct vm_area_struct *vma)
{
	int err;

	reset->next = vma->vm_start;
	reset->in_place = reset->alone && !(vma->vm_flags & VM_EXEC);
	do {
		reset->nr = 0;
		reset->left = RESET_BATCH;
		err = reset->hinted ?
			coppice_walk_hinted(vma, reset->next, restore_page, reset) :
			coppice_walk_private(vma, reset->next, restore_page, reset);
		drop_collected(reset, vma);
		cond_resched();
	} while (err == -ENOSPC);
	return err;
}

/* Only the zero page is mapped in fresh memory that has never been prepared for others. */
static int restore_content(struct reset *reset, const struct coppice_vseg *seg,
			   struct vm_area_struct *vma)
{
	if (!seg->anon)
		return restore_private(reset, vma);
	if (vma->anon_vma)
		coppice_zap(vma, seg->start, seg->len);
	return 0;
}

/* The segments from @seg on as far as they are mapped as they were; returns the next one. */
static const struct coppice_vseg *restore_run(struct reset *reset, const struct coppice_vseg *seg,
					      int *err)
{
	VMA_ITERATOR(vmas, reset->task->mm, seg->start);
	const struct coppice_image *image = reset->task->group->image;
	struct vm_area_struct *vma = vma_next(&vmas);

	for (; seg < image->segs + image->nr_segs; seg++) {
		while (vma && vma->vm_end <= seg->start)
			vma = vma_next(&vmas);
		if (!vma || !coppice_map_intact(reset->task, seg, vma))
			break;
		*err = restore_content(reset, seg, vma);
		if (*err)
			break;
	}
	return seg;
}

/*
 * All under one lock, which is for writing: a VMA's own lock would let faults in beside a
 * read lock.
 */
static const struct coppice_vseg *restore_intact(struct reset *reset,
						 const struct coppice_vseg *seg, int *err)
{
	struct mm_struct *mm = reset->task->mm;

	mmap_write_lock(mm);
	reset->alone = coppice_runs_alone(mm);
	seg = restore_run(reset, seg, err);
	mmap_write_unlock(mm);
	return seg;
}

/*
 * Most events write to pages that earlier ones have written to, too. If all of the task's
 * anonymous memory, by the kernel's count, is in pages that were overwritten and in the content
 * that was put back, nothing of the event is left, and the page tables need not be looked through
 * for more:
 *
 * 1. A private page is anonymous, and counted as long as it is mapped or being moved; one that
 *    was swapped out is in another count, which is added. Both are exact: what is left of them
 *    when a memory ends is told as a defect of the kernel's ("Bad rss-counter state").
 * 2. What was overwritten is mapped and anonymous, each page once, and so is what was put back.
 *    Were there any other, the count would be higher.
 * 3. Nobody adds one: the caller is the only one that runs in the memory, and that is locked.
 * 4. What is in no segment is gone, and fresh memory was emptied.
 *
 * Entries that stand for no page (one whose memory has failed) are in no count; they hold nothing,
 * and go when all is looked through again.
 */
static bool nothing_else(const struct reset *reset)
{
	unsigned long put_back;

	return coppice_home_pages(reset->task, &put_back) &&
	       coppice_mm_anonymous(reset->task->mm) == reset->overwritten + put_back;
}

static int count_page(pte_t pte, unsigned long addr, unsigned long pgoff, void *data)
{
	unsigned long *nr = data;

	(*nr)++;
	return 0;
}

/* Debug kernels look through all the same, to see that the count was right. */
static void see_that_nothing_is(const struct reset *reset)
{
	const struct coppice_group *group = reset->task->group;
	struct mm_struct *mm = reset->task->mm;
	struct vm_area_struct *vma;
	unsigned long addr = 0, nr = 0;

	if (!IS_ENABLED(CONFIG_DEBUG_VM))
		return;
	while ((vma = coppice_vma_next(mm, addr, group))) {
		coppice_walk_private(vma, vma->vm_start, count_page, &nr);
		addr = vma->vm_end;
	}
	WARN_ON_ONCE(nr != reset->overwritten);
}

/* False: all has to be looked through. */
static bool restore_hinted(struct reset *reset)
{
	const struct coppice_image *image = reset->task->group->image;
	struct mm_struct *mm = reset->task->mm;
	bool done = false;
	int err = 0;

	mmap_write_lock(mm);
	reset->alone = coppice_runs_alone(mm);
	reset->hinted = true;
	if (reset->alone && restore_run(reset, image->segs, &err) == image->segs + image->nr_segs)
		done = nothing_else(reset);
	if (done)
		see_that_nothing_is(reset);
	reset->hinted = false;
	mmap_write_unlock(mm);
	return done;
}

/* What was counted for a segment that is not intact may be in a gap. */
static int distrust_count(struct reset *reset)
{
	bool counted = reset->counted;

	reset->counted = false;
	return counted ? clear_gaps(reset->task) : 0;
}

static int map_anew(struct reset *reset, const struct coppice_vseg *seg)
{
	int err = vm_munmap(seg->start, seg->len) ?: distrust_count(reset);

	if (err)
		return err;
	if (!seg->anon && !reset->file) {
		struct file *file = coppice_map_file(reset->task);

		if (IS_ERR(file))
			return PTR_ERR(file);
		reset->file = file;
	}
	return coppice_map_segment(seg, reset->file);
}

static int restore_segments(struct reset *reset)
{
	const struct coppice_image *image = reset->task->group->image;
	const struct coppice_vseg *seg = image->segs, *end = seg + image->nr_segs;
	int err = 0;

	if (reset->task->settled && !reset->afresh && restore_hinted(reset))
		return 0;
	reset->overwritten = 0;
	reset->dropped = 0;
	while (seg < end) {
		seg = restore_intact(reset, seg, &err);
		if (!err && seg < end)
			err = map_anew(reset, seg++);
		if (err)
			return err;
	}
	/* All is looked through for what an event is the first to change. */
	reset->task->settled = !reset->learned;
	return 0;
}

/*
 * What the task wrote to its arguments, and to the kernel's own mappings: it may make the vDSO
 * writable, and has a copy then. Only those have neither a file nor fresh memory.
 */
static void restore_home_vma(const struct coppice_task *task, struct vm_area_struct *vma)
{
	bool kernels = !vma->vm_file && !vma_is_anonymous(vma);

	if (kernels && vma->anon_vma)
		coppice_zap(vma, vma->vm_start, vma->vm_end - vma->vm_start);
	if (vma_is_anonymous(vma) && vma->anon_vma)
		coppice_home_clear(task, vma);
	if (vma->vm_file && !(vma->vm_flags & (VM_SHARED | VM_SPECIAL)) && !is_vm_hugetlb_page(vma))
		coppice_zap(vma, vma->vm_start, vma->vm_end - vma->vm_start);
}

/* Returns the number of its mappings. */
static unsigned int restore_range(const struct coppice_task *task, const struct coppice_range *home)
{
	unsigned long addr = home->start, end = addr + home->len;
	struct mm_struct *mm = task->mm;
	struct vm_area_struct *vma;
	unsigned int nr = 0;

	for (; (vma = find_vma(mm, addr)) && vma->vm_start < end; addr = vma->vm_end) {
		restore_home_vma(task, vma);
		/* One that has grown, by another beside it, is not counted as of the range. */
		nr += vma->vm_start >= home->start && vma->vm_end <= end;
	}
	return nr;
}

/*
 * Also finds out if nothing else is mapped than what stays, without going through it: a segment
 * that is intact is one mapping, and so are none left for the gaps.
 */
static void restore_home(struct reset *reset)
{
	const struct coppice_task *task = reset->task;
	unsigned int i, nr = task->group->image->nr_segs;

	mmap_write_lock(task->mm);
	for (i = 0; i < task->nr_home; i++)
		nr += restore_range(task, &task->home[i]);
	reset->counted = task->mm->map_count == nr;
	mmap_write_unlock(task->mm);
}

static bool home_kept(const struct coppice_task *task)
{
	return coppice_home_sum(task->mm, task->home, task->nr_home) == task->home_sum;
}

static int restore_memory(struct reset *reset, const char **why)
{
	int err = 0;

	if (!home_kept(reset->task)) {
		*why = "The task has mapped something in place of what a reset keeps: it is killed, start another";
		return -EPERM;
	}
	restore_home(reset);
	if (!reset->counted)
		err = clear_gaps(reset->task);
	err = err ?: coppice_home_restore(reset->task) ?: restore_segments(reset);
	if (reset->file)
		coppice_map_file_done(reset->file);
	return err;
}

/* As a new program: nothing in registers, no signal before the image's code wants any. */
static void restart_thread(const struct coppice_task *task)
{
	sigset_t all;

	sigfillset(&all);
	/* Within the kernel nobody leaves them out: whoever has them blocked can't be killed. */
	sigdelsetmask(&all, sigmask(SIGKILL) | sigmask(SIGSTOP));
	sigprocmask(SIG_BLOCK, &all, NULL);
	coppice_rseq_forget();
	ELF_PLAT_INIT(current_pt_regs(), 0);
	coppice_start_image(task);
}

static long reset_task(struct coppice_task *task, const char **why)
{
	struct reset *reset;
	int err;

	*why = task_refusal(task);
	if (*why)
		return -EBUSY;
	*why = homeless;
	if (!task->nr_home)
		return -EINVAL;
	*why = no_memory;
	reset = kzalloc(sizeof(*reset), GFP_KERNEL);
	if (!reset)
		return -ENOMEM;
	reset->task = task;
	reset->afresh = task->resets % COPPICE_LEARN_EVERY == COPPICE_LEARN_EVERY - 1;
	err = restore_memory(reset, why);
	trace_coppice_task_reset(task, reset->overwritten, reset->dropped);
	kfree(reset);
	if (err) {
		send_sig(SIGKILL, current, 1);
		return err;
	}
	restart_thread(task);
	coppice_count(&task->resets, 1);
	atomic64_inc(&task->group->resets);
	return task->reset_cookie;
}

static long reset_caller(struct coppice_group *group, bool asked, const char **why)
{
	struct coppice_task *task = coppice_task_find(group, current->mm);
	long ret = -EAGAIN;

	if (!task) {
		*why = "The caller is no task of this group: enter it first";
		return -ESRCH;
	}
	*why = "The task is still starting: try again when it is ready";
	if (!asked || READ_ONCE(task->ready))
		ret = reset_task(task, why);
	coppice_task_close(task);
	return ret;
}

/**
 * coppice_reset() - make the calling task what it was when it entered
 * @group: the caller holds a reference
 * @why: set to a sentence on failure
 *
 * Context: process context of the task, may sleep; takes the mmap lock.
 * Return: the reset cookie, which the image's entry finds as the result of its
 * "call"; or a negative error with the caller unchanged, or about to die.
 */
long coppice_reset(struct coppice_group *group, const char **why)
{
	return reset_caller(group, false, why);
}

/*
 * From outside: the task does it to itself on its way back to user mode, while the caller
 * waits. Who gives up waiting leaves the request to the task. Not before the task is ready:
 * until then what it keeps is not yet in its place (the vDSO is where the launcher had it,
 * and would be unmapped), and there is nothing of an event to remove.
 */
struct remote {
	struct kref ref;	/* the caller, the task */
	struct callback_head work;
	struct coppice_group *group;
	struct mm_struct *mm;	/* kept from being another's, not from ending */
	struct file *pin;	/* keeps the module until after remote_work() */
	struct completion done;
	long ret;
	const char *why;
};

static void remote_free(struct kref *ref)
{
	struct remote *remote = container_of(ref, struct remote, ref);

	coppice_group_put(remote->group);
	mmdrop(remote->mm);
	kfree(remote);
}

static void remote_work(struct callback_head *work)
{
	struct remote *remote = container_of(work, struct remote, work);
	struct file *pin = remote->pin;

	remote->ret = -EINTR;
	/* The process may have become another program meanwhile, or even another task. */
	if (current->mm == remote->mm && !(current->flags & PF_EXITING))
		remote->ret = reset_caller(remote->group, true, &remote->why);
	if (remote->ret > 0)
		syscall_set_return_value(current, current_pt_regs(), 0, remote->ret);
	/* It is this task that is interrupted, for good, and not who asked. */
	if (remote->ret == -EINTR) {
		remote->ret = -ESRCH;
		remote->why = "The task has ended";
	}
	complete(&remote->done);
	kref_put(&remote->ref, remote_free);
	/* The last of this code that runs: the file is released after its return. */
	fput(pin);
}

static const struct file_operations pin_fops = { .owner = THIS_MODULE };

static struct remote *remote_create(struct coppice_group *group, struct mm_struct *mm)
{
	struct remote *remote = kzalloc(sizeof(*remote), GFP_KERNEL);

	if (!remote)
		return NULL;
	remote->pin = anon_inode_getfile("[coppice-reset]", &pin_fops, NULL, O_RDONLY);
	if (IS_ERR(remote->pin)) {
		kfree(remote);
		return NULL;
	}
	kref_init(&remote->ref);
	kref_get(&remote->ref);
	init_task_work(&remote->work, remote_work);
	init_completion(&remote->done);
	coppice_group_hold(group);
	remote->group = group;
	mmgrab(mm);
	remote->mm = mm;
	return remote;
}

/* Whoever is interrupted is told that it takes too long: netlink has no answer to -EINTR. */
static int remote_wait(struct remote *remote, const char **why)
{
	long left = wait_for_completion_interruptible_timeout(&remote->done,
							      RESET_SECONDS * HZ);

	*why = "The task does not run (is it stopped or frozen?): it is reset as soon as it does";
	if (left <= 0)
		return -ETIMEDOUT;
	*why = remote->why;
	return remote->ret < 0 ? remote->ret : 0;
}

/*
 * The process that the memory is of, with a reference. Not to be asked for that of a fork: it is
 * the memory's from before it is finished, and until then loses what it is asked to do, or
 * is freed, whoever has a reference.
 */
static struct task_struct *mm_process(struct mm_struct *mm)
{
	struct task_struct *process;

	rcu_read_lock();
	process = rcu_dereference(mm->owner);
	if (process)
		get_task_struct(process);
	rcu_read_unlock();
	return process;
}

/**
 * coppice_reset_remote() - reset a task from outside
 * @group: its group; the caller holds a reference
 * @mm: its memory, held by mm_users
 * @why: set to a sentence on failure
 *
 * Context: may sleep, for as long as the task takes to leave the kernel.
 * Return: 0 or a negative error as from coppice_reset(); -EAGAIN if the task is not
 * ready; -ETIMEDOUT if it has not come by yet, and will be reset when it does.
 */
int coppice_reset_remote(struct coppice_group *group, struct mm_struct *mm,
			 const char **why)
{
	struct task_struct *process;
	struct remote *remote;
	int err = -ESRCH;

	*why = homeless;
	if (coppice_task_forked(group, mm))
		return -EINVAL;
	*why = no_memory;
	remote = remote_create(group, mm);
	if (!remote)
		return -ENOMEM;
	*why = "There is no such task: it may have ended";
	process = mm_process(mm);
	if (process) {
		err = task_work_add(process, &remote->work, TWA_SIGNAL);
		put_task_struct(process);
	}
	if (err) {
		fput(remote->pin);
		kref_put(&remote->ref, remote_free);
	} else {
		err = remote_wait(remote, why);
	}
	kref_put(&remote->ref, remote_free);
	return err;
}
