// SPDX-License-Identifier: GPL-2.0
/* The module as backend: netlink for what has a name, /dev/coppice for the rest. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/coppice.h>

#include "backend.h"
#include "device.h"
#include "launch_table.h"
#include "netlink.h"

#define DUMP_TRIES	32	/* of a list that changes while it is read */

/* One connection, opened at its first use and closed with the process. */
static struct netlink *control(struct error *err)
{
	static struct netlink netlink;

	if (!netlink.sock && netlink_open(&netlink, err))
		return NULL;
	return &netlink;
}

/* Where it is not, netlink says what is missing. */
static bool available(struct error *err)
{
	return device_is_there() || control(err);
}

static uint32_t get_u32(struct nlattr *attr)
{
	return attr && nla_len(attr) >= (int)sizeof(uint32_t) ? nla_get_u32(attr) : 0;
}

static uint64_t get_u64(struct nlattr *attr)
{
	return attr && nla_len(attr) >= (int)sizeof(uint64_t) ? nla_get_u64(attr) : 0;
}

static void get_text(struct nlattr *attr, char *text, size_t size)
{
	if (attr)
		nla_strlcpy(text, attr, size);
	else
		text[0] = '\0';
}

/* A message's attributes into an item of the type that the call is about. */
typedef void (*parse_fn)(struct nlattr **attrs, void *item);

static void parse_status(struct nlattr **attrs, void *item)
{
	struct store_info *info = item;

	get_text(attrs[COPPICE_A_STATUS_VERSION], info->version, sizeof(info->version));
	info->store_pages = get_u64(attrs[COPPICE_A_STATUS_STORE_PAGES]);
	info->store_limit = get_u64(attrs[COPPICE_A_STATUS_STORE_LIMIT]);
	info->image_pages = get_u64(attrs[COPPICE_A_STATUS_IMAGE_PAGES]);
	info->domains = get_u32(attrs[COPPICE_A_STATUS_DOMAINS]);
	info->images = get_u32(attrs[COPPICE_A_STATUS_IMAGES]);
	info->unsealed = get_u32(attrs[COPPICE_A_STATUS_UNSEALED]);
	info->groups = get_u32(attrs[COPPICE_A_STATUS_GROUPS]);
	info->tasks = get_u32(attrs[COPPICE_A_STATUS_TASKS]);
	info->huge_pages = get_u64(attrs[COPPICE_A_STATUS_HUGE_PAGES]);
	info->huge_missed = get_u64(attrs[COPPICE_A_STATUS_HUGE_MISSED]);
}

static void parse_image(struct nlattr **attrs, void *item)
{
	struct image_info *info = item;

	info->id = get_u32(attrs[COPPICE_A_IMAGE_ID]);
	get_text(attrs[COPPICE_A_IMAGE_NAME], info->name, sizeof(info->name));
	info->owner = get_u32(attrs[COPPICE_A_IMAGE_OWNER]);
	info->segments = get_u32(attrs[COPPICE_A_IMAGE_SEGMENTS]);
	info->groups = get_u32(attrs[COPPICE_A_IMAGE_GROUPS]);
	info->bytes = get_u64(attrs[COPPICE_A_IMAGE_BYTES]);
	info->pages = get_u64(attrs[COPPICE_A_IMAGE_PAGES]);
	info->added_pages = get_u64(attrs[COPPICE_A_IMAGE_ADDED_PAGES]);
	info->huge_pages = get_u64(attrs[COPPICE_A_IMAGE_HUGE_PAGES]);
	info->library = attrs[COPPICE_A_IMAGE_LIBRARY];
}

