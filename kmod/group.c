// SPDX-License-Identifier: GPL-2.0
/*
 * Groups: named sets of tasks that share an image.
 */
#include <linux/slab.h>

#include "coppice.h"
#include "trace.h"

static const char no_memory[] = "No memory for the group: free memory and try again";

static struct coppice_group *group_by_name(const char *name)
{
	struct coppice_group *group;
	unsigned long id;

	lockdep_assert_held(&coppice_lock);
	xa_for_each(&coppice_groups, id, group)
		if (!strcmp(group->name, name))
			return group;
	return NULL;
}

static struct coppice_group *group_alloc(const struct coppice_group_spec *spec)
{
	struct coppice_group *group;

	group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);
	if (!group)
		return NULL;
	group->cgroup = kstrdup(spec->cgroup ?: "", GFP_KERNEL_ACCOUNT);
	if (!group->cgroup) {
		kfree(group);
		return NULL;
	}
	kref_init(&group->ref);
	strscpy(group->name, spec->name, sizeof(group->name));
	strscpy(group->reshare, spec->reshare ?: "", sizeof(group->reshare));
	group->owner = spec->owner;
	group->max_tasks = spec->max_tasks;
	group->adopt = spec->adopt;
	spin_lock_init(&group->lock);
	INIT_LIST_HEAD(&group->tasks);
	return group;
}

/* Owners distrust each other; everybody trusts root, who owns the hub. */
static bool may_use(const struct coppice_image *image, kuid_t owner)
{
	return uid_eq(image->domain->owner, owner) ||
	       uid_eq(image->domain->owner, GLOBAL_ROOT_UID);
}

/* Takes the image for the group. */
static int group_bind(struct coppice_group *group, const char *image_name,
		      const char **why)
{
	struct coppice_image *image = coppice_image_get(image_name);

	if (!image) {
		*why = "There is no such image: build or load it first";
		return -ENOENT;
	}
	if (!may_use(image, group->owner)) {
		coppice_image_put(image);
		*why = "The image belongs to another owner: use an image of the group's owner or of root";
		return -EACCES;
	}
	group->image = image;
	*why = no_memory;
	return coppice_hints_init(&group->hints, image->nr_pages);
}

static int group_register(struct coppice_group *group, const char *image,
			  const char **why)
{
	static u32 next = 1;	/* under coppice_lock */
	int err;

	lockdep_assert_held(&coppice_lock);
	if (group_by_name(group->name)) {
		*why = "A group of this name exists: choose another name or delete it first";
		return -EEXIST;
	}
	err = group_bind(group, image, why);
	if (err)
		return err;
	err = xa_alloc_cyclic(&coppice_groups, &group->id, group, xa_limit_31b,
			      &next, GFP_KERNEL);
	if (err < 0) {
		*why = no_memory;
		return err;
	}
	WRITE_ONCE(group->image->groups, group->image->groups + 1);
	coppice_generation++;
	kref_get(&group->ref);
	return 0;
}

static const char *spec_refusal(const struct coppice_group_spec *spec)
{
	if (!coppice_name_valid(spec->name))
		return "The group's name is not valid: use up to 63 letters, digits, dots, dashes and underscores, not a dot or dash first";
	if (!uid_valid(spec->owner))
		return "The group's owner is not a valid user: give a user id of this user namespace";
	return NULL;
}

/**
 * coppice_group_add() - make a group
 * @spec: its properties
 * @why: set to a sentence on failure
 *
 * Context: may sleep; takes the registry's lock.
 * Return: the group with the caller's reference, or ERR_PTR.
 */
struct coppice_group *coppice_group_add(const struct coppice_group_spec *spec,
					const char **why)
{
	struct coppice_group *group;
	int err;

	*why = spec_refusal(spec);
	if (*why)
		return ERR_PTR(-EINVAL);
	group = group_alloc(spec);
	if (!group) {
		*why = no_memory;
		return ERR_PTR(-ENOMEM);
	}
	mutex_lock(&coppice_lock);
	err = group_register(group, spec->image, why);
	mutex_unlock(&coppice_lock);
	if (err) {
		coppice_group_put(group);
		return ERR_PTR(err);
	}
	trace_coppice_group_add(group);
	coppice_notify_group(group, COPPICE_CMD_GROUP_ADD_NTF);
	return group;
}

/**
 * coppice_group_get() - a group by its name
 * @name: of the group
 *
 * Context: may sleep; the caller holds coppice_lock.
 * Return: the group with a reference, or NULL.
 */
struct coppice_group *coppice_group_get(const char *name)
{
	struct coppice_group *group = group_by_name(name);

	if (group)
		coppice_group_hold(group);
	return group;
}

/**
 * coppice_group_hold() - take a further reference
 * @group: the caller holds one, or coppice_lock with the group registered
 */
void coppice_group_hold(struct coppice_group *group)
{
	kref_get(&group->ref);
}

/*
 * The registry, every task and every descriptor has let go. Tasks hold the group,
 * so the list is empty; a new task needs a descriptor or a parent task.
 */
static void group_release(struct kref *ref)
{
	struct coppice_group *group = container_of(ref, struct coppice_group, ref);

	WARN_ON(!list_empty(&group->tasks));
	if (group->image)
		coppice_image_put(group->image);
	coppice_hints_free(&group->hints);
	kfree(group->cgroup);
	kfree(group);
}

/**
 * coppice_group_put() - drop a reference
 * @group: the group
 *
 * Context: may sleep.
 */
void coppice_group_put(struct coppice_group *group)
{
	kref_put(&group->ref, group_release);
}

/*
 * Dead under the same lock as the tasks are counted: from here on nobody enters,
 * and a group without tasks has nobody who could fork.
 */
static bool group_kill(struct coppice_group *group)
{
	bool idle;

	spin_lock(&group->lock);
	idle = !group->nr_tasks;
	if (idle)
		group->dead = true;
	spin_unlock(&group->lock);
	return idle;
}

static int group_unregister(struct coppice_group *group, const char **why)
{
	lockdep_assert_held(&coppice_lock);
	if (xa_load(&coppice_groups, group->id) != group) {
		*why = "The group was deleted meanwhile: there is nothing left to do";
		return -ENOENT;
	}
	if (!group_kill(group)) {
		*why = "The group has tasks: wait for them to end or kill them first";
		return -EBUSY;
	}
	xa_erase(&coppice_groups, group->id);
	WRITE_ONCE(group->image->groups, group->image->groups - 1);
	coppice_generation++;
	return 0;
}

/**
 * coppice_group_delete() - delete a group that has no tasks
 * @group: the caller holds a reference
 * @why: set to a sentence on failure
 *
 * Descriptors of the group stay valid, but refuse to enter.
 *
 * Context: may sleep; takes the registry's lock, then the group's.
 * Return: 0, -EBUSY while it has tasks, -ENOENT if it is gone already.
 */
int coppice_group_delete(struct coppice_group *group, const char **why)
{
	int err;

	mutex_lock(&coppice_lock);
	err = group_unregister(group, why);
	mutex_unlock(&coppice_lock);
	if (err)
		return err;
	trace_coppice_group_delete(group);
	coppice_notify_group(group, COPPICE_CMD_GROUP_DEL_NTF);
	coppice_group_put(group);
	return 0;
}
