// SPDX-License-Identifier: GPL-2.0
/*
 * The notes of an image: all but its segments, packed.
 *
 * Little-endian, without padding, every variable part with its length before it:
 *
 *	u32 magic, u32 version, u32 size of all
 *	u64 entry, stack, vdso.start, vdso.len, vvar.start, vvar.len, mm (7)
 *	16 bytes comm; u8 length and 32 bytes of the vDSO's build-id
 *	u32 cpu[8]
 *	u32 libraries, each: u8 and 32 bytes of build-id, u16 length and bytes of path
 *	u32 names, each: u64 start of a segment, u16 length and bytes
 *	version 2, of library images: u32 sources, each: u64 start of a segment,
 *		u32 number of its library from 1, u64 offset in that file
 *
 * A reader takes nothing that it has not checked: notes come from files.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

#define NOTES_MAGIC	0x4e504f43u	/* "COPN" */
#define NOTES_VERSION	1	/* of a template's image */
#define NOTES_LIBRARY	2	/* of a library's */
#define NOTES_MAX	(256 * 1024)	/* the module's limit, too */
#define LIBRARIES_MAX	4096
#define TEXT_MAX	4096
#define BUILD_ID_SIZE	32

/*
 * Writing: past the end nothing is stored, and the overflow is kept.
 */

struct writer {
	unsigned char *at, *end;
	bool overflow;
};

static void put(struct writer *w, const void *data, size_t len)
{
	if ((size_t)(w->end - w->at) < len) {
		w->overflow = true;
		return;
	}
	memcpy(w->at, data, len);
	w->at += len;
}

static void put_u8(struct writer *w, uint8_t value)
{
	put(w, &value, sizeof(value));
}

static void put_u16(struct writer *w, uint16_t value)
{
	value = htole16(value);
	put(w, &value, sizeof(value));
}

static void put_u32(struct writer *w, uint32_t value)
{
	value = htole32(value);
	put(w, &value, sizeof(value));
}

static void put_u64(struct writer *w, uint64_t value)
{
	value = htole64(value);
	put(w, &value, sizeof(value));
}

static void put_text(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	if (len > TEXT_MAX)
		w->overflow = true;
	put_u16(w, len);
	put(w, text, len);
}

/* The mm's fields have one order in both directions. */
#define MM_FIELDS(op, mm) do {				\
	op((mm)->start_code); op((mm)->end_code);	\
	op((mm)->start_data); op((mm)->end_data);	\
	op((mm)->start_brk); op((mm)->brk);		\
	op((mm)->start_stack);				\
} while (0)

static void put_fixed(struct writer *w, const struct image *image)
{
	size_t i;

	put_u64(w, image->entry);
	put_u64(w, image->stack);
	put_u64(w, image->vdso.start);
	put_u64(w, image->vdso.len);
	put_u64(w, image->vvar.start);
	put_u64(w, image->vvar.len);
#define PUT(field) put_u64(w, field)
	MM_FIELDS(PUT, &image->mm);
#undef PUT
	put(w, image->comm, sizeof(image->comm));
	put_u8(w, image->vdso_build_id_len);
	put(w, image->vdso_build_id, BUILD_ID_SIZE);
	for (i = 0; i < IMAGE_CPU_WORDS; i++)
		put_u32(w, image->cpu[i]);
}

static void put_libraries(struct writer *w, const struct image *image)
{
	size_t i;

	put_u32(w, image->nr_libraries);
	for (i = 0; i < image->nr_libraries; i++) {
		put_u8(w, image->libraries[i].build_id_len);
		put(w, image->libraries[i].build_id, BUILD_ID_SIZE);
		put_text(w, image->libraries[i].path);
	}
}

/* What names are for is reading: those that do not fit are left out, from the last on. */
static void put_names(struct writer *w, const struct image *image)
{
	unsigned char *count = w->at;
	uint32_t nr = 0, stored;
	size_t i;

	put_u32(w, 0);
	for (i = 0; i < image->nr_segments && !w->overflow; i++) {
		const struct image_segment *segment = &image->segments[i];
		struct writer before = *w;

		if (!segment->name)
			continue;
		put_u64(w, segment->start);
		put_text(w, segment->name);
		if (w->overflow) {
			*w = before;
			break;
		}
		nr++;
	}
	stored = htole32(nr);
	if (!w->overflow)
		memcpy(count, &stored, sizeof(stored));
}