static void parse_group(struct nlattr **attrs, void *item)
{
	struct group_info *info = item;

	info->id = get_u32(attrs[COPPICE_A_GROUP_ID]);
	get_text(attrs[COPPICE_A_GROUP_NAME], info->name, sizeof(info->name));
	get_text(attrs[COPPICE_A_GROUP_IMAGE], info->image, sizeof(info->image));
	info->owner = get_u32(attrs[COPPICE_A_GROUP_OWNER]);
	get_text(attrs[COPPICE_A_GROUP_CGROUP], info->cgroup, sizeof(info->cgroup));
	get_text(attrs[COPPICE_A_GROUP_RESHARE], info->reshare, sizeof(info->reshare));
	info->max_tasks = get_u32(attrs[COPPICE_A_GROUP_MAX_TASKS]);
	info->tasks = get_u32(attrs[COPPICE_A_GROUP_TASKS]);
	info->entered = get_u64(attrs[COPPICE_A_GROUP_ENTERED]);
	info->forked = get_u64(attrs[COPPICE_A_GROUP_FORKED]);
	info->faults = get_u64(attrs[COPPICE_A_GROUP_FAULTS]);
	info->mapped_ahead = get_u64(attrs[COPPICE_A_GROUP_MAPPED_AHEAD]);
	info->copied_ahead = get_u64(attrs[COPPICE_A_GROUP_COPIED_AHEAD]);
	info->touched = get_u64(attrs[COPPICE_A_GROUP_TOUCHED]);
	info->written = get_u64(attrs[COPPICE_A_GROUP_WRITTEN]);
	info->given_back = get_u64(attrs[COPPICE_A_GROUP_GIVEN_BACK]);
	info->resets = get_u64(attrs[COPPICE_A_GROUP_RESETS]);
	info->adopted = get_u64(attrs[COPPICE_A_GROUP_ADOPTED]);
	info->adopted_pages = get_u64(attrs[COPPICE_A_GROUP_ADOPTED_PAGES]);
	info->adopt = attrs[COPPICE_A_GROUP_ADOPT];
}

static void parse_task(struct nlattr **attrs, void *item)
{
	struct task_info *info = item;

	info->id = get_u64(attrs[COPPICE_A_TASK_ID]);
	info->pid = get_u32(attrs[COPPICE_A_TASK_PID]);
	get_text(attrs[COPPICE_A_TASK_GROUP], info->group, sizeof(info->group));
	info->forked = attrs[COPPICE_A_TASK_FORKED];
	info->age_ms = get_u64(attrs[COPPICE_A_TASK_AGE_MS]);
	info->faults = get_u64(attrs[COPPICE_A_TASK_FAULTS]);
	info->mapped_ahead = get_u64(attrs[COPPICE_A_TASK_MAPPED_AHEAD]);
	info->copied_ahead = get_u64(attrs[COPPICE_A_TASK_COPIED_AHEAD]);
	info->given_back = get_u64(attrs[COPPICE_A_TASK_GIVEN_BACK]);
	info->resets = get_u64(attrs[COPPICE_A_TASK_RESETS]);
	info->adopted = attrs[COPPICE_A_TASK_ADOPTED];
	info->adopted_pages = get_u64(attrs[COPPICE_A_TASK_ADOPTED_PAGES]);
}

static void parse_reshare(struct nlattr **attrs, void *item)
{
	struct reshare_info *info = item;

	info->compared = get_u64(attrs[COPPICE_A_TASK_COMPARED]);
	info->given_back = get_u64(attrs[COPPICE_A_TASK_GIVEN_BACK]);
}

static void parse_adopt(struct nlattr **attrs, void *item)
{
	struct adopt_info *info = item;

	info->id = get_u64(attrs[COPPICE_A_TASK_ID]);
	info->adopted = get_u64(attrs[COPPICE_A_TASK_ADOPTED_PAGES]);
	info->different = get_u64(attrs[COPPICE_A_TASK_DIFFERENT_PAGES]);
	info->private = get_u64(attrs[COPPICE_A_TASK_PRIVATE_PAGES]);
	info->absent = get_u64(attrs[COPPICE_A_TASK_ABSENT_PAGES]);
	info->scattered = get_u64(attrs[COPPICE_A_TASK_SCATTERED_PAGES]);
}

/*
 * Requests.
 */

struct single {
	parse_fn parse;
	void *item;
};

static int on_single(uint8_t cmd, struct nlattr **attrs, void *data, struct error *err)
{
	const struct single *single = data;

	(void)cmd;
	(void)err;
	single->parse(attrs, single->item);
	return 0;
}

static struct nl_msg *request(uint8_t cmd, int flags, struct error *err)
{
	const struct netlink *netlink = control(err);

	return netlink ? netlink_request(netlink, cmd, flags, err) : NULL;
}

/* Attributes are added to a message that has ample room for all of them. */
static struct nl_msg *named_request(uint8_t cmd, int attr, const char *name, struct error *err)
{
	struct nl_msg *msg = request(cmd, 0, err);

