// SPDX-License-Identifier: GPL-2.0
/* Library overrides of groups. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "image_again.h"
#include "lib/cleanup.h"
#include "lib/group.h"
#include "lib/library.h"
#include "lib/name.h"
#include "lib/recipe.h"
#include "lib/user.h"
#include "override_library.h"

#define NUMBER_MAX	10000

/* A group and how its image was built. */
struct target {
	struct group_info group;
	json_t *recipe;
	json_t *libraries;	/* what the next image is to have */
};

static void close_target(struct target *target)
{
	json_decref(target->recipe);
	json_decref(target->libraries);
}

/* Everything that would refuse the move is asked before the minutes of a build. */
static int open_target(struct context *ctx, const char *name, struct target *target,
		       struct error *err)
{
	const struct backend *backend = ctx->backend;

	*target = (struct target) {};
	if (name_check("a group", name, err) || backend->group_get(name, &target->group, err))
		return -1;
	if (target->group.tasks)
		return error_set(err, EBUSY, "group %s has %u tasks, which would keep the image without the change: end them first (coppice task kill %s)",
				 name, target->group.tasks, name);
	target->recipe = recipe_read(backend, target->group.image, err);
	if (!target->recipe)
		return err->code == ENOENT ?
			error_set(err, ENOENT, "image %s was not built on this hub since it started, so it can't be built again with other libraries: build it here, where image build takes --library too",
				  target->group.image) : -1;
	target->libraries = json_copy(json_object_get(target->recipe, "libraries"));
	return target->libraries ? 0 : error_set(err, ENOMEM, "out of memory");
}

/* GROUP.1, or the next one that is free: the group has its old image until it has the new one. */
static int free_name(struct context *ctx, const char *group, char name[IMAGE_NAME_MAX + 1],
		     struct error *err)
{
	struct image_info info;
	unsigned int i;

	for (i = 1; i < NUMBER_MAX; i++) {
		snprintf(name, IMAGE_NAME_MAX + 1, "%.56s.%u", group, i);
		if (ctx->backend->image_get(name, &info, err))
			return err->code == ENOENT ? 0 : -1;
	}
	return error_set(err, EEXIST, "all names from %.56s.1 to %.56s.%d are images: delete some", group,
			 group, NUMBER_MAX - 1);
}

/* The image that the group's were built in place of. */
static const char *base_of(const struct target *target)
{
	const char *base = json_string_value(json_object_get(target->recipe, "base"));

	return base ? base : target->group.image;
}

static int drop(struct context *ctx, const char *image)
{
	struct error ignored;

	return recipe_drop_image(ctx->backend, image, &ignored);
}

static int rebuild_and_move(struct context *ctx, struct target *target, struct error *err)
{
	char name[IMAGE_NAME_MAX + 1];
	struct error second;

	if (free_name(ctx, target->group.name, name, err))
		return -1;
	if (image_build_again(ctx, target->recipe, base_of(target), name, target->libraries, err))
		return error_prefix(err, "image %s cannot be built again", base_of(target));
	if (!group_move(ctx->backend, target->group.name, target->group.image, name, err)) {
		/* The override is in force; that an image is left over does not change that. */
		(void)!drop(ctx, target->group.image);
		return 0;
	}
	if (ctx->backend->image_delete(name, &second) ||
	    recipe_remove(ctx->backend, name, &second))
		return error_prefix(err, "image %s is left over (%.100s)", name, second.text);
	return -1;
}

/*
 * Adding.
 */

static const struct column fields[] = {
	{ "group", "group", COLUMN_TEXT },
	{ "provider", "provider's library", COLUMN_TEXT },
	{ "local", "local library", COLUMN_TEXT },
	{ "kind", "kind", COLUMN_TEXT },
	{ "overridden_count", "overridden", COLUMN_NUMBER },
	{ "falls_through_count", "fall through", COLUMN_NUMBER },
	{ "added_count", "added", COLUMN_NUMBER },
	{ "overridden", "overridden names", COLUMN_TEXT },
	{ "falls_through", "that fall through", COLUMN_TEXT },
	{}
};

static json_int_t count(const json_t *record, const char *key)
{
	return json_array_size(json_object_get(record, key));
}

/* What a record tells to people; what is mounted is for tasks. */
static json_t *describe(const char *group, const json_t *record)
{
	json_t *row = json_pack("{s:s, s:s, s:I, s:I, s:I}", "group", group, "protocol", "library",
				"overridden_count", count(record, "overridden"),
				"falls_through_count", count(record, "falls_through"),
				"added_count", count(record, "added"));
	const char *changed = library_changed(record);

	json_object_update_missing(row, (json_t *)record);
	json_object_del(row, "mounts");
	json_object_set_new(row, "state", json_string(changed ? "stale" : "in force"));
	json_object_set_new(row, "changed", changed ? json_string(changed) : json_null());
	return row;
}

