// SPDX-License-Identifier: GPL-2.0
/*
 * The backend without the module: images in sealed memfds, mapped privately by each
 * task. The baseline of every benchmark, and what a hub that loads no modules has.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "cgroup.h"
#include "cleanup.h"
#include "keeper.h"
#include "launch_table.h"
#include "memfd_image.h"
#include "memfd_state.h"
#include "name.h"
#include "proc.h"

static bool available(struct error *err)
{
	(void)err;
	return true;
}

/*
 * Records to structures and back.
 */

struct record {
	struct image_info info;
	struct keeper keeper;
	struct memfd_layout layout;
};

static uint64_t number(const json_t *record, const char *key)
{
	return json_integer_value(json_object_get(record, key));
}

static void text(const json_t *record, const char *key, char *to, size_t size)
{
	const char *value = json_string_value(json_object_get(record, key));

	snprintf(to, size, "%s", value ? value : "");
}

static struct record image_record(const char *name, const json_t *json)
{
	struct record record = {
		.info = {
			.id = number(json, "id"),
			.owner = number(json, "owner"),
			.segments = number(json, "segments"),
			.bytes = number(json, "bytes"),
			.pages = number(json, "pages"),
			.added_pages = number(json, "pages"),
		},
		.keeper = {
			.pid = number(json, "keeper_pid"),
			.start = number(json, "keeper_start"),
			.inode = number(json, "inode"),
		},
		.layout = {
			.content = number(json, "pages") * 4096,
			.segments = number(json, "segments"),
			.notes = number(json, "notes"),
		},
	};

	snprintf(record.info.name, sizeof(record.info.name), "%s", name);
	return record;
}

static json_t *image_json(const struct record *record)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "id", (json_int_t)record->info.id,
			 "owner", (json_int_t)record->info.owner,
			 "segments", (json_int_t)record->layout.segments,
			 "bytes", (json_int_t)record->info.bytes,
			 "pages", (json_int_t)record->info.pages,
			 "notes", (json_int_t)record->layout.notes,
			 "keeper_pid", (json_int_t)record->keeper.pid,
			 "keeper_start", (json_int_t)record->keeper.start,
			 "inode", (json_int_t)record->keeper.inode);
}

static struct group_info group_record(const char *name, const json_t *json)
{
	struct group_info info = {
		.id = number(json, "id"),
		.owner = number(json, "owner"),
		.max_tasks = number(json, "max_tasks"),
		.adopt = json_is_true(json_object_get(json, "adopt")),
		.nests = json_is_true(json_object_get(json, "nests")),
	};

	snprintf(info.name, sizeof(info.name), "%s", name);
	text(json, "image", info.image, sizeof(info.image));
	text(json, "cgroup", info.cgroup, sizeof(info.cgroup));
	text(json, "reshare", info.reshare, sizeof(info.reshare));
	return info;
}

static json_t *group_json(const struct group_info *info)
{
	return json_pack("{s:I, s:I, s:I, s:s, s:s, s:s, s:b, s:b}",
			 "id", (json_int_t)info->id, "owner", (json_int_t)info->owner,
			 "max_tasks", (json_int_t)info->max_tasks, "image", info->image,
			 "cgroup", info->cgroup, "reshare", info->reshare, "adopt", info->adopt,
			 "nests", info->nests);
}

/*
 * Images. The caller of what is below holds the lock.
 */

/* What a killed keeper or a reboot left of an image is removed when it is met. */
static int find_image(const char *name, struct record *record, struct error *err)
{
	autojson json_t *json = state_read(STATE_IMAGES, name, err);

	if (!json)
		return -1;
	*record = image_record(name, json);
	if (keeper_alive(&record->keeper))
		return 0;
	if (state_remove(STATE_IMAGES, name, err))
		return -1;
	return error_set(err, ENOENT, "image %s is gone, as the process that kept it in memory has ended: load it again",
			 name);
}

struct users {
	const char *image;
	uint32_t nr;
	char name[IMAGE_NAME_MAX + 1];	/* of the first */
};

static int count_user(const char *name, const json_t *json, void *data)
{
	struct group_info info = group_record(name, json);
	struct users *users = data;

	if (!strcmp(info.image, users->image) && !users->nr++)
		snprintf(users->name, sizeof(users->name), "%s", name);
	return 0;
}

static int get_image(const char *name, struct image_info *info, struct error *err)
{
	struct users users = { .image = name };
	struct record record;

	if (find_image(name, &record, err) || state_each(STATE_GROUPS, count_user, &users, err))
		return -1;
	*info = record.info;
	info->groups = users.nr;
	return 0;
}

