// SPDX-License-Identifier: GPL-2.0
/*
 * Messages about objects: their attributes, and the events that carry them.
 */
#include <linux/bitmap.h>
#include <linux/nsproxy.h>
#include <linux/user_namespace.h>

#include "netlink.h"
#include "netlink-gen.h"

static int put_image_sizes(struct sk_buff *skb, const struct coppice_image *image)
{
	return nla_put_u32(skb, COPPICE_A_IMAGE_SEGMENTS, image->segments) ||
	       nla_put_u64_64bit(skb, COPPICE_A_IMAGE_BYTES, image->bytes,
				 COPPICE_A_IMAGE_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_IMAGE_PAGES, image->nr_pages,
				 COPPICE_A_IMAGE_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_IMAGE_ADDED_PAGES, image->added,
				 COPPICE_A_IMAGE_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_IMAGE_HUGE_PAGES, image->huge,
				 COPPICE_A_IMAGE_PAD);
}

/**
 * coppice_put_image() - an image's attributes
 * @skb: the message
 * @image: sealed, held by the caller
 *
 * Return: 0 or -EMSGSIZE.
 */
int coppice_put_image(struct sk_buff *skb, const struct coppice_image *image)
{
	uid_t owner = from_kuid_munged(&init_user_ns, image->domain->owner);

	if (nla_put_u32(skb, COPPICE_A_IMAGE_ID, image->id) ||
	    nla_put_string(skb, COPPICE_A_IMAGE_NAME, image->name) ||
	    nla_put_u32(skb, COPPICE_A_IMAGE_OWNER, owner) ||
	    nla_put_u32(skb, COPPICE_A_IMAGE_GROUPS, READ_ONCE(image->groups)) ||
	    put_image_sizes(skb, image) ||
	    (coppice_image_is_library(image) &&
	     nla_put_flag(skb, COPPICE_A_IMAGE_LIBRARY)))
		return -EMSGSIZE;
	return 0;
}

struct group_counts {
	u32 tasks;
	u64 entered;
	u64 forked;
	u64 adopted;
};

/* A consistent copy: nothing is put into a message under a spinlock. */
static struct group_counts group_count(struct coppice_group *group)
{
	struct group_counts counts;

	spin_lock(&group->lock);
	counts.tasks = group->nr_tasks;
	counts.entered = group->entered;
	counts.forked = group->forked;
	counts.adopted = group->adopted;
	spin_unlock(&group->lock);
	return counts;
}

static unsigned int count_hints(const unsigned long *bits, unsigned long pages)
{
	/* For who looks on: bits that are set or forgotten meanwhile may be counted or not. */
	return data_race(bitmap_weight(bits, pages));
}

static int put_group_hints(struct sk_buff *skb, const struct coppice_group *group)
{
	unsigned long pages = group->image->nr_pages;

	return nla_put_u64_64bit(skb, COPPICE_A_GROUP_TOUCHED,
				 count_hints(group->hints.touched, pages),
				 COPPICE_A_GROUP_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_GROUP_WRITTEN,
				 count_hints(group->hints.written, pages),
				 COPPICE_A_GROUP_PAD);
}

static int put_group_counts(struct sk_buff *skb, struct coppice_group *group)
{
	struct group_counts counts = group_count(group);

	return nla_put_u32(skb, COPPICE_A_GROUP_TASKS, counts.tasks) ||
	       nla_put_u64_64bit(skb, COPPICE_A_GROUP_ENTERED, counts.entered,
				 COPPICE_A_GROUP_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_GROUP_FORKED, counts.forked,
				 COPPICE_A_GROUP_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_GROUP_ADOPTED, counts.adopted,
				 COPPICE_A_GROUP_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_GROUP_ADOPTED_PAGES,
				 atomic64_read(&group->adopted_pages),
				 COPPICE_A_GROUP_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_GROUP_FAULTS,
				 atomic64_read(&group->faults),
				 COPPICE_A_GROUP_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_GROUP_MAPPED_AHEAD,
				 atomic64_read(&group->mapped),
				 COPPICE_A_GROUP_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_GROUP_COPIED_AHEAD,
				 atomic64_read(&group->copied),
				 COPPICE_A_GROUP_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_GROUP_GIVEN_BACK,
				 atomic64_read(&group->given_back),
				 COPPICE_A_GROUP_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_GROUP_RESETS,
				 atomic64_read(&group->resets),
				 COPPICE_A_GROUP_PAD);
}

/**
 * coppice_put_group() - a group's attributes
 * @skb: the message
 * @group: held by the caller
 *
 * Return: 0 or -EMSGSIZE.
 */