static int refuse_twice(const struct target *target, const json_t *record, struct error *err)
{
	const char *provider = json_string_value(json_object_get(record, "provider"));

	if (!library_find(json_object_get(target->recipe, "libraries"), provider))
		return 0;
	return error_set(err, EEXIST, "group %s has an override of %.200s already: delete that one first",
			 target->group.name, provider);
}

static int add(struct context *ctx, struct target *target, const struct library_request *request,
	       struct error *err)
{
	autojson json_t *record = NULL, *made = NULL, *row = NULL;
	struct error second;

	output_progress(ctx, "%s: comparing the libraries", target->group.name);
	record = library_make(request, err);
	if (!record)
		return -1;
	made = json_pack("[O]", record);
	json_array_append(target->libraries, record);
	if (refuse_twice(target, record, err) || rebuild_and_move(ctx, target, err)) {
		(void)!recipe_drop_libraries(made, &second);
		return -1;
	}
	row = describe(target->group.name, record);
	return output_object(ctx, row, fields, err);
}

int override_library_add(struct context *ctx, const char *group, const char *provider,
			 const char *local, bool strict, struct error *err)
{
	struct library_request request = {
		.provider = provider, .local = local, .strict = strict,
	};
	struct target target;
	struct user user;
	int ret = -1;

	if (!open_target(ctx, group, &target, err) &&
	    !user_by_uid(target.group.owner, &user, err)) {
		request.user = &user;
		ret = add(ctx, &target, &request, err);
	}
	output_progress(ctx, "%s", "");
	close_target(&target);
	return ret;
}

/*
 * Deleting.
 */

static int remove_record(struct target *target, const char *provider, struct error *err)
{
	const json_t *found = library_find(target->libraries, provider), *record;
	size_t i;

	json_array_foreach(target->libraries, i, record)
		if (record == found)
			return json_array_remove(target->libraries, i);
	return error_set(err, ENOENT, "group %s has no override of the library %.200s: see coppice override list %s",
			 target->group.name, provider, target->group.name);
}

/* The image without any library override may still be there, and was built before. */
static bool base_fits(struct context *ctx, const struct target *target)
{
	autojson json_t *libraries = NULL;
	struct image_info info;
	struct error ignored;

	if (base_of(target) == target->group.image ||
	    ctx->backend->image_get(base_of(target), &info, &ignored))
		return false;
	libraries = recipe_libraries(ctx->backend, base_of(target), &ignored);
	return libraries && json_equal(libraries, target->libraries);
}

int override_library_delete(struct context *ctx, const char *group, const char *provider,
			    struct error *err)
{
	struct target target;
	int ret = -1;

	if (!open_target(ctx, group, &target, err) && !remove_record(&target, provider, err)) {
		if (base_fits(ctx, &target)) {
			ret = group_move(ctx->backend, group, target.group.image, base_of(&target),
					 err);
			if (!ret)
				(void)!drop(ctx, target.group.image);
		} else {
			ret = rebuild_and_move(ctx, &target, err);
		}
	}
	output_progress(ctx, "%s", "");
	close_target(&target);
	return ret;
}

/*
 * Listing.
 */

struct listing {
	const struct backend *backend;
	const char *group;	/* or NULL */
	json_t *rows;
	struct error *err;
};

static int add_rows(const struct group_info *info, void *data)
{
	struct listing *listing = data;
	autojson json_t *libraries = NULL;
	const json_t *record;
	json_t *row;
	size_t i;

	if (listing->group && strcmp(listing->group, info->name))
		return 0;
	libraries = recipe_libraries(listing->backend, info->image, listing->err);
	if (!libraries)
		return -1;
	json_array_foreach(libraries, i, record) {
		row = describe(info->name, record);
		/* The table's columns. */
		json_object_set(row, "endpoint", json_object_get(record, "provider"));
		json_object_set(row, "handler", json_object_get(record, "local"));
		if (json_array_append_new(listing->rows, row))
			return error_set(listing->err, ENOMEM, "out of memory");
	}
	return 0;
}

int override_library_rows(json_t *rows, const char *group, struct error *err)
{
	struct listing listing = { .group = group, .rows = rows, .err = err };
	struct error ignored;

	listing.backend = &backend_kernel;
	if (backend_kernel.available(&ignored) &&
	    backend_kernel.group_each(add_rows, &listing, err))
		return -1;
	listing.backend = &backend_memfd;
	return backend_memfd.group_each(add_rows, &listing, err);
}
