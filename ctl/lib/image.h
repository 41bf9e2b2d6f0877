/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An image in the controller's memory: what `image build` reads from a
 * template, what an ELF core file holds, and what a backend loads.
 *
 * image_capture.c fills one from a template, image_elf.c from ELF files, image_file.c reads and writes ELF
 * core files, image_check.c says whether one fits this hub, backends load and
 * read back.
 */
#ifndef COPPICE_IMAGE_H
#define COPPICE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "runtime/abi.h"

#define IMAGE_NAME_MAX 63

struct image_segment {
	uint64_t start;
	uint64_t len;
	uint32_t prot;		/* PROT_* */
	const void *data;	/* len bytes, or NULL: fresh zeroed memory */
	char *name;		/* what /proc/PID/maps called it, or NULL */
	uint32_t library;	/* of a library image: number of its file in libraries, from 1 */
	uint64_t offset;	/* and where it lies in that file */
};

/* A file whose code is in the image: refused where the hub's differs. */
struct image_library {
	char *path;
	uint8_t build_id[32];
	uint8_t build_id_len;
};

#define IMAGE_CPU_WORDS 8

struct image {
	uint64_t entry;
	uint64_t stack;
	struct coppice_span vdso, vvar;
	struct coppice_mm mm;
	char comm[16];
	uint8_t vdso_build_id[32];
	uint8_t vdso_build_id_len;
	uint32_t cpu[IMAGE_CPU_WORDS];	/* see ARCH/cpu.c */
	struct image_segment *segments;	/* sorted, not overlapping */
	size_t nr_segments;
	struct image_library *libraries;
	size_t nr_libraries;
	void *buffer;			/* what segments' data points into */
	size_t buffer_len;		/* mmap()ed if not 0 */
};

void image_free(struct image *image);

/* Made of files, with no entry: nothing runs in it, running tasks are adopted with it. */
static inline bool image_is_library(const struct image *image)
{
	return !image->entry && !image->stack;
}

/*
 * The notes: all but the segments, in the form that is both the ELF file's
 * PT_NOTE descriptor ("COPPICE") and what the module keeps for us. Little-endian,
 * versioned; every field is checked when read. Caller frees *notes.
 */
int __must_check image_notes_pack(const struct image *image, void **notes,
				  size_t *len, struct error *err);
int __must_check image_notes_unpack(struct image *image, const void *notes,
				    size_t len, struct error *err);

/* ELF core files (elfutils). Reading validates everything; hostile input is an error. */
int __must_check image_file_write(const struct image *image, const char *path,
				  struct error *err);
int __must_check image_file_read(struct image *image, const char *path,
				 struct error *err);

/* Refuses with the first reason why @image does not fit this hub; compares with hub.h. */
int __must_check image_check(const struct image *image, struct error *err);

/*
 * A library image of the read-only segments of ELF files (image_elf.c). Every field is
 * checked: a file that is no good is refused with one sentence.
 */
int __must_check image_from_elf(struct image *image, const char *const *paths, size_t nr,
				struct error *err);

/* Reads a template that waits at its checkpoint; refuses what can't be carried. */
int __must_check image_capture(struct image *image, pid_t template,
			       const struct coppice_record *record,
			       int record_fd, struct error *err);

#endif /* COPPICE_IMAGE_H */