	if (msg && nla_put_string(msg, attr, name)) {
		nlmsg_free(msg);
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	return msg;
}

/* The module's sentences are the same for all: say which one is meant. */
static int name_it(int ret, const char *what, const char *name, struct error *err)
{
	if (ret && err->code != EPERM)
		error_prefix(err, "%s %.63s", what, name);
	return ret;
}

static int ask(struct nl_msg *msg, parse_fn parse, void *item, struct error *err)
{
	struct single single = { parse, item };

	if (!msg)
		return -1;
	return netlink_call(control(err), msg, parse ? on_single : NULL, &single, err) ? -1 : 0;
}

/* A dump is collected first: callers see each object once, and a consistent list. */
struct list {
	parse_fn parse;
	size_t size;		/* of an item */
	char *items;
	size_t nr;
};

static int on_list(uint8_t cmd, struct nlattr **attrs, void *data, struct error *err)
{
	struct list *list = data;
	char *items = realloc(list->items, (list->nr + 1) * list->size);

	(void)cmd;
	if (!items)
		return error_set(err, ENOMEM, "out of memory");
	list->items = items;
	list->parse(attrs, items + list->nr * list->size);
	list->nr++;
	return 0;
}

/* @filter: attribute with which @text limits the dump, or 0. */
static int dump(uint8_t cmd, int filter, const char *text, struct list *list,
		struct error *err)
{
	int tries, ret = 1;

	for (tries = 0; ret > 0 && tries < DUMP_TRIES; tries++) {
		struct nl_msg *msg = request(cmd, NLM_F_DUMP, err);

		if (!msg)
			return -1;
		if (text && nla_put_string(msg, filter, text)) {
			nlmsg_free(msg);
			return error_set(err, ENOMEM, "out of memory");
		}
		list->nr = 0;
		ret = netlink_call(control(err), msg, on_list, list, err);
	}
	if (ret > 0)
		return error_set(err, EAGAIN, "the list changed each time while it was read: try again");
	return ret;
}

static int status(struct store_info *info, struct error *err)
{
	*info = (struct store_info) {};
	return ask(request(COPPICE_CMD_STATUS_GET, 0, err), parse_status, info, err);
}

/*
 * Images.
 */

static int image_load(const char *name, uid_t owner, const struct image *image,
		      struct error *err)
{
	return name_it(device_load(name, owner, image, err), "image", name, err);
}

static int image_read(const char *name, struct image *image, struct error *err)
{
	return name_it(device_read(name, true, image, err), "image", name, err);
}

static int image_get(const char *name, struct image_info *info, struct error *err)
{
	return name_it(ask(named_request(COPPICE_CMD_IMAGE_GET, COPPICE_A_IMAGE_NAME, name, err),
			   parse_image, info, err), "image", name, err);
}

static int image_each(image_fn fn, void *data, struct error *err)
{
	struct list list = { .parse = parse_image, .size = sizeof(struct image_info) };
	int ret = dump(COPPICE_CMD_IMAGE_GET, 0, NULL, &list, err);
	size_t i;

	for (i = 0; !ret && i < list.nr; i++)
		ret = fn((struct image_info *)list.items + i, data);
	free(list.items);
	return ret;
}

static int image_delete(const char *name, struct error *err)
{
	return name_it(ask(named_request(COPPICE_CMD_IMAGE_DEL, COPPICE_A_IMAGE_NAME, name, err),
			   NULL, NULL, err), "image", name, err);
}

/*
 * Groups and tasks.
 */

static int group_add(const struct group_info *group, struct error *err)
{
	struct nl_msg *msg = named_request(COPPICE_CMD_GROUP_ADD, COPPICE_A_GROUP_NAME,
					   group->name, err);

	if (!msg)
		return -1;
	if (nla_put_string(msg, COPPICE_A_GROUP_IMAGE, group->image) ||
	    nla_put_u32(msg, COPPICE_A_GROUP_OWNER, group->owner) ||
	    nla_put_string(msg, COPPICE_A_GROUP_CGROUP, group->cgroup) ||
	    nla_put_string(msg, COPPICE_A_GROUP_RESHARE, group->reshare) ||
	    nla_put_u32(msg, COPPICE_A_GROUP_MAX_TASKS, group->max_tasks) ||
	    (group->adopt && nla_put_flag(msg, COPPICE_A_GROUP_ADOPT))) {
		nlmsg_free(msg);
		return error_set(err, ENOMEM, "out of memory");
	}
	return name_it(ask(msg, NULL, NULL, err), "group", group->name, err);
}

static int group_get(const char *name, struct group_info *info, struct error *err)
{
	return name_it(ask(named_request(COPPICE_CMD_GROUP_GET, COPPICE_A_GROUP_NAME, name, err),
			   parse_group, info, err), "group", name, err);
}

/* By the descriptor that a start needs anyway: netlink's library would be loaded for this alone. */
static int group_find(const char *name, struct group_info *info, struct error *err)
{
	int fd = device_open_group(name, info, err);

	if (fd < 0)
		return name_it(-1, "group", name, err);
	close(fd);
	return 0;
}

static int group_each(group_fn fn, void *data, struct error *err)
{
	struct list list = { .parse = parse_group, .size = sizeof(struct group_info) };
	int ret = dump(COPPICE_CMD_GROUP_GET, 0, NULL, &list, err);
	size_t i;

	for (i = 0; !ret && i < list.nr; i++)
		ret = fn((struct group_info *)list.items + i, data);
	free(list.items);
	return ret;
}

static int group_delete(const char *name, struct error *err)
{
	return name_it(ask(named_request(COPPICE_CMD_GROUP_DEL, COPPICE_A_GROUP_NAME, name, err),
			   NULL, NULL, err), "group", name, err);
}

static int task_each(const char *group, task_fn fn, void *data, struct error *err)
{
	struct list list = { .parse = parse_task, .size = sizeof(struct task_info) };
	int ret = dump(COPPICE_CMD_TASK_GET, COPPICE_A_TASK_GROUP, group, &list, err);
	size_t i;

	for (i = 0; !ret && i < list.nr; i++)
		ret = fn((struct task_info *)list.items + i, data);
	free(list.items);
	return ret;
}

static struct nl_msg *task_request(uint8_t cmd, uint64_t id, struct error *err)
{
	struct nl_msg *msg = request(cmd, 0, err);

