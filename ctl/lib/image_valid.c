// SPDX-License-Identifier: GPL-2.0
/* What any image must be: segments where tasks can have them, an entry and a stack in them. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "arch.h"
#include "image_valid.h"

#define USER_START	(16 * IMAGE_PAGE)

static int refuse(uint64_t start, const char *what, struct error *err)
{
	return error_set(err, ENOEXEC, "the segment at %#" PRIx64 " %s", start, what);
}

static bool in_user_space(uint64_t start, uint64_t len)
{
	return start >= USER_START && start < ARCH_USER_END && len <= ARCH_USER_END - start;
}

static int check_segment(const struct image_segment *segment, uint64_t floor,
			 struct error *err)
{
	if (!segment->len)
		return refuse(segment->start, "is empty", err);
	if (segment->start % IMAGE_PAGE || segment->len % IMAGE_PAGE)
		return refuse(segment->start, "is not page-aligned", err);
	if (segment->start < USER_START)
		return refuse(segment->start, "starts below 64 KiB, which no task may map", err);
	if (!in_user_space(segment->start, segment->len))
		return refuse(segment->start, "reaches into the kernel's addresses", err);
	if (segment->start < floor)
		return refuse(segment->start, "overlaps the one before it, or is out of order",
			      err);
	if (segment->prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
		return refuse(segment->start, "has an unknown protection", err);
	return 0;
}

int image_segments_valid(const struct image *image, struct error *err)
{
	uint64_t floor = 0, pages = 0;
	size_t i;

	if (!image->nr_segments || image->nr_segments > IMAGE_SEGMENTS_MAX)
		return error_set(err, ENOEXEC, "it has %zu segments: an image has 1 to %d",
				 image->nr_segments, IMAGE_SEGMENTS_MAX);
	for (i = 0; i < image->nr_segments; i++) {
		const struct image_segment *segment = &image->segments[i];

		if (check_segment(segment, floor, err))
			return -1;
		floor = segment->start + segment->len;
		pages += segment->data ? segment->len / IMAGE_PAGE : 0;
	}
	if (!pages || pages > IMAGE_PAGES_MAX)
		return error_set(err, ENOEXEC, "it has %" PRIu64 " pages with content: an image has 1 to %lu",
				 pages, IMAGE_PAGES_MAX);
	return 0;
}

static bool allows(const struct image *image, uint64_t addr, uint32_t prot)
{
	size_t i;

	for (i = 0; i < image->nr_segments; i++)
		if (addr - image->segments[i].start < image->segments[i].len)
			return (image->segments[i].prot & prot) == prot;
	return false;
}

/* The kernel's own pages: moved to the span in each task, so nothing else is there. */
static int check_span(const struct image *image, const char *name,
		      const struct coppice_span *span, struct error *err)
{
	size_t i;

	if (!span->len)
		return 0;
	if (span->start % IMAGE_PAGE || span->len % IMAGE_PAGE ||
	    !in_user_space(span->start, span->len))
		return error_set(err, ENOEXEC, "its %s is at %#" PRIx64 ", where none can be",
				 name, span->start);
	for (i = 0; i < image->nr_segments; i++)
		if (image->segments[i].start < span->start + span->len &&
		    span->start < image->segments[i].start + image->segments[i].len)
			return refuse(image->segments[i].start, "overlaps the vDSO", err);
	return 0;
}

/* Its pages take the place of files' pages: each is from one, and none can be written. */
static int check_library(const struct image *image, struct error *err)
{
	size_t i;

	for (i = 0; i < image->nr_segments; i++) {
		const struct image_segment *segment = &image->segments[i];

		if (!segment->data || (segment->prot & PROT_WRITE))
			return refuse(segment->start, "is writable or empty, and no library's is", err);
		if (!segment->library || segment->library > image->nr_libraries)
			return refuse(segment->start, "is from no file that the notes name", err);
		if (segment->offset % IMAGE_PAGE || segment->offset > INT64_MAX - segment->len)
			return refuse(segment->start, "is from no place that a file has", err);
	}
	return 0;
}

int image_valid(const struct image *image, struct error *err)
{
	if (image_segments_valid(image, err))
		return -1;
	if (image_is_library(image))
		return check_library(image, err);
	if (!allows(image, image->entry, PROT_EXEC))
		return error_set(err, ENOEXEC, "its entry %#" PRIx64 " is in no executable segment",
				 image->entry);
	if (!image->stack || !allows(image, image->stack - 1, PROT_READ | PROT_WRITE))
		return error_set(err, ENOEXEC, "its stack pointer %#" PRIx64 " is in no writable segment",
				 image->stack);
	if (check_span(image, "vDSO", &image->vdso, err))
		return -1;
	return check_span(image, "vvar", &image->vvar, err);
}