int coppice_put_group(struct sk_buff *skb, struct coppice_group *group)
{
	uid_t owner = from_kuid_munged(&init_user_ns, group->owner);

	if (nla_put_u32(skb, COPPICE_A_GROUP_ID, group->id) ||
	    nla_put_string(skb, COPPICE_A_GROUP_NAME, group->name) ||
	    nla_put_string(skb, COPPICE_A_GROUP_IMAGE, group->image->name) ||
	    nla_put_u32(skb, COPPICE_A_GROUP_OWNER, owner) ||
	    nla_put_string(skb, COPPICE_A_GROUP_CGROUP, group->cgroup) ||
	    nla_put_u32(skb, COPPICE_A_GROUP_MAX_TASKS, group->max_tasks) ||
	    nla_put_string(skb, COPPICE_A_GROUP_RESHARE, group->reshare) ||
	    (group->adopt && nla_put_flag(skb, COPPICE_A_GROUP_ADOPT)) ||
	    put_group_hints(skb, group) ||
	    put_group_counts(skb, group))
		return -EMSGSIZE;
	return 0;
}

static int put_task_counts(struct sk_buff *skb, const struct coppice_task *task)
{
	return nla_put_u64_64bit(skb, COPPICE_A_TASK_AGE_MS,
				 ktime_ms_delta(ktime_get(), task->started),
				 COPPICE_A_TASK_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_TASK_FAULTS,
				 atomic64_read(&task->faults),
				 COPPICE_A_TASK_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_TASK_MAPPED_AHEAD, READ_ONCE(task->mapped),
				 COPPICE_A_TASK_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_TASK_COPIED_AHEAD, READ_ONCE(task->copied),
				 COPPICE_A_TASK_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_TASK_GIVEN_BACK, READ_ONCE(task->given_back),
				 COPPICE_A_TASK_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_TASK_RESETS, READ_ONCE(task->resets),
				 COPPICE_A_TASK_PAD);
}

/**
 * coppice_put_task() - a task's attributes
 * @skb: the message
 * @task: listed and under its group's lock, or kept by a VMA
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int coppice_put_task(struct sk_buff *skb, const struct coppice_task *task)
{
	if (nla_put_u64_64bit(skb, COPPICE_A_TASK_ID, task->id, COPPICE_A_TASK_PAD) ||
	    nla_put_u32(skb, COPPICE_A_TASK_PID, coppice_task_pid(task)) ||
	    nla_put_string(skb, COPPICE_A_TASK_GROUP, task->group->name) ||
	    (task->forked && nla_put_flag(skb, COPPICE_A_TASK_FORKED)) ||
	    (task->adopted && nla_put_flag(skb, COPPICE_A_TASK_ADOPTED)) ||
	    nla_put_u64_64bit(skb, COPPICE_A_TASK_ADOPTED_PAGES,
			      atomic64_read(&task->adopted_pages),
			      COPPICE_A_TASK_PAD) ||
	    put_task_counts(skb, task))
		return -EMSGSIZE;
	return 0;
}

static struct sk_buff *event_begin(u8 cmd, void **header)
{
	struct sk_buff *skb;

	/* Events are lost rather than formatted when nobody listens. */
	if (!genl_has_listeners(&coppice_nl_family, &init_net, COPPICE_NLGRP_EVENTS))
		return NULL;
	skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!skb)
		return NULL;
	*header = genlmsg_put(skb, 0, 0, &coppice_nl_family, 0, cmd);
	return skb;
}

static void event_end(struct sk_buff *skb, void *header, int err)
{
	if (err || !header) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, header);
	genlmsg_multicast(&coppice_nl_family, skb, 0, COPPICE_NLGRP_EVENTS, GFP_KERNEL);
}

/**
 * coppice_notify_image() - tell listeners about an image
 * @image: held by the caller
 * @cmd: COPPICE_CMD_IMAGE_*_NTF
 *
 * Context: may sleep.
 */
void coppice_notify_image(struct coppice_image *image, u8 cmd)
{
	void *header = NULL;
	struct sk_buff *skb = event_begin(cmd, &header);

	if (skb)
		event_end(skb, header, header && coppice_put_image(skb, image));
}

/**
 * coppice_notify_group() - tell listeners about a group
 * @group: held by the caller
 * @cmd: COPPICE_CMD_GROUP_*_NTF
 *
 * Context: may sleep.
 */
void coppice_notify_group(struct coppice_group *group, u8 cmd)
{
	void *header = NULL;
	struct sk_buff *skb = event_begin(cmd, &header);

	if (skb)
		event_end(skb, header, header && coppice_put_group(skb, group));
}

/**
 * coppice_notify_task() - tell listeners about a task
 * @task: kept by the caller
 * @cmd: COPPICE_CMD_TASK_*_NTF
 *
 * Context: may sleep; the mmap lock may be held.
 */
void coppice_notify_task(struct coppice_task *task, u8 cmd)
{
	void *header = NULL;
	struct sk_buff *skb = event_begin(cmd, &header);

	if (skb)
		event_end(skb, header, header && coppice_put_task(skb, task));
}