	if (msg && nla_put_u64(msg, COPPICE_A_TASK_ID, id)) {
		nlmsg_free(msg);
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	return msg;
}

static int task_reshare(uint64_t id, struct reshare_info *info, struct error *err)
{
	*info = (struct reshare_info) {};
	return ask(task_request(COPPICE_CMD_TASK_RESHARE, id, err), parse_reshare, info, err);
}

static void parse_memory(struct nlattr **attrs, void *item)
{
	struct task_memory *memory = item;

	memory->shared = get_u64(attrs[COPPICE_A_TASK_SHARED]);
	memory->copied = get_u64(attrs[COPPICE_A_TASK_COPIED]);
	memory->swapped = get_u64(attrs[COPPICE_A_TASK_SWAPPED]);
}

static int task_memory(uint64_t id, struct task_memory *memory, struct error *err)
{
	*memory = (struct task_memory) {};
	return ask(task_request(COPPICE_CMD_TASK_MEMORY, id, err), parse_memory, memory, err);
}

static int task_reset(uint64_t id, struct error *err)
{
	return ask(task_request(COPPICE_CMD_TASK_RESET, id, err), NULL, NULL, err);
}

static int adopt(const struct adopt_range *range, struct adopt_info *info, struct error *err)
{
	struct nl_msg *msg = named_request(COPPICE_CMD_TASK_ADOPT, COPPICE_A_TASK_GROUP,
					   range->group, err);

	*info = (struct adopt_info) {};
	if (!msg)
		return -1;
	if (nla_put_u32(msg, COPPICE_A_TASK_PID, range->pid) ||
	    nla_put_u64(msg, COPPICE_A_TASK_ADDRESS, range->address) ||
	    nla_put_u64(msg, COPPICE_A_TASK_LENGTH, range->length) ||
	    nla_put_u64(msg, COPPICE_A_TASK_IMAGE_ADDRESS, range->image_address)) {
		nlmsg_free(msg);
		return error_set(err, ENOMEM, "out of memory");
	}
	return ask(msg, parse_adopt, info, err);
}

static int image_open(const char *name, struct image *image, struct error *err)
{
	return name_it(device_read(name, false, image, err), "image", name, err);
}

static int refuse_library(const char *group, struct error *err)
{
	return error_set(err, ENOEXEC, "group %s has an image of libraries, in which nothing can be started: adopt running tasks with `coppice task adopt`",
			 group);
}

static int launch_open(const char *group, struct launch *launch, struct error *err)
{
	struct group_info info;
	struct image image;
	int ret;

	*launch = (struct launch) { .fd = -1, .module = 1 };
	/* From here on the descriptor keeps the group, and so its image. */
	launch->fd = device_open_group(group, &info, err);
	if (launch->fd < 0)
		return name_it(-1, "group", group, err);
	launch->group = info.id;
	ret = device_read(info.image, false, &image, err);
	if (!ret) {
		ret = image_is_library(&image) ? refuse_library(group, err) :
						 launch_fill(launch, &image, err);
		image_free(&image);
	}
	if (ret)
		launch_free(launch);
	return ret;
}

/*
 * Events.
 */

struct listener {
	event_fn fn;
	void *data;
};

static const char *const event_names[COPPICE_CMD_MAX + 1] = {
	[COPPICE_CMD_IMAGE_ADD_NTF] = "image-add",
	[COPPICE_CMD_IMAGE_DEL_NTF] = "image-delete",
	[COPPICE_CMD_GROUP_ADD_NTF] = "group-add",
	[COPPICE_CMD_GROUP_DEL_NTF] = "group-delete",
	[COPPICE_CMD_TASK_ENTER_NTF] = "task-enter",
	[COPPICE_CMD_TASK_EXIT_NTF] = "task-exit",
};

static json_t *image_event(const char *name, struct nlattr **attrs)
{
	struct image_info info = {};

	parse_image(attrs, &info);
	return json_pack("{s:s, s:s, s:I, s:I, s:I}", "event", name, "image", info.name,
			 "owner", (json_int_t)info.owner, "pages", (json_int_t)info.pages,
			 "added_pages", (json_int_t)info.added_pages);
}

static json_t *group_event(const char *name, struct nlattr **attrs)
{
	struct group_info info = {};

	parse_group(attrs, &info);
	return json_pack("{s:s, s:s, s:s, s:I, s:s}", "event", name, "group", info.name,
			 "image", info.image, "owner", (json_int_t)info.owner,
			 "cgroup", info.cgroup);
}

static json_t *task_event(const char *name, struct nlattr **attrs)
{
	struct task_info info = {};

	parse_task(attrs, &info);
	return json_pack("{s:s, s:s, s:i, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:I}", "event", name,
			 "group", info.group, "pid", info.pid, "id", (json_int_t)info.id,
			 "forked", info.forked, "age_ms", (json_int_t)info.age_ms,
			 "faults", (json_int_t)info.faults,
			 "mapped_ahead", (json_int_t)info.mapped_ahead,
			 "copied_ahead", (json_int_t)info.copied_ahead,
			 "given_back", (json_int_t)info.given_back,
			 "resets", (json_int_t)info.resets,
			 "adopted", info.adopted,
			 "adopted_pages", (json_int_t)info.adopted_pages);
}

static int on_event(uint8_t cmd, struct nlattr **attrs, void *data, struct error *err)
{
	const char *name = cmd <= COPPICE_CMD_MAX ? event_names[cmd] : NULL;
	const struct listener *listener = data;
	json_t *event;
	int ret;

	/* A later version's. */
	if (!name)
		return 0;
	if (!strncmp(name, "image", 5))
		event = image_event(name, attrs);
	else if (!strncmp(name, "group", 5))
		event = group_event(name, attrs);
	else
		event = task_event(name, attrs);
	if (!event)
		return error_set(err, ENOMEM, "out of memory");
	ret = listener->fn(event, listener->data, err);
	json_decref(event);
	return ret;
}

static int events(event_fn fn, void *data, struct error *err)
{
	struct listener listener = { fn, data };
	struct netlink *netlink = control(err);

	return netlink ? netlink_events(netlink, on_event, &listener, err) : -1;
}

const struct backend backend_kernel = {
	.name = "kernel",
	.available = available,
	.status = status,
	.image_load = image_load,
	.image_read = image_read,
	.image_get = image_get,
	.image_each = image_each,
	.image_delete = image_delete,
	.group_add = group_add,
	.group_get = group_get,
	.group_find = group_find,
	.group_each = group_each,
	.group_delete = group_delete,
	.task_each = task_each,
	.task_reshare = task_reshare,
	.task_reset = task_reset,
	.task_memory = task_memory,
	.image_open = image_open,
	.adopt = adopt,
	.launch_open = launch_open,
	.launch_close = launch_free,
	.events = events,
};
