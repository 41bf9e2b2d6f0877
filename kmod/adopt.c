// SPDX-License-Identifier: GPL-2.0
/*
 * Adopt: a running process becomes a task of a group whose image has the content of
 * files that it maps.
 *
 * The caller of the operation is another process, and mappings are replaced by who uses
 * the mm. So a worker borrows it, and the caller waits: not for ever, since the
 * process's own threads decide how long they hold the mmap lock.
 */
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/kref.h>
#include <linux/kthread.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "coppice.h"

/* So many times longer takes a kernel that looks after each access. */
#define SLOWNESS	(IS_ENABLED(CONFIG_KCSAN) || IS_ENABLED(CONFIG_KASAN) ? 10 : 1)
/* That a caller waits for a range. Even an emulated CPU compares gigabytes in it. */
#define PATIENCE	(SLOWNESS * 20 * HZ)

static struct workqueue_struct *workers;

/**
 * struct adopt_job - a range to adopt
 * @ref: the caller's and the worker's
 * @work: of the worker
 * @done: the results are there
 * @group: reference
 * @process: reference; leader of the thread group
 * @mm: of @process, held until the worker has ended
 * @adopt: the request and, when done, the result
 * @why: the result's sentence
 * @err: the result
 * @given_up: the caller waits no more
 */
struct adopt_job {
	struct kref ref;
	struct work_struct work;
	struct completion done;
	struct coppice_group *group;
	struct task_struct *process;
	struct mm_struct *mm;
	struct coppice_adopt adopt;
	const char *why;
	int err;
	bool given_up;
};

static void job_release(struct kref *ref)
{
	struct adopt_job *job = container_of(ref, struct adopt_job, ref);

	put_task_struct(job->process);
	coppice_group_put(job->group);
	kfree(job);
}

/* Not what the process has become by exec, which takes the same lock. */
static void kill_users(struct task_struct *process, const struct mm_struct *mm)
{
	struct task_struct *thread;

	rcu_read_lock();
	for_each_thread(process, thread) {
		task_lock(thread);
		if (thread->mm == mm)
			send_sig(SIGKILL, thread, 1);
		task_unlock(thread);
	}
	rcu_read_unlock();
}

static void job_work(struct work_struct *work)
{
	struct adopt_job *job = container_of(work, struct adopt_job, work);

	kthread_use_mm(job->mm);
	job->err = coppice_adopt_range(job->group, &job->adopt, &job->given_up, &job->why);
	kthread_unuse_mm(job->mm);
	/* Neither the old mapping nor the new one: as with a failed enter. */
	if (job->err == -EFAULT)
		kill_users(job->process, job->mm);
	/* The last user, if the process has ended: its mappings go here. */
	mmput(job->mm);
	complete(&job->done);
	kref_put(&job->ref, job_release);
	/* The workqueue is destroyed, so waited for, before this text goes. */
	module_put(THIS_MODULE);
}

static bool runs_as(const struct cred *cred, kuid_t owner)
{
	return uid_eq(cred->uid, owner) && uid_eq(cred->euid, owner) &&
	       uid_eq(cred->suid, owner) && uid_eq(cred->fsuid, owner);
}

static bool process_runs_as(struct task_struct *process, kuid_t owner)
{
	struct task_struct *thread;
	bool all = true;

	rcu_read_lock();
	for_each_thread(process, thread)
		all = all && runs_as(__task_cred(thread), owner);
	rcu_read_unlock();
	return all;
}

/* An exec changes memory first and user ids then: not in between. */
static struct mm_struct *process_mm(struct task_struct *process, kuid_t owner,
				    const char **why)
{
	struct rw_semaphore *lock = &process->signal->exec_update_lock;
	struct mm_struct *mm;

	if (down_read_killable(lock))
		return ERR_PTR(-EINTR);
	mm = get_task_mm(process);
	if (!mm) {
		*why = "The process has no memory: it has ended, or is the kernel's";
		mm = ERR_PTR(-ESRCH);
	} else if (!process_runs_as(process, owner)) {
		*why = "The process does not run as the group's owner: all its user ids must be the owner's";
		mmput(mm);
		mm = ERR_PTR(-EACCES);
	}
	up_read(lock);
	return mm;
}