static void put_sources(struct writer *w, const struct image *image)
{
	size_t i;

	put_u32(w, image->nr_segments);
	for (i = 0; i < image->nr_segments; i++) {
		put_u64(w, image->segments[i].start);
		put_u32(w, image->segments[i].library);
		put_u64(w, image->segments[i].offset);
	}
}

int image_notes_pack(const struct image *image, void **notes, size_t *len, struct error *err)
{
	unsigned char *start = calloc(1, NOTES_MAX);
	struct writer w;
	uint32_t size;

	if (!start)
		return error_set(err, ENOMEM, "out of memory");
	w = (struct writer) { .at = start, .end = start + NOTES_MAX };
	put_u32(&w, NOTES_MAGIC);
	put_u32(&w, image_is_library(image) ? NOTES_LIBRARY : NOTES_VERSION);
	put_u32(&w, 0);
	put_fixed(&w, image);
	put_libraries(&w, image);
	put_names(&w, image);
	if (image_is_library(image))
		put_sources(&w, image);
	if (w.overflow) {
		free(start);
		return error_set(err, E2BIG, "what the image depends on takes more than %d KiB of notes: load fewer libraries into the template",
				 NOTES_MAX / 1024);
	}
	*notes = start;
	*len = w.at - start;
	size = htole32(*len);
	memcpy(start + 8, &size, sizeof(size));
	return 0;
}

/*
 * Reading: past the end everything is 0, and the underflow is kept.
 */

struct reader {
	const unsigned char *at, *end;
	bool underflow;
};

static void get(struct reader *r, void *data, size_t len)
{
	if ((size_t)(r->end - r->at) < len) {
		r->underflow = true;
		r->at = r->end;
		memset(data, 0, len);
		return;
	}
	memcpy(data, r->at, len);
	r->at += len;
}

static uint8_t get_u8(struct reader *r)
{
	uint8_t value;

	get(r, &value, sizeof(value));
	return value;
}

static uint16_t get_u16(struct reader *r)
{
	uint16_t value;

	get(r, &value, sizeof(value));
	return le16toh(value);
}

static uint32_t get_u32(struct reader *r)
{
	uint32_t value;

	get(r, &value, sizeof(value));
	return le32toh(value);
}

static uint64_t get_u64(struct reader *r)
{
	uint64_t value;

	get(r, &value, sizeof(value));
	return le64toh(value);
}

/* A text without NUL in it; NULL if there is none or no memory. */
static char *get_text(struct reader *r)
{
	uint16_t len = get_u16(r);
	char *text;

	if (r->underflow || !len || len > TEXT_MAX || (size_t)(r->end - r->at) < len ||
	    memchr(r->at, '\0', len))
		return NULL;
	text = strndup((const char *)r->at, len);
	r->at += len;
	return text;
}

static int get_header(struct reader *r, size_t len, uint32_t *version, struct error *err)
{
	uint32_t magic = get_u32(r), size;

	*version = get_u32(r);
	size = get_u32(r);

	if (r->underflow || magic != NOTES_MAGIC)
		return error_set(err, ENOEXEC, "its notes are not Coppice's: build the image again");
	if (*version != NOTES_VERSION && *version != NOTES_LIBRARY)
		return error_set(err, ENOEXEC, "its notes are of version %u and this controller reads up to version %d: build the image again",
				 *version, NOTES_LIBRARY);
	if (size != len)
		return error_set(err, ENOEXEC, "its notes say that they have %u bytes, and have %zu: the file is damaged",
				 size, len);
	return 0;
}

