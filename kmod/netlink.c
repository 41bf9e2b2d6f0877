// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink family "coppice": control by name.
 *
 * The spec (Documentation/netlink/specs/coppice.yaml) gives policies and tables;
 * pre_doit checks the right and the attributes and looks the object up, so that an
 * operation holds only what it does.
 */
#include <linux/capability.h>
#include <linux/user_namespace.h>

#include "netlink.h"
#include "compat/genl.h"

/* The generated tables are static: they are included, not linked. */
struct genl_split_ops;
#include "netlink-gen.c"

static const char need_admin[] =
	"Coppice is controlled with CAP_SYS_ADMIN: run as root";

static const char no_task_id[] =
	"The task's id is missing: give the attribute id";
static const char no_task[] =
	"There is no such task: it may have ended";

static bool is_image_op(u8 cmd)
{
	return cmd == COPPICE_CMD_IMAGE_GET || cmd == COPPICE_CMD_IMAGE_DEL;
}

static bool is_group_op(u8 cmd)
{
	return cmd == COPPICE_CMD_GROUP_GET || cmd == COPPICE_CMD_GROUP_DEL;
}

/* NL_SET_ERR_MSG() takes literals only; these sentences come as values. */
static int refuse(struct netlink_ext_ack *extack, const char *why, int err)
{
	if (extack && why)
		extack->_msg = why;
	return err;
}

static int refuse_attr(struct genl_info *info, u32 attr, const char *why, int err)
{
	NL_SET_BAD_ATTR(info->extack, info->attrs[attr]);
	return refuse(info->extack, why, err);
}

static int pre_image(struct genl_info *info)
{
	if (GENL_REQ_ATTR_CHECK(info, COPPICE_A_IMAGE_NAME))
		return refuse(info->extack, "The image's name is missing: give the attribute name", -EINVAL);
	mutex_lock(&coppice_lock);
	info->user_ptr[0] = coppice_image_get(nla_data(info->attrs[COPPICE_A_IMAGE_NAME]));
	mutex_unlock(&coppice_lock);
	if (info->user_ptr[0])
		return 0;
	return refuse_attr(info, COPPICE_A_IMAGE_NAME,
			   "There is no such image: build or load it first", -ENOENT);
}

static int pre_group(struct genl_info *info)
{
	if (GENL_REQ_ATTR_CHECK(info, COPPICE_A_GROUP_NAME))
		return refuse(info->extack, "The group's name is missing: give the attribute name", -EINVAL);
	mutex_lock(&coppice_lock);
	info->user_ptr[0] = coppice_group_get(nla_data(info->attrs[COPPICE_A_GROUP_NAME]));
	mutex_unlock(&coppice_lock);
	if (info->user_ptr[0])
		return 0;
	return refuse_attr(info, COPPICE_A_GROUP_NAME,
			   "There is no such group: add it first", -ENOENT);
}

static bool is_task_op(u8 cmd)
{
	return cmd == COPPICE_CMD_TASK_RESHARE || cmd == COPPICE_CMD_TASK_RESET ||
	       cmd == COPPICE_CMD_TASK_MEMORY;
}

/* The task's memory and its group: both stay until post_doit(). */
static int pre_task(struct genl_info *info)
{
	struct coppice_group *group;

	if (GENL_REQ_ATTR_CHECK(info, COPPICE_A_TASK_ID))
		return refuse(info->extack, no_task_id, -EINVAL);
	mutex_lock(&coppice_lock);
	info->user_ptr[0] = coppice_task_hold(nla_get_u64(info->attrs[COPPICE_A_TASK_ID]), &group);
	mutex_unlock(&coppice_lock);
	info->user_ptr[1] = group;
	if (info->user_ptr[0])
		return 0;
	return refuse_attr(info, COPPICE_A_TASK_ID, no_task, -ENOENT);
}

static void post_task(struct genl_info *info)
{
	mmput(info->user_ptr[0]);
	coppice_group_put(info->user_ptr[1]);
}

static int pre_doit(const struct coppice_doit_ops *ops, struct sk_buff *skb,
		    struct genl_info *info)
{
	if (!netlink_capable(skb, CAP_SYS_ADMIN))
		return refuse(info->extack, need_admin, -EPERM);
	if (is_image_op(ops->cmd))
		return pre_image(info);
	if (is_group_op(ops->cmd))
		return pre_group(info);
	if (is_task_op(ops->cmd))
		return pre_task(info);
	return 0;
}