static int refuse_existing(const char *name, struct error *err)
{
	struct record record;

	if (!find_image(name, &record, err))
		return error_set(err, EEXIST, "an image %s exists: choose another name or delete it first",
				 name);
	return err->code == ENOENT ? 0 : -1;
}

/* From the record on the image exists; without its keeper the record is stale. */
static int register_image(int lock, int memfd, struct record *record, struct error *err)
{
	autojson json_t *json = NULL;
	autoclose int commit = -1;

	if (refuse_existing(record->info.name, err) ||
	    state_next_id(lock, &record->info.id, err) ||
	    keeper_start(memfd, record->info.name, &record->keeper, &commit, err))
		return -1;
	json = image_json(record);
	if (!json)
		return error_set(err, ENOMEM, "out of memory");
	if (state_write(STATE_IMAGES, record->info.name, json, err))
		return -1;
	if (!keeper_commit(commit, err))
		return 0;
	(void)!state_remove(STATE_IMAGES, record->info.name, &(struct error) {});
	return -1;
}

static void describe(struct record *record, const char *name, uid_t owner,
		     const struct image *image)
{
	size_t i;

	snprintf(record->info.name, sizeof(record->info.name), "%s", name);
	record->info.owner = owner;
	record->info.pages = record->layout.content / 4096;
	for (i = 0; i < image->nr_segments; i++)
		record->info.bytes += image->segments[i].len;
}

/* The copying needs no lock; of two loads of one name the second is refused at the end. */
static int image_load(const char *name, uid_t owner, const struct image *image,
		      struct error *err)
{
	struct record record = {};
	autoclose int memfd = -1;
	autoclose int lock = -1;

	if (name_check("an image", name, err))
		return -1;
	if (image_is_library(image))
		return error_set(err, EOPNOTSUPP, "an image of libraries is for adopting running tasks, which the memfd backend cannot do: load the module");
	lock = state_lock(err);
	if (lock < 0 || refuse_existing(name, err))
		return -1;
	close(lock);
	lock = -1;
	memfd = memfd_image_create(name, image, &record.layout, err);
	if (memfd < 0)
		return -1;
	describe(&record, name, owner, image);
	lock = state_lock(err);
	return lock < 0 ? -1 : register_image(lock, memfd, &record, err);
}

static int image_read(const char *name, struct image *image, struct error *err)
{
	autoclose int lock = state_lock(err);
	struct record record;
	autoclose int fd = -1;

	if (lock < 0 || find_image(name, &record, err))
		return -1;
	fd = keeper_open(&record.keeper, err);
	return fd < 0 ? -1 : memfd_image_read(fd, &record.layout, true, image, err);
}

static int image_get(const char *name, struct image_info *info, struct error *err)
{
	autoclose int lock = state_lock(err);

	return lock < 0 ? -1 : get_image(name, info, err);
}

/* Callers may do as they like in their functions, so lists are made first. */
struct list {
	char *items;
	size_t size, nr;
	struct error *err;
};

static int append(struct list *list, const void *item)
{
	char *items = realloc(list->items, (list->nr + 1) * list->size);

	if (!items)
		return error_set(list->err, ENOMEM, "out of memory");
	list->items = items;
	memcpy(items + list->nr++ * list->size, item, list->size);
	return 0;
}

static int append_image(const char *name, const json_t *json, void *data)
{
	struct list *list = data;
	struct image_info info;

	(void)json;
	if (!get_image(name, &info, list->err))
		return append(list, &info);
	return list->err->code == ENOENT ? 0 : -1;
}

static int list_records(const char *kind, state_fn fn, struct list *list, struct error *err)
{
	autoclose int lock = state_lock(err);

	list->err = err;
	return lock < 0 ? -1 : state_each(kind, fn, list, err);
}

static int image_each(image_fn fn, void *data, struct error *err)
{
	struct list list = { .size = sizeof(struct image_info) };
	int ret = list_records(STATE_IMAGES, append_image, &list, err);
	size_t i;

	for (i = 0; !ret && i < list.nr; i++)
		ret = fn((struct image_info *)list.items + i, data);
	free(list.items);
	return ret;
}

/* The keeper first: a record without one is stale, and taken away by who meets it. */
static int image_delete(const char *name, struct error *err)
{
	autoclose int lock = state_lock(err);
	struct users users = { .image = name };
	struct record record;

	if (lock < 0 || find_image(name, &record, err) ||
	    state_each(STATE_GROUPS, count_user, &users, err))
		return -1;
	if (users.nr)
		return error_set(err, EBUSY, "image %s is in use by group %s: delete the group first",
				 name, users.name);
	if (keeper_stop(&record.keeper, err))
		return -1;
	return state_remove(STATE_IMAGES, name, err);
}

