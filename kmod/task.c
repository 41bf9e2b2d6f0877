// SPDX-License-Identifier: GPL-2.0
/*
 * Membership: a task is an mm that maps its group's image.
 *
 * It follows the VMAs: they are opened when a fork copies them into a child's mm
 * and closed by exec, exit or munmap, so membership needs no hook elsewhere and
 * can't be out of step with what is mapped. Threads and vfork children share the
 * mm and so the task.
 */
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "coppice.h"
#include "trace.h"

static struct kmem_cache *task_cache;
static atomic64_t last_id;

/** coppice_task_init() - Return: 0 or -ENOMEM. */
int coppice_task_init(void)
{
	task_cache = KMEM_CACHE(coppice_task, SLAB_ACCOUNT);
	return task_cache ? 0 : -ENOMEM;
}

/** coppice_task_exit() - no task is left: each one's file pins the module. */
void coppice_task_exit(void)
{
	kmem_cache_destroy(task_cache);
}

static void task_setup(struct coppice_task *task, struct coppice_group *group,
		       struct mm_struct *mm)
{
	coppice_group_hold(group);
	task->group = group;
	task->mm = mm;
	task->vmas = 1;
	task->id = atomic64_inc_return(&last_id);
	task->started = ktime_get();
	atomic64_set(&task->faults, 0);
}

static void task_list(struct coppice_task *task)
{
	struct coppice_group *group = task->group;

	lockdep_assert_held(&group->lock);
	list_add(&task->node, &group->tasks);
	WRITE_ONCE(group->nr_tasks, group->nr_tasks + 1);
}

static int task_admit(struct coppice_task *task, const char **why)
{
	struct coppice_group *group = task->group;
	int err = 0;

	spin_lock(&group->lock);
	if (group->dead) {
		*why = "The group was deleted: open another one";
		err = -ENODEV;
	} else if (group->max_tasks && group->nr_tasks >= group->max_tasks) {
		*why = "The group has as many tasks as it may have: wait for one to end or raise --max-tasks";
		err = -EAGAIN;
	} else {
		task_list(task);
	}
	spin_unlock(&group->lock);
	return err;
}

static struct coppice_task *task_new(struct coppice_group *group,
				     struct mm_struct *mm, bool adopted,
				     const char **why)
{
	struct coppice_task *task;
	int err;

	task = kmem_cache_zalloc(task_cache, GFP_KERNEL);
	if (!task) {
		*why = "No memory for the task: free memory or raise the group's memory limit";
		return ERR_PTR(-ENOMEM);
	}
	task_setup(task, group, mm);
	task->adopted = adopted;
	task->ready = adopted;
	err = task_admit(task, why);
	if (!err)
		return task;
	coppice_group_put(group);
	kmem_cache_free(task_cache, task);
	return ERR_PTR(err);
}

/**
 * coppice_task_enter() - make the calling process a task of a group
 * @group: the caller holds a reference
 * @why: set to a sentence on failure
 *
 * The task is listed and counts against the limit from here on, so that
 * parallel enters can't exceed it. It has one VMA reference for the enter
 * under way, dropped by coppice_task_close().
 *
 * Context: may sleep; takes the group's lock.
 * Return: the task, or ERR_PTR: -ENODEV, -EAGAIN, -ENOMEM.
 */
struct coppice_task *coppice_task_enter(struct coppice_group *group,
					const char **why)
{
	return task_new(group, current->mm, false, why);
}

/**
 * coppice_task_open() - one more VMA of the task's mm maps the image
 * @task: kept alive by a VMA that the caller copies or by an enter
 */
void coppice_task_open(struct coppice_task *task)
{
	spin_lock(&task->group->lock);
	task->vmas++;
	spin_unlock(&task->group->lock);
}

/**
 * coppice_task_close() - a VMA of the task's mm is gone, or an enter has ended
 * @task: goes with the last one
 *
 * Nobody finds the task once it is off the list: dumps walk it under the lock
 * and copy what they show, a fault runs with a VMA that it keeps from closing, and
 * a fork copies such a VMA under the mmap lock.
 *
 * Context: may sleep; takes the group's lock.
 */