static void post_doit(const struct coppice_doit_ops *ops, struct sk_buff *skb,
		      struct genl_info *info)
{
	if (is_image_op(ops->cmd))
		coppice_image_put(info->user_ptr[0]);
	else if (is_group_op(ops->cmd))
		coppice_group_put(info->user_ptr[0]);
	else if (is_task_op(ops->cmd))
		post_task(info);
}

static struct sk_buff *reply_begin(struct genl_info *info, void **header)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);

	if (!skb)
		return NULL;
	*header = genlmsg_put_reply(skb, info, &coppice_nl_family, 0,
				    info->genlhdr->cmd);
	return skb;
}

static int reply_end(struct genl_info *info, struct sk_buff *skb, void *header,
		     int err)
{
	if (!skb)
		return refuse(info->extack, "No memory for the reply: free memory and try again", -ENOMEM);
	if (err || !header) {
		nlmsg_free(skb);
		return refuse(info->extack, "The reply does not fit: this is a defect, report it", -EMSGSIZE);
	}
	genlmsg_end(skb, header);
	return genlmsg_reply(skb, info);
}

static u32 count_tasks(void)
{
	struct coppice_group *group;
	unsigned long id;
	u32 tasks = 0;

	xa_for_each(&coppice_groups, id, group)
		tasks += READ_ONCE(group->nr_tasks);
	return tasks;
}

struct registry_counts {
	u32 images;
	u32 unsealed;
	u32 groups;
	u32 tasks;
};

static struct registry_counts registry_count(void)
{
	struct registry_counts counts = {};
	struct coppice_image *image;
	struct coppice_group *group;
	unsigned long id;

	mutex_lock(&coppice_lock);
	xa_for_each(&coppice_images, id, image) {
		counts.images += image->sealed;
		counts.unsealed += !image->sealed;
	}
	xa_for_each(&coppice_groups, id, group)
		counts.groups++;
	counts.tasks = count_tasks();
	mutex_unlock(&coppice_lock);
	return counts;
}

static int put_status(struct sk_buff *skb)
{
	struct registry_counts counts = registry_count();
	struct coppice_store_stats store;

	coppice_store_stats(&store);
	return nla_put_string(skb, COPPICE_A_STATUS_VERSION, COPPICE_VERSION) ||
	       nla_put_u64_64bit(skb, COPPICE_A_STATUS_STORE_PAGES, store.pages,
				 COPPICE_A_STATUS_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_STATUS_STORE_LIMIT, store.limit,
				 COPPICE_A_STATUS_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_STATUS_IMAGE_PAGES,
				 store.image_pages, COPPICE_A_STATUS_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_STATUS_HUGE_PAGES, store.huge,
				 COPPICE_A_STATUS_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_STATUS_HUGE_MISSED, store.missed,
				 COPPICE_A_STATUS_PAD) ||
	       nla_put_u32(skb, COPPICE_A_STATUS_DOMAINS, store.domains) ||
	       nla_put_u32(skb, COPPICE_A_STATUS_IMAGES, counts.images) ||
	       nla_put_u32(skb, COPPICE_A_STATUS_UNSEALED, counts.unsealed) ||
	       nla_put_u32(skb, COPPICE_A_STATUS_GROUPS, counts.groups) ||
	       nla_put_u32(skb, COPPICE_A_STATUS_TASKS, counts.tasks);
}

int coppice_nl_status_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	void *header = NULL;
	struct sk_buff *reply = reply_begin(info, &header);

	return reply_end(info, reply, header, header && put_status(reply));
}

int coppice_nl_image_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	void *header = NULL;
	struct sk_buff *reply = reply_begin(info, &header);

	return reply_end(info, reply, header,
			 header && coppice_put_image(reply, info->user_ptr[0]));
}

int coppice_nl_image_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	const char *why = NULL;
	int err = coppice_image_delete(info->user_ptr[0], &why);

	return err ? refuse(info->extack, why, err) : 0;
}

int coppice_nl_group_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	void *header = NULL;
	struct sk_buff *reply = reply_begin(info, &header);

	return reply_end(info, reply, header,
			 header && coppice_put_group(reply, info->user_ptr[0]));
}

int coppice_nl_group_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	const char *why = NULL;
	int err = coppice_group_delete(info->user_ptr[0], &why);

	return err ? refuse(info->extack, why, err) : 0;
}

static u32 attr_u32(struct genl_info *info, u32 attr)
{
	return info->attrs[attr] ? nla_get_u32(info->attrs[attr]) : 0;
}

static const char *attr_string(struct genl_info *info, u32 attr)
{
	return info->attrs[attr] ? nla_data(info->attrs[attr]) : NULL;
}

