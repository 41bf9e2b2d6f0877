// SPDX-License-Identifier: GPL-2.0
/* coppice image show IMAGE */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include "cmd.h"
#include "describe.h"
#include "lib/cleanup.h"

static const struct column fields[] = {
	{ "name", "name", COLUMN_TEXT },
	{ "owner", "owner", COLUMN_TEXT },
	{ "command", "command", COLUMN_TEXT },
	{ "entry", "entry", COLUMN_TEXT },
	{ "bytes", "size", COLUMN_BYTES },
	{ "pages", "pages with content", COLUMN_NUMBER },
	{ "added_pages", "pages added to the store", COLUMN_NUMBER },
	{ "huge_pages", "huge pages (2 MiB)", COLUMN_NUMBER },
	{ "groups", "groups", COLUMN_NUMBER },
	{ "library_paths", "libraries", COLUMN_TEXT },
	{}
};

static const struct column segment_columns[] = {
	{ "start", "START", COLUMN_TEXT },
	{ "end", "END", COLUMN_TEXT },
	{ "prot", "PROT", COLUMN_TEXT },
	{ "len", "SIZE", COLUMN_BYTES },
	{ "content", "CONTENT", COLUMN_TEXT },
	{ "name", "NAME", COLUMN_TEXT },
	{}
};

static json_t *describe_segment(const struct image_segment *segment)
{
	char start[24], end[24], prot[4];

	snprintf(start, sizeof(start), "%#" PRIx64, segment->start);
	snprintf(end, sizeof(end), "%#" PRIx64, segment->start + segment->len);
	snprintf(prot, sizeof(prot), "%c%c%c", segment->prot & PROT_READ ? 'r' : '-',
		 segment->prot & PROT_WRITE ? 'w' : '-', segment->prot & PROT_EXEC ? 'x' : '-');
	return json_pack("{s:s, s:s, s:s, s:I, s:b, s:s?, s:I}", "start", start, "end", end,
			 "prot", prot, "len", (json_int_t)segment->len,
			 "content", segment->data != NULL, "name", segment->name,
			 "offset", (json_int_t)segment->offset);
}

static json_t *describe_library(const struct image_library *library)
{
	char id[2 * sizeof(library->build_id) + 1] = "";
	size_t i;

	for (i = 0; i < library->build_id_len; i++)
		snprintf(id + 2 * i, 3, "%02x", library->build_id[i]);
	return json_pack("{s:s, s:s}", "path", library->path, "build_id", id);
}

static int add_lists(json_t *object, const struct image *image)
{
	json_t *segments = json_array(), *libraries = json_array(), *paths = json_array();
	size_t i;
	int ret = 0;

	for (i = 0; i < image->nr_segments; i++)
		ret |= json_array_append_new(segments, describe_segment(&image->segments[i]));
	for (i = 0; i < image->nr_libraries; i++) {
		ret |= json_array_append_new(libraries, describe_library(&image->libraries[i]));
		ret |= json_array_append_new(paths, json_string(image->libraries[i].path));
	}
	ret |= json_object_set_new(object, "libraries", libraries);
	ret |= json_object_set_new(object, "library_paths", paths);
	return ret | json_object_set_new(object, "segments", segments);
}

static json_t *describe(const struct image_info *info, const struct image *image)
{
	json_t *object = describe_image(info);
	char entry[24];

	snprintf(entry, sizeof(entry), "%#" PRIx64, image->entry);
	if (json_object_set_new(object, "command", json_string(image->comm)) ||
	    json_object_set_new(object, "entry", json_string(entry)) ||
	    json_object_set_new(object, "segment_count", json_integer(image->nr_segments)) ||
	    add_lists(object, image)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static int print(const struct context *ctx, json_t *object, struct error *err)
{
	if (output_object(ctx, object, fields, err))
		return -1;
	if (ctx->json)
		return 0;
	putchar('\n');
	return output_rows(ctx, json_object_get(object, "segments"), segment_columns, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *object = NULL;
	struct image_info info;
	struct image image;
	const char *name;

	if (cmd_parse_one(&cmd_image_show, argc, argv, "the name of the IMAGE", &name, err) ||
	    ctx->backend->image_get(name, &info, err) ||
	    ctx->backend->image_read(name, &image, err))
		return -1;
	object = describe(&info, &image);
	image_free(&image);
	if (!object)
		return error_set(err, ENOMEM, "out of memory");
	return print(ctx, object, err);
}

const struct command cmd_image_show = {
	.object = "image",
	.verb = "show",
	.args = "IMAGE",
	.summary = "Show what an image is made of and depends on",
	.needs_backend = true,
	.run = run,
};
