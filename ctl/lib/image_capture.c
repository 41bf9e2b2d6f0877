// SPDX-License-Identifier: GPL-2.0
/*
 * A template's memory becomes an image.
 *
 * Everything mapped is taken, also file pages that the template never touched: tasks have no
 * files mapped, only the image. Anonymous memory that was never touched becomes fresh
 * memory in tasks, where it is long enough to be worth a mapping of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hub.h"
#include "image.h"
#include "template_check.h"
#include "template_maps.h"

#define PAGE		4096UL
/*
 * Shorter holes are stored as zero pages, which the store holds once: two mappings less for each start. CPython's
 * arenas of 1 MiB are, when they are hardly used.
 */
#define HOLE_MIN	(256 * PAGE)
/* Tasks' stacks grow like other processes' by default: to 8 MiB. */
#define STACK_SIZE	(8UL << 20)
#define STACK_GAP	(1UL << 20)

static bool extends(const struct image_segment *last, const struct image_segment *next)
{
	if (last->start + last->len != next->start || last->prot != next->prot ||
	    !last->data != !next->data)
		return false;
	return !last->name || !next->name || !strcmp(last->name, next->name);
}

/* Takes over next->name. Mappings that continue each other become one segment. */
static int segment_append(struct image *image, struct image_segment *next, struct error *err)
{
	struct image_segment *segments = image->segments;
	size_t nr = image->nr_segments;

	if (nr && extends(&segments[nr - 1], next)) {
		segments[nr - 1].len += next->len;
		free(next->name);
		return 0;
	}
	if (!(nr & (nr - 1))) {
		segments = realloc(segments, (nr ? nr * 2 : 1) * sizeof(*segments));
		if (!segments) {
			free(next->name);
			return error_set(err, ENOMEM, "out of memory: free memory and try again");
		}
		image->segments = segments;
	}
	segments[nr] = *next;
	image->nr_segments++;
	return 0;
}

/* A cursor through the image's buffer, which segments' data lies in one after the other. */
struct capture {
	struct image *image;
	struct template_memory memory;
	char *at;
};

static int take(struct capture *capture, const struct template_vma *vma, uint64_t start,
		uint64_t len, bool data, struct error *err)
{
	struct image_segment segment = { .start = start, .len = len, .prot = vma->prot };

	if (!len)
		return 0;
	if (data) {
		if (template_read(&capture->memory, start, capture->at, len, err))
			return -1;
		segment.data = capture->at;
		capture->at += len;
	}
	if (*vma->name)
		segment.name = strdup(vma->name);
	return segment_append(capture->image, &segment, err);
}

/* Touched and short untouched runs are taken together, long untouched ones as holes. */
static int take_anonymous(struct capture *capture, const struct template_vma *vma,
			  struct error *err)
{
	uint64_t from = vma->start, at, len;
	bool touched;

	for (at = from; at < vma->end; at += len) {
		len = template_run(&capture->memory, at, vma->end, &touched);
		if (touched || (len < HOLE_MIN && len < vma->end - vma->start))
			continue;
		if (take(capture, vma, from, at - from, true, err) ||
		    take(capture, vma, at, len, false, err))
			return -1;
		from = at + len;
	}
	return take(capture, vma, from, vma->end - from, true, err);
}

/* A template's stack grows by faults; in a task it has room to begin with. */
static int take_stack_room(struct capture *capture, const struct template_vma *vma,
			   uint64_t floor, struct error *err)
{
	uint64_t size = vma->end - vma->start;
	uint64_t room = size < STACK_SIZE ? STACK_SIZE - size : 0;

	if (vma->start - floor < room + STACK_GAP)
		return 0;
	return take(capture, vma, vma->start - room, room, false, err);
}

static int take_vma(struct capture *capture, const struct template_vma *vma, uint64_t floor,
		    struct error *err)
{
	if (!strcmp(vma->name, "[stack]") && take_stack_room(capture, vma, floor, err))
		return -1;
	if (vma->file && !vma->prot)
		return take(capture, vma, vma->start, vma->end - vma->start, false, err);
	if (vma->file || vma->shared)
		return take(capture, vma, vma->start, vma->end - vma->start, true, err);
	return take_anonymous(capture, vma, err);
}

/* At most what is mapped; what is not used of it stays untouched. */
static int buffer_alloc(struct capture *capture, struct error *err)
{
	struct image *image = capture->image;
	size_t i;

	for (i = 0; i < capture->memory.nr_vmas; i++)
		image->buffer_len += capture->memory.vmas[i].end - capture->memory.vmas[i].start;
	image->buffer = mmap(NULL, image->buffer_len, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (image->buffer != MAP_FAILED) {
		capture->at = image->buffer;
		return 0;
	}
	image->buffer = NULL;
	image->buffer_len = 0;
	return error_set(err, ENOMEM, "no memory for the template's content: free memory and try again");
}

static int take_all(struct capture *capture, struct error *err)
{
	const struct template_memory *memory = &capture->memory;
	uint64_t floor = 0;
	size_t i;

	for (i = 0; i < memory->nr_vmas; i++)
		if (template_check_vma(&memory->vmas[i], err))
			return -1;
	if (buffer_alloc(capture, err))
		return -1;
	for (i = 0; i < memory->nr_vmas; i++) {
		if (take_vma(capture, &memory->vmas[i], floor, err))
			return -1;
		floor = memory->vmas[i].end;
	}
	return 0;
}

static bool known_library(const struct image *image, const char *path)
{
	size_t i;

	for (i = 0; i < image->nr_libraries; i++)
		if (!strcmp(image->libraries[i].path, path))
			return true;
	return false;
}

static int library_append(struct image *image, const char *path, struct error *err)
{
	struct image_library *libraries, library = {};

	/* Without a build-id there is nothing to compare later. */
	if (hub_build_id(path, library.build_id, &library.build_id_len))
		return 0;
	libraries = realloc(image->libraries, (image->nr_libraries + 1) * sizeof(*libraries));
	if (libraries)
		image->libraries = libraries;
	library.path = strdup(path);
	if (!libraries || !library.path) {
		free(library.path);
		return error_set(err, ENOMEM, "out of memory: free memory and try again");
	}
	libraries[image->nr_libraries++] = library;
	return 0;
}

/* Files whose code the image holds. */
static int take_libraries(struct capture *capture, struct error *err)
{
	const struct template_memory *memory = &capture->memory;
	size_t i;

	for (i = 0; i < memory->nr_vmas; i++) {
		const struct template_vma *vma = &memory->vmas[i];

		if (!vma->file || !(vma->prot & PROT_EXEC) || known_library(capture->image, vma->name))
			continue;
		if (library_append(capture->image, vma->name, err))
			return -1;
	}
	return 0;
}

static void take_record(struct image *image, const struct coppice_record *record)
{
	image->entry = record->entry;
	image->stack = record->stack;
	image->vdso = record->vdso;
	image->vvar = record->vvar;
	image->mm = record->mm;
	memcpy(image->comm, record->comm, sizeof(image->comm));
	image->comm[sizeof(image->comm) - 1] = '\0';
}

int image_capture(struct image *image, pid_t template, const struct coppice_record *record,
		  int record_fd, struct error *err)
{
	struct capture capture = { .image = image };
	int ret;

	*image = (struct image){};
	if (template_check(template, record_fd, err) ||
	    template_open(&capture.memory, template, err))
		return -1;
	take_record(image, record);
	ret = take_all(&capture, err) || take_libraries(&capture, err) ||
	      hub_describe(image, err);
	template_close(&capture.memory);
	if (!ret)
		return 0;
	image_free(image);
	return -1;
}