int coppice_nl_group_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct coppice_group_spec spec = {
		.name = attr_string(info, COPPICE_A_GROUP_NAME),
		.image = attr_string(info, COPPICE_A_GROUP_IMAGE),
		.cgroup = attr_string(info, COPPICE_A_GROUP_CGROUP),
		.reshare = attr_string(info, COPPICE_A_GROUP_RESHARE),
		.owner = make_kuid(&init_user_ns, attr_u32(info, COPPICE_A_GROUP_OWNER)),
		.max_tasks = attr_u32(info, COPPICE_A_GROUP_MAX_TASKS),
		.adopt = info->attrs[COPPICE_A_GROUP_ADOPT],
	};
	struct coppice_group *group;
	const char *why = NULL;

	if (GENL_REQ_ATTR_CHECK(info, COPPICE_A_GROUP_NAME))
		return refuse(info->extack, "The group's name is missing: give the attribute name", -EINVAL);
	if (GENL_REQ_ATTR_CHECK(info, COPPICE_A_GROUP_IMAGE))
		return refuse(info->extack, "The group's image is missing: give the attribute image", -EINVAL);
	if (GENL_REQ_ATTR_CHECK(info, COPPICE_A_GROUP_OWNER))
		return refuse(info->extack, "The group's owner is missing: give the attribute owner", -EINVAL);
	group = coppice_group_add(&spec, &why);
	if (IS_ERR(group))
		return refuse(info->extack, why, PTR_ERR(group));
	coppice_group_put(group);
	return 0;
}

/* The group of a request that is about one of its tasks, with a reference. */
static struct coppice_group *task_group(struct genl_info *info)
{
	struct coppice_group *group;

	mutex_lock(&coppice_lock);
	group = coppice_group_get(nla_data(info->attrs[COPPICE_A_TASK_GROUP]));
	mutex_unlock(&coppice_lock);
	return group;
}

static int put_adopted(struct sk_buff *skb, const struct coppice_adopt *adopt)
{
	const struct {
		int attr;
		u64 value;
	} counts[] = {
		{ COPPICE_A_TASK_ID, adopt->id },
		{ COPPICE_A_TASK_ADOPTED_PAGES, adopt->adopted },
		{ COPPICE_A_TASK_DIFFERENT_PAGES, adopt->different },
		{ COPPICE_A_TASK_PRIVATE_PAGES, adopt->private },
		{ COPPICE_A_TASK_ABSENT_PAGES, adopt->absent },
		{ COPPICE_A_TASK_SCATTERED_PAGES, adopt->scattered },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		if (nla_put_u64_64bit(skb, counts[i].attr, counts[i].value,
				      COPPICE_A_TASK_PAD))
			return -EMSGSIZE;
	return 0;
}

static int reply_adopted(struct genl_info *info, const struct coppice_adopt *adopt)
{
	void *header = NULL;
	struct sk_buff *reply = reply_begin(info, &header);

	return reply_end(info, reply, header, header && put_adopted(reply, adopt));
}

static int check_adopt(struct genl_info *info)
{
	static const u32 needed[] = {
		COPPICE_A_TASK_PID, COPPICE_A_TASK_GROUP, COPPICE_A_TASK_ADDRESS,
		COPPICE_A_TASK_LENGTH, COPPICE_A_TASK_IMAGE_ADDRESS,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(needed); i++)
		if (GENL_REQ_ATTR_CHECK(info, needed[i]))
			return refuse(info->extack, "What to adopt is not said: give pid, group, address, length and image-address",
				      -EINVAL);
	return 0;
}

int coppice_nl_task_adopt_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct coppice_adopt adopt = {};
	struct coppice_group *group;
	const char *why = NULL;
	int err = check_adopt(info);

	if (err)
		return err;
	adopt.pid = nla_get_u32(info->attrs[COPPICE_A_TASK_PID]);
	adopt.start = nla_get_u64(info->attrs[COPPICE_A_TASK_ADDRESS]);
	adopt.len = nla_get_u64(info->attrs[COPPICE_A_TASK_LENGTH]);
	adopt.image_addr = nla_get_u64(info->attrs[COPPICE_A_TASK_IMAGE_ADDRESS]);
	group = task_group(info);
	if (!group)
		return refuse_attr(info, COPPICE_A_TASK_GROUP,
				   "There is no such group: add it first", -ENOENT);
	err = coppice_adopt(group, &adopt, &why);
	coppice_group_put(group);
	return err ? refuse(info->extack, why, err) : reply_adopted(info, &adopt);
}