void coppice_task_close(struct coppice_task *task)
{
	struct coppice_group *group = task->group;
	bool last;

	spin_lock(&group->lock);
	last = !--task->vmas;
	if (last) {
		list_del(&task->node);
		WRITE_ONCE(group->nr_tasks, group->nr_tasks - 1);
	}
	spin_unlock(&group->lock);
	if (!last)
		return;
	/* Not so if the enter or the adoption failed: then there has been no task. */
	if (task->told) {
		trace_coppice_task_exit(task);
		coppice_notify_task(task, COPPICE_CMD_TASK_EXIT_NTF);
	}
	kvfree(task->saved);
	kmem_cache_free(task_cache, task);
	coppice_group_put(group);
}

/* A fork opens its VMAs one after the other: its task is the latest one. */
static struct coppice_task *task_of(struct coppice_group *group,
				    struct mm_struct *mm)
{
	struct coppice_task *task;

	lockdep_assert_held(&group->lock);
	list_for_each_entry(task, &group->tasks, node)
		if (task->mm == mm)
			return task;
	return NULL;
}

static bool task_join(struct coppice_group *group, struct coppice_task **task,
		      struct mm_struct *mm)
{
	spin_lock(&group->lock);
	*task = task_of(group, mm);
	if (*task)
		(*task)->vmas++;
	spin_unlock(&group->lock);
	return *task;
}

/**
 * coppice_task_adopt() - make a running process a task of a group, or find its task
 * @group: the caller holds a reference
 * @mm: of the process; the caller holds it, so that it stays what it is
 * @why: set to a sentence on failure
 *
 * Has one VMA reference for the adoption under way, dropped by
 * coppice_task_close().
 *
 * Context: may sleep; takes the group's lock.
 * Return: the task, or ERR_PTR: -ENODEV, -EAGAIN, -ENOMEM.
 */
struct coppice_task *coppice_task_adopt(struct coppice_group *group,
					struct mm_struct *mm, const char **why)
{
	/* Of two adoptions of a process one makes its task, the other finds it. */
	static DEFINE_MUTEX(adopt_lock);
	struct coppice_task *task;

	mutex_lock(&adopt_lock);
	if (!task_join(group, &task, mm))
		task = task_new(group, mm, true, why);
	mutex_unlock(&adopt_lock);
	return task;
}

/**
 * coppice_task_entered() - tell that there is a new task
 * @task: kept by the caller, which is what makes it one
 *
 * Context: may sleep; the mmap lock may be held.
 */
void coppice_task_entered(struct coppice_task *task)
{
	task->told = true;
	trace_coppice_task_enter(task);
	coppice_notify_task(task, COPPICE_CMD_TASK_ENTER_NTF);
}

/**
 * coppice_task_adopted() - pages of the task were replaced
 * @task: held by the adoption under way
 * @pages: how many
 *
 * Context: may sleep; takes the group's lock.
 */
void coppice_task_adopted(struct coppice_task *task, unsigned long pages)
{
	struct coppice_group *group = task->group;

	atomic64_add(pages, &group->adopted_pages);
	if (atomic64_add_return(pages, &task->adopted_pages) != pages)
		return;
	spin_lock(&group->lock);
	group->adopted++;
	spin_unlock(&group->lock);
	coppice_task_entered(task);
}

/**
 * coppice_task_fork() - a VMA of a member was copied into another mm
 * @parent: the member
 * @mm: of the child
 *
 * vm_operations_struct.open can't fail, so neither can this: the
 * allocation is small and charged to the forking task. The child counts even
 * where it exceeds the group's limit, which is checked at enter; pids.max of the
 * group's cgroup limits forks.
 *
 * Context: may sleep; the mmap lock of both mms is held, takes the group's lock.
 * Return: the child's task with a VMA reference for the caller.
 */
struct coppice_task *coppice_task_fork(struct coppice_task *parent,
				       struct mm_struct *mm)
{
	struct coppice_group *group = parent->group;
	struct coppice_task *task;