/*
 * Groups.
 */

/* Owners distrust each other; everybody trusts root, who owns the hub. */
static int check_owner(const struct image_info *image, uid_t owner, struct error *err)
{
	if (image->owner == owner || !image->owner)
		return 0;
	return error_set(err, EACCES, "image %s belongs to another owner: use an image of the group's owner or of root",
			 image->name);
}

static int refuse_existing_group(const char *name, struct error *err)
{
	autojson json_t *json = state_read(STATE_GROUPS, name, err);

	if (json)
		return error_set(err, EEXIST, "a group %s exists: choose another name or delete it first",
				 name);
	return err->code == ENOENT ? 0 : -1;
}

/* Nothing enters the image of a group of ordinary processes, and there is none to adopt them with. */
static int check_image(const struct group_info *group, struct error *err)
{
	struct record record;

	if (group->adopt)
		return 0;
	return find_image(group->image, &record, err) ? -1 :
		check_owner(&record.info, group->owner, err);
}

static int write_group(const struct group_info *info, struct error *err)
{
	autojson json_t *json = group_json(info);

	if (!json)
		return error_set(err, ENOMEM, "out of memory");
	return state_write(STATE_GROUPS, info->name, json, err);
}

static bool is_below(const char *cgroup, const char *other)
{
	size_t len = strlen(other);

	return !strncmp(cgroup, other, len) && cgroup[len] == '/';
}

struct newcomer {
	struct group_info *info;
	struct error *err;
};

/* So that who counts a group's tasks need not read the records of all others. */
static int note_nesting(const char *name, const json_t *json, void *data)
{
	const struct newcomer *newcomer = data;
	struct group_info other = group_record(name, json);

	if (is_below(other.cgroup, newcomer->info->cgroup))
		newcomer->info->nests = true;
	if (other.nests || !is_below(newcomer->info->cgroup, other.cgroup))
		return 0;
	other.nests = true;
	return write_group(&other, newcomer->err);
}

static int group_add(const struct group_info *group, struct error *err)
{
	autoclose int lock = state_lock(err);
	struct group_info info = *group;
	struct newcomer newcomer = { &info, err };

	if (lock < 0 || name_check("a group", group->name, err) ||
	    refuse_existing_group(group->name, err) || check_image(group, err) ||
	    state_each(STATE_GROUPS, note_nesting, &newcomer, err) ||
	    state_next_id(lock, &info.id, err))
		return -1;
	return write_group(&info, err);
}

/*
 * Tasks: the processes in the group's cgroup, and in those below that are no other group's.
 */

struct members {
	const struct group_info *group;
	pid_t *pids;
	size_t nr;
	struct error *err;
};

static bool contains(const pid_t *pids, size_t nr, pid_t pid)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static int drop_nested(const char *name, const json_t *json, void *data)
{
	struct group_info other = group_record(name, json);
	struct members *members = data;
	autofree pid_t *pids = NULL;
	size_t nr, left = 0, i;

	if (!is_below(other.cgroup, members->group->cgroup))
		return 0;
	if (cgroup_pids(other.cgroup, &pids, &nr, members->err))
		return -1;
	for (i = 0; i < members->nr; i++)
		if (!contains(pids, nr, members->pids[i]))
			members->pids[left++] = members->pids[i];
	members->nr = left;
	return 0;
}

/* The caller frees ->pids, also on failure. */
static int find_members(const struct group_info *group, struct members *members, struct error *err)
{
	*members = (struct members) { .group = group, .err = err };
	if (cgroup_pids(group->cgroup, &members->pids, &members->nr, err))
		return -1;
	return group->nests && state_each(STATE_GROUPS, drop_nested, members, err) ? -1 : 0;
}

static int count_tasks(struct group_info *info, struct error *err)
{
	struct members members;
	int ret = find_members(info, &members, err);

	info->tasks = members.nr;
	free(members.pids);
	return ret;
}

static int read_group(const char *name, struct group_info *info, struct error *err)
{
	autojson json_t *json = state_read(STATE_GROUPS, name, err);

	if (!json)
		return -1;
	*info = group_record(name, json);
	return 0;
}

static int group_find(const char *name, struct group_info *info, struct error *err)
{
	autoclose int lock = state_lock(err);

	return lock < 0 ? -1 : read_group(name, info, err);
}

static int group_get(const char *name, struct group_info *info, struct error *err)
{
	autoclose int lock = state_lock(err);

	if (lock < 0 || read_group(name, info, err))
		return -1;
	return count_tasks(info, err);
}