static int get_fixed(struct reader *r, struct image *image, struct error *err)
{
	size_t i;

	image->entry = get_u64(r);
	image->stack = get_u64(r);
	image->vdso.start = get_u64(r);
	image->vdso.len = get_u64(r);
	image->vvar.start = get_u64(r);
	image->vvar.len = get_u64(r);
#define GET(field) (field) = get_u64(r)
	MM_FIELDS(GET, &image->mm);
#undef GET
	get(r, image->comm, sizeof(image->comm));
	image->vdso_build_id_len = get_u8(r);
	get(r, image->vdso_build_id, BUILD_ID_SIZE);
	for (i = 0; i < IMAGE_CPU_WORDS; i++)
		image->cpu[i] = get_u32(r);
	if (r->underflow)
		return error_set(err, ENOEXEC, "its notes end early: the file is damaged");
	if (image->vdso_build_id_len > BUILD_ID_SIZE || image->comm[sizeof(image->comm) - 1])
		return error_set(err, ENOEXEC, "its notes have a text that is too long: the file is damaged");
	return 0;
}

static int get_library(struct reader *r, struct image_library *library)
{
	library->build_id_len = get_u8(r);
	get(r, library->build_id, BUILD_ID_SIZE);
	library->path = get_text(r);
	return library->path && library->path[0] == '/' &&
	       library->build_id_len <= BUILD_ID_SIZE ? 0 : -1;
}

static int get_libraries(struct reader *r, struct image *image, struct error *err)
{
	uint32_t nr = get_u32(r);

	if (r->underflow || nr > LIBRARIES_MAX)
		return error_set(err, ENOEXEC, "its notes list %u libraries, more than any image has: the file is damaged",
				 nr);
	image->libraries = calloc(nr ? nr : 1, sizeof(*image->libraries));
	if (!image->libraries)
		return error_set(err, ENOMEM, "out of memory");
	while (image->nr_libraries < nr)
		if (get_library(r, &image->libraries[image->nr_libraries++]))
			return error_set(err, ENOEXEC, "its notes have a library without a proper path: the file is damaged");
	return 0;
}

/* Names and segments are both in order of addresses. */
static int get_names(struct reader *r, struct image *image, struct error *err)
{
	uint32_t nr = get_u32(r), i;
	size_t at = 0;

	for (i = 0; i < nr; i++) {
		uint64_t start = get_u64(r);
		char *name = get_text(r);

		while (at < image->nr_segments && image->segments[at].start < start)
			at++;
		if (!name || at == image->nr_segments || image->segments[at].start != start ||
		    image->segments[at].name) {
			free(name);
			return error_set(err, ENOEXEC, "its notes name a segment at %#" PRIx64 " that is not there: the file is damaged",
					 start);
		}
		image->segments[at].name = name;
	}
	return 0;
}

/* One for each segment, in order. */
static int get_sources(struct reader *r, struct image *image, struct error *err)
{
	uint32_t nr = get_u32(r);
	size_t i;

	for (i = 0; i < image->nr_segments; i++) {
		struct image_segment *segment = &image->segments[i];
		uint64_t start = get_u64(r);

		segment->library = get_u32(r);
		segment->offset = get_u64(r);
		if (start != segment->start || nr != image->nr_segments)
			return error_set(err, ENOEXEC, "its notes do not say which file the segment at %#" PRIx64 " is from: the file is damaged",
					 segment->start);
	}
	return 0;
}

int image_notes_unpack(struct image *image, const void *notes, size_t len, struct error *err)
{
	struct reader r = { .at = notes, .end = (const unsigned char *)notes + len };
	uint32_t version;

	if (len > NOTES_MAX)
		return error_set(err, ENOEXEC, "its notes have %zu bytes, and %d is the most: the file is damaged",
				 len, NOTES_MAX);
	if (get_header(&r, len, &version, err) || get_fixed(&r, image, err) ||
	    get_libraries(&r, image, err) || get_names(&r, image, err))
		return -1;
	if (version == NOTES_LIBRARY && get_sources(&r, image, err))
		return -1;
	if (r.underflow || r.at != r.end)
		return error_set(err, ENOEXEC, "its notes do not end where they should: the file is damaged");
	return 0;
}