/*
 * Dumps hold coppice_lock for one message and remember the id that follows; ids
 * only grow, so an object is shown once however the tables change meanwhile,
 * and a reader is told that they did.
 */
static int dump_begin(struct sk_buff *skb, struct netlink_callback *cb)
{
	if (!netlink_capable(cb->skb, CAP_SYS_ADMIN))
		return refuse(cb->extack, need_admin, -EPERM);
	mutex_lock(&coppice_lock);
	cb->seq = coppice_generation;
	return 0;
}

static int dump_end(struct sk_buff *skb)
{
	mutex_unlock(&coppice_lock);
	return skb->len;
}

static void *dump_put(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	void *header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				   cb->nlh->nlmsg_seq, &coppice_nl_family,
				   NLM_F_MULTI, cmd);

	if (header)
		genl_dump_check_consistent(cb, header);
	return header;
}

/* True if the object fitted; else it comes first in the next message. */
static bool dump_close(struct sk_buff *skb, void *header, int err)
{
	if (!header)
		return false;
	if (err) {
		genlmsg_cancel(skb, header);
		return false;
	}
	genlmsg_end(skb, header);
	return true;
}

int coppice_nl_image_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct coppice_image *image;
	unsigned long id;
	void *header;
	int err = dump_begin(skb, cb);

	if (err)
		return err;
	xa_for_each_start(&coppice_images, id, image, cb->args[0]) {
		if (!image->sealed)
			continue;
		header = dump_put(skb, cb, COPPICE_CMD_IMAGE_GET);
		if (!dump_close(skb, header, header && coppice_put_image(skb, image)))
			break;
		cb->args[0] = id + 1;
	}
	return dump_end(skb);
}

int coppice_nl_group_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct coppice_group *group;
	unsigned long id;
	void *header;
	int err = dump_begin(skb, cb);

	if (err)
		return err;
	xa_for_each_start(&coppice_groups, id, group, cb->args[0]) {
		header = dump_put(skb, cb, COPPICE_CMD_GROUP_GET);
		if (!dump_close(skb, header, header && coppice_put_group(skb, group)))
			break;
		cb->args[0] = id + 1;
	}
	return dump_end(skb);
}

/* Next task of the group by id: the list is in no order that a cursor could use. */
static struct coppice_task *task_after(struct coppice_group *group, u64 id)
{
	struct coppice_task *task, *next = NULL;

	lockdep_assert_held(&group->lock);
	list_for_each_entry(task, &group->tasks, node)
		if (task->id > id && (!next || task->id < next->id))
			next = task;
	return next;
}

/* One task a time under the lock, which nothing may sleep under. */
static int dump_task(struct sk_buff *skb, struct netlink_callback *cb,
		     struct coppice_group *group, u64 *last)
{
	struct coppice_task *task;
	int more = 0;
	void *header;

	spin_lock(&group->lock);
	task = task_after(group, *last);
	if (task) {
		header = dump_put(skb, cb, COPPICE_CMD_TASK_GET);
		more = -EMSGSIZE;
		if (dump_close(skb, header, header && coppice_put_task(skb, task)))
			more = 1;
		if (more > 0)
			*last = task->id;
	}
	spin_unlock(&group->lock);
	return more;
}

static bool dump_tasks(struct sk_buff *skb, struct netlink_callback *cb,
		       struct coppice_group *group)
{
	u64 last = cb->args[1];
	int more;

	do {
		more = dump_task(skb, cb, group, &last);
		cond_resched();
	} while (more > 0);
	cb->args[1] = more ? last : 0;
	return !more;
}

/* The group that a dump is limited to, or NULL for all. */
static const char *dump_filter(struct netlink_callback *cb)
{
	struct nlattr **attrs = coppice_dump_attrs(cb);

	return attrs && attrs[COPPICE_A_TASK_GROUP] ?
		nla_data(attrs[COPPICE_A_TASK_GROUP]) : NULL;
}

int coppice_nl_task_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	const char *only = dump_filter(cb);
	struct coppice_group *group;
	unsigned long id;
	int err = dump_begin(skb, cb);

	if (err)
		return err;
	xa_for_each_start(&coppice_groups, id, group, cb->args[0]) {
		/* The cursor into tasks is of the group that it stopped in. */
		if (id != cb->args[0])
			cb->args[1] = 0;
		cb->args[0] = id;
		if (only && strcmp(only, group->name))
			continue;
		if (!dump_tasks(skb, cb, group))
			return dump_end(skb);
	}
	cb->args[0] = ULONG_MAX;
	return dump_end(skb);
}

