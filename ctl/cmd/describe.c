// SPDX-License-Identifier: GPL-2.0
/* Images, groups and tasks as JSON. */
#include "describe.h"
#include "lib/devices.h"
#include "lib/usage.h"
#include "lib/user.h"

json_t *describe_image(const struct image_info *info)
{
	return json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}",
			 "name", info->name, "id", (json_int_t)info->id,
			 "owner", user_name(info->owner), "owner_uid", (json_int_t)info->owner,
			 "segments", (json_int_t)info->segments,
			 "bytes", (json_int_t)info->bytes, "pages", (json_int_t)info->pages,
			 "added_pages", (json_int_t)info->added_pages,
			 "huge_pages", (json_int_t)info->huge_pages,
			 "groups", (json_int_t)info->groups,
			 "library", info->library);
}

json_t *describe_group(const struct group_info *info)
{
	return json_pack("{s:s, s:I, s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}",
			 "name", info->name, "id", (json_int_t)info->id, "image", info->image,
			 "owner", user_name(info->owner), "owner_uid", (json_int_t)info->owner,
			 "cgroup", info->cgroup, "reshare", info->reshare,
			 "max_tasks", (json_int_t)info->max_tasks,
			 "tasks", (json_int_t)info->tasks,
			 "entered", (json_int_t)info->entered,
			 "forked", (json_int_t)info->forked,
			 "faults", (json_int_t)info->faults,
			 "mapped_ahead", (json_int_t)info->mapped_ahead,
			 "copied_ahead", (json_int_t)info->copied_ahead,
			 "touched", (json_int_t)info->touched,
			 "written", (json_int_t)info->written,
			 "given_back", (json_int_t)info->given_back,
			 "resets", (json_int_t)info->resets,
			 "adopted", (json_int_t)info->adopted,
			 "adopted_pages", (json_int_t)info->adopted_pages,
			 "adopt", info->adopt);
}

json_t *describe_task(const struct task_info *info)
{
	return json_pack("{s:I, s:i, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:I}",
			 "id", (json_int_t)info->id, "pid", info->pid, "group", info->group,
			 "forked", info->forked, "age_ms", (json_int_t)info->age_ms,
			 "faults", (json_int_t)info->faults,
			 "mapped_ahead", (json_int_t)info->mapped_ahead,
			 "copied_ahead", (json_int_t)info->copied_ahead,
			 "given_back", (json_int_t)info->given_back,
			 "resets", (json_int_t)info->resets,
			 "adopted", info->adopted,
			 "adopted_pages", (json_int_t)info->adopted_pages);
}

json_t *describe_group_usage(const struct context *ctx, const struct group_info *info,
			     struct error *err)
{
	struct usage usage;
	struct saved saved;
	json_t *object;

	if (usage_group(ctx->backend, info->name, &usage, err) ||
	    usage_saved(ctx->backend, info, &usage, &saved, err))
		return NULL;
	object = describe_group(info);
	usage_describe(object, &usage);
	json_object_set_new(object, "image_bytes", json_integer(saved.image));
	json_object_set_new(object, "saved_bytes", json_integer(saved.bytes));
	return object;
}

json_t *describe_task_usage(const struct context *ctx, const struct task_info *info,
			    struct error *err)
{
	struct usage usage;
	json_t *object;

	if (usage_task(ctx->backend, info, &usage, err))
		return NULL;
	object = describe_task(info);
	usage_describe(object, &usage);
	return object;
}

/* "a, b" of both lists, for the table; "-" would be an empty cell's. */
static json_t *joined(const json_t *functions, const json_t *groups)
{
	const json_t *lists[] = { functions, groups };
	char text[512] = "";
	size_t len = 0, i, j;

	for (i = 0; i < 2; i++)
		for (j = 0; j < json_array_size(lists[i]) && len < sizeof(text); j++)
			len += snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "",
					json_string_value(json_array_get(lists[i], j)));
	return len ? json_string(text) : json_null();
}

json_t *describe_device(const struct known_device *device)
{
	json_t *object = known_device_json(device);

	json_object_set_new(object, "has_token", json_boolean(device->token[0]));
	json_object_set_new(object, "may", joined(json_object_get(object, "functions"),
						  json_object_get(object, "groups")));
	return object;
}