static struct task_struct *process_find(pid_t nr)
{
	struct pid *pid = find_get_pid(nr);
	struct task_struct *process = get_pid_task(pid, PIDTYPE_TGID);

	put_pid(pid);
	return process;
}

static struct adopt_job *job_new(struct coppice_group *group,
				 const struct coppice_adopt *adopt, const char **why)
{
	struct adopt_job *job = kzalloc(sizeof(*job), GFP_KERNEL);

	*why = "No memory for the adoption: free memory and try again";
	if (!job)
		return ERR_PTR(-ENOMEM);
	*why = "There is no such process: it may have ended";
	job->process = process_find(adopt->pid);
	if (!job->process) {
		kfree(job);
		return ERR_PTR(-ESRCH);
	}
	kref_init(&job->ref);
	INIT_WORK(&job->work, job_work);
	init_completion(&job->done);
	coppice_group_hold(group);
	job->group = group;
	job->adopt = *adopt;
	return job;
}

/* The worker's references: to the job, and to the module should the caller be gone. */
static int job_start(struct adopt_job *job, const char **why)
{
	struct mm_struct *mm = process_mm(job->process, job->group->owner, why);

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	if (!try_module_get(THIS_MODULE)) {
		*why = "The module is being removed: load it again";
		mmput(mm);
		return -ENODEV;
	}
	job->mm = mm;
	kref_get(&job->ref);
	queue_work(workers, &job->work);
	return 0;
}

static int job_wait(struct adopt_job *job, struct coppice_adopt *adopt,
		    const char **why)
{
	long left = wait_for_completion_killable_timeout(&job->done, PATIENCE);

	if (left > 0) {
		*adopt = job->adopt;
		*why = job->why;
		return job->err;
	}
	WRITE_ONCE(job->given_up, true);
	*why = "The process holds its memory map locked: try again when it is less busy";
	return left ?: -EBUSY;
}

static const char *range_refusal(const struct coppice_image *image,
				 const struct coppice_adopt *adopt)
{
	unsigned long addr = adopt->image_addr;
	const struct coppice_vseg *seg;

	if (!coppice_image_is_library(image))
		return "The group's image is made of a template: build one from ELF files to adopt with";
	if (!adopt->len || !PAGE_ALIGNED(adopt->start) || !PAGE_ALIGNED(adopt->len))
		return "The range is empty or not page-aligned: align its address and length";
	if (adopt->start >= TASK_SIZE || adopt->len > TASK_SIZE - adopt->start)
		return "The range reaches into the kernel's addresses: keep it below the end of user memory";
	seg = coppice_image_find(image, addr);
	if (!PAGE_ALIGNED(addr) || !seg || seg->start > addr ||
	    adopt->len > seg->start + seg->len - addr)
		return "The range does not lie in a segment of the image: give an image address in one, with as much behind it";
	return NULL;
}

/**
 * coppice_adopt() - replace pages of a process by the image's equal ones
 * @group: whose image; the caller holds a reference
 * @adopt: the range; the counts are filled in
 * @why: set to a sentence on failure
 *
 * The process becomes a task of the group when the first page is replaced. It goes
 * on running meanwhile, and may end at any moment.
 *
 * Context: process context, may sleep; no lock is held.
 * Return: 0, also if no page was equal, or a negative error.
 */
int coppice_adopt(struct coppice_group *group, struct coppice_adopt *adopt,
		  const char **why)
{
	struct adopt_job *job;
	int err;

	*why = range_refusal(group->image, adopt);
	if (*why)
		return -EINVAL;
	job = job_new(group, adopt, why);
	if (IS_ERR(job))
		return PTR_ERR(job);
	err = job_start(job, why) ?: job_wait(job, adopt, why);
	kref_put(&job->ref, job_release);
	return err;
}

/** coppice_adopt_init() - Return: 0 or -ENOMEM. */
int coppice_adopt_init(void)
{
	workers = alloc_workqueue("coppice", WQ_UNBOUND, 0);
	return workers ? 0 : -ENOMEM;
}

/** coppice_adopt_exit() - no job is left but in its last lines: each pins the module. */
void coppice_adopt_exit(void)
{
	destroy_workqueue(workers);
}