	if (task_join(group, &task, mm))
		return task;
	task = kmem_cache_zalloc(task_cache, GFP_KERNEL | __GFP_NOFAIL);
	task_setup(task, group, mm);
	task->forked = true;
	task->ready = true;
	task->adopted = parent->adopted;
	atomic64_set(&task->adopted_pages, atomic64_read(&parent->adopted_pages));
	spin_lock(&group->lock);
	task_list(task);
	group->forked++;
	spin_unlock(&group->lock);
	coppice_task_entered(task);
	return task;
}

/**
 * coppice_task_set_ready() - the task has finished starting
 * @group: its group
 * @mm: its mm, the caller's own
 *
 * Return: true if there is something to learn from it: a learner, the first time.
 */
bool coppice_task_set_ready(struct coppice_group *group, struct mm_struct *mm)
{
	struct coppice_task *task;
	bool learn;

	spin_lock(&group->lock);
	task = task_of(group, mm);
	learn = task && !task->ready && task->learner;
	if (task)
		WRITE_ONCE(task->ready, true);
	spin_unlock(&group->lock);
	return learn;
}

/**
 * coppice_task_find() - the calling process's own task
 * @group: the caller holds a reference
 * @mm: current's
 *
 * Return: the task with a VMA reference for the caller, to be given to
 * coppice_task_close(); NULL if it is no member.
 */
struct coppice_task *coppice_task_find(struct coppice_group *group, struct mm_struct *mm)
{
	struct coppice_task *task;

	return task_join(group, &task, mm) ? task : NULL;
}

/**
 * coppice_task_member() - does an mm map the group's image?
 * @group: the caller holds a reference
 * @mm: the caller's own, or held
 */
bool coppice_task_member(struct coppice_group *group, struct mm_struct *mm)
{
	bool member;

	spin_lock(&group->lock);
	member = task_of(group, mm);
	spin_unlock(&group->lock);
	return member;
}

/**
 * coppice_task_forked() - has a task got its memory by fork?
 * @group: the caller holds a reference
 * @mm: of the task, held
 */
bool coppice_task_forked(struct coppice_group *group, struct mm_struct *mm)
{
	struct coppice_task *task;
	bool forked;

	spin_lock(&group->lock);
	task = task_of(group, mm);
	forked = task && task->forked;
	spin_unlock(&group->lock);
	return forked;
}

static struct mm_struct *task_hold(struct coppice_group *group, u64 id)
{
	struct mm_struct *mm = NULL;
	struct coppice_task *task;

	spin_lock(&group->lock);
	list_for_each_entry(task, &group->tasks, node)
		/* Listed, so the mm has VMAs: it is at most about to lose its users. */
		if (task->id == id && mmget_not_zero(task->mm))
			mm = task->mm;
	spin_unlock(&group->lock);
	return mm;
}

/**
 * coppice_task_hold() - the memory of a task, to work on from outside
 * @id: of the task
 * @group: set to its group, with a reference
 *
 * Context: under coppice_lock; takes the group's lock.
 * Return: the mm, to be given to mmput(); NULL if there is no such task any more.
 */
struct mm_struct *coppice_task_hold(u64 id, struct coppice_group **group)
{
	struct mm_struct *mm = NULL;
	unsigned long index;

	lockdep_assert_held(&coppice_lock);
	xa_for_each(&coppice_groups, index, *group) {
		mm = task_hold(*group, id);
		if (!mm)
			continue;
		coppice_group_hold(*group);
		break;
	}
	return mm;
}

/**
 * coppice_task_pid() - the process id of a task for the calling process
 * @task: listed, under the group's lock, or kept by a VMA
 *
 * Return: its thread group's id in the caller's pid namespace, 0 if it is
 * not visible there or exits right now.
 */
pid_t coppice_task_pid(const struct coppice_task *task)
{
	struct task_struct *owner;
	pid_t pid = 0;

	rcu_read_lock();
	owner = rcu_dereference(task->mm->owner);
	if (owner)
		pid = task_tgid_vnr(owner);
	rcu_read_unlock();
	return pid;
}