static bool put_task_by_id(struct sk_buff *skb, u64 wanted)
{
	struct coppice_group *group;
	struct coppice_task *task;
	bool found = false;
	unsigned long id;

	lockdep_assert_held(&coppice_lock);
	xa_for_each(&coppice_groups, id, group) {
		spin_lock(&group->lock);
		task = task_after(group, wanted - 1);
		found = task && task->id == wanted && !coppice_put_task(skb, task);
		spin_unlock(&group->lock);
		if (found)
			break;
	}
	return found;
}

int coppice_nl_task_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply;
	void *header = NULL;
	bool found = false;

	if (GENL_REQ_ATTR_CHECK(info, COPPICE_A_TASK_ID))
		return refuse(info->extack, no_task_id, -EINVAL);
	reply = reply_begin(info, &header);
	if (header && nla_get_u64(info->attrs[COPPICE_A_TASK_ID])) {
		mutex_lock(&coppice_lock);
		found = put_task_by_id(reply, nla_get_u64(info->attrs[COPPICE_A_TASK_ID]));
		mutex_unlock(&coppice_lock);
	}
	if (header && !found) {
		nlmsg_free(reply);
		return refuse_attr(info, COPPICE_A_TASK_ID, no_task, -ENOENT);
	}
	return reply_end(info, reply, header, 0);
}

static int put_reshared(struct sk_buff *skb, const struct coppice_reshared *result)
{
	return nla_put_u64_64bit(skb, COPPICE_A_TASK_COMPARED, result->compared,
				 COPPICE_A_TASK_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_TASK_GIVEN_BACK, result->given_back,
				 COPPICE_A_TASK_PAD);
}

int coppice_nl_task_reshare_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct coppice_reshared result;
	const char *why = NULL;
	struct sk_buff *reply;
	void *header = NULL;
	int err = coppice_reshare(info->user_ptr[1], info->user_ptr[0], &result, &why);

	if (err)
		return refuse(info->extack, why, err);
	reply = reply_begin(info, &header);
	return reply_end(info, reply, header, header && put_reshared(reply, &result));
}

static int put_usage(struct sk_buff *skb, const struct coppice_usage *usage)
{
	return nla_put_u64_64bit(skb, COPPICE_A_TASK_SHARED, usage->shared,
				 COPPICE_A_TASK_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_TASK_COPIED, usage->copied,
				 COPPICE_A_TASK_PAD) ||
	       nla_put_u64_64bit(skb, COPPICE_A_TASK_SWAPPED, usage->swapped,
				 COPPICE_A_TASK_PAD);
}

int coppice_nl_task_memory_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct coppice_usage usage;
	struct sk_buff *reply;
	void *header = NULL;
	int err = coppice_usage(info->user_ptr[1], info->user_ptr[0], &usage);

	if (err)
		return err;
	reply = reply_begin(info, &header);
	return reply_end(info, reply, header, header && put_usage(reply, &usage));
}

int coppice_nl_task_reset_doit(struct sk_buff *skb, struct genl_info *info)
{
	const char *why = NULL;
	int err = coppice_reset_remote(info->user_ptr[1], info->user_ptr[0], &why);

	return err ? refuse(info->extack, why, err) : 0;
}

/* As generated, but for the right that listening takes: the spec has no word for it. */
static struct genl_multicast_group mcgrps[ARRAY_SIZE(coppice_nl_mcgrps)] __ro_after_init;

struct genl_family coppice_nl_family __ro_after_init = {
	.name = COPPICE_FAMILY_NAME,
	.version = COPPICE_FAMILY_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.ops = coppice_nl_ops,
	.n_ops = ARRAY_SIZE(coppice_nl_ops),
	/* Every operation is validated strictly, also those of old numbers. */
	.resv_start_op = 1,
	.mcgrps = mcgrps,
	.n_mcgrps = ARRAY_SIZE(mcgrps),
	.pre_doit = pre_doit,
	.post_doit = post_doit,
};

/** coppice_netlink_init() - Return: 0 or a negative error. */
int __init coppice_netlink_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mcgrps); i++) {
		mcgrps[i] = coppice_nl_mcgrps[i];
		mcgrps[i].flags = GENL_MCAST_CAP_SYS_ADMIN;
	}
	return genl_register_family(&coppice_nl_family);
}

/** coppice_netlink_exit() - waits for operations under way. */
void coppice_netlink_exit(void)
{
	genl_unregister_family(&coppice_nl_family);
}