static int append_group(const char *name, const json_t *json, void *data)
{
	struct group_info info = group_record(name, json);
	struct list *list = data;

	return count_tasks(&info, list->err) ? -1 : append(list, &info);
}

static int group_each(group_fn fn, void *data, struct error *err)
{
	struct list list = { .size = sizeof(struct group_info) };
	int ret = list_records(STATE_GROUPS, append_group, &list, err);
	size_t i;

	for (i = 0; !ret && i < list.nr; i++)
		ret = fn((struct group_info *)list.items + i, data);
	free(list.items);
	return ret;
}

static int group_delete(const char *name, struct error *err)
{
	autoclose int lock = state_lock(err);
	struct group_info info;

	if (lock < 0 || read_group(name, &info, err) || count_tasks(&info, err))
		return -1;
	if (info.tasks)
		return error_set(err, EBUSY, "group %s has %u tasks: end them first, with coppice task kill %s",
				 name, info.tasks, name);
	return state_remove(STATE_GROUPS, name, err);
}

/* A descriptor of the lock: nobody deletes the group or is admitted until it is closed. */
static int admit(const char *group, struct error *err)
{
	int lock = state_lock(err);
	struct group_info info;
	int ret = -1;

	if (lock < 0)
		return -1;
	if (!read_group(group, &info, err) && (!info.max_tasks || !count_tasks(&info, err))) {
		if (!info.max_tasks || info.tasks < info.max_tasks)
			return lock;
		ret = error_set(err, EAGAIN, "group %s has as many tasks as it may have (%u): wait for one to end or raise the limit",
				group, info.max_tasks);
	}
	close(lock);
	return ret;
}

static int each_member(const struct members *members, task_fn fn, void *data)
{
	struct proc_stat process;
	int ret = 0;
	size_t i;

	for (i = 0; i < members->nr && !ret; i++) {
		struct task_info info = { .id = members->pids[i], .pid = members->pids[i] };

		if (!proc_stat(info.pid, &process))
			continue;
		snprintf(info.group, sizeof(info.group), "%s", members->group->name);
		info.forked = contains(members->pids, members->nr, process.parent);
		info.age_ms = proc_age_ms(process.start);
		ret = fn(&info, data);
	}
	return ret;
}

static int each_task(const struct group_info *group, task_fn fn, void *data,
		     struct error *err)
{
	struct members members;
	int ret = find_members(group, &members, err) ? -1 : each_member(&members, fn, data);

	free(members.pids);
	return ret;
}

struct task_walk {
	task_fn fn;
	void *data;
	struct error *err;
};

static int each_group_task(const struct group_info *group, void *data)
{
	const struct task_walk *walk = data;

	return each_task(group, walk->fn, walk->data, walk->err);
}

static int task_each(const char *group, task_fn fn, void *data, struct error *err)
{
	struct task_walk walk = { fn, data, err };
	struct group_info info;

	if (!group)
		return group_each(each_group_task, &walk, err);
	if (group_get(group, &info, err))
		return -1;
	return each_task(&info, fn, data, err);
}

static int open_image(const char *group, struct group_info *info, struct record *record,
		      struct error *err)
{
	autoclose int lock = state_lock(err);

	if (lock < 0 || read_group(group, info, err) || find_image(info->image, record, err))
		return -1;
	return keeper_open(&record->keeper, err);
}

static int launch_open(const char *group, struct launch *launch, struct error *err)
{
	struct group_info info;
	struct record record;
	struct image image;
	int ret;

	*launch = (struct launch) { .fd = open_image(group, &info, &record, err) };
	if (launch->fd < 0)
		return -1;
	launch->group = info.id;
	ret = memfd_image_read(launch->fd, &record.layout, false, &image, err);
	if (!ret) {
		ret = launch_fill(launch, &image, err);
		image_free(&image);
	}
	if (ret)
		launch_free(launch);
	return ret;
}

/*
 * Status.
 */

static int sum_image(const struct image_info *image, void *data)
{
	struct store_info *info = data;

	info->images++;
	info->store_pages += image->pages;
	info->image_pages += image->pages;
	return 0;
}

static int sum_group(const struct group_info *group, void *data)
{
	struct store_info *info = data;

	info->groups++;
	info->tasks += group->tasks;
	return 0;
}

static int status(struct store_info *info, struct error *err)
{
	*info = (struct store_info) {};
	return image_each(sum_image, info, err) || group_each(sum_group, info, err) ? -1 : 0;
}

const struct backend backend_memfd = {
	.name = "memfd",
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
	.launch_open = launch_open,
	.launch_close = launch_free,
	.admit = admit,
};
