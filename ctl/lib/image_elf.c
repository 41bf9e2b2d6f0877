// SPDX-License-Identifier: GPL-2.0
/*
 * A library image: the read-only pages of ELF files, as processes map them.
 *
 * The files are whatever the caller names, and may change while they are read: headers
 * are copied before they are checked, content is read and never mapped. Pages are the
 * file's, from the page in which a segment begins to that in which it ends, zeros behind
 * the end of the file: what the page cache has and every process maps.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "arch.h"
#include "cleanup.h"
#include "hub.h"
#include "image.h"
#include "image_valid.h"

#define FIRST_ADDRESS	(1ULL << 32)	/* means nothing: segments lie one after the other */
#define HEADERS_MAX	1024		/* program headers of a file */
#define PAGES_MAX	(1UL << 20)	/* of all files: what is read is memory until it is loaded */
#define PAGE_DOWN(n)	((n) & ~(uint64_t)(IMAGE_PAGE - 1))
#define PAGE_UP(n)	PAGE_DOWN((n) + IMAGE_PAGE - 1)

/* A file while it is read. */
struct source {
	const char *path;
	int fd;
	uint64_t size;
	Elf *elf;
	size_t nr;		/* program headers */
};

/* Pages of a file. */
struct pages {
	uint64_t from, to;	/* offsets, page-aligned */
	uint32_t prot;
};

static int bad(const char *what, struct error *err)
{
	return error_set(err, ENOEXEC, "%s", what);
}

static int open_source(struct source *source, struct error *err)
{
	struct stat st;

	/* A fifo must not make us wait for a writer. */
	source->fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (source->fd < 0 || fstat(source->fd, &st))
		return error_set(err, errno, "it cannot be opened: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return bad("it is no regular file: give a library or a program", err);
	source->size = st.st_size;
	return 0;
}

static int read_header(struct source *source, struct error *err)
{
	GElf_Ehdr header;

	elf_version(EV_CURRENT);
	source->elf = elf_begin(source->fd, ELF_C_READ, NULL);
	if (!source->elf || elf_kind(source->elf) != ELF_K_ELF ||
	    !gelf_getehdr(source->elf, &header))
		return bad("it is no ELF file: give a library or a program", err);
	if (gelf_getclass(source->elf) != ELFCLASS64 ||
	    header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != ARCH_MACHINE)
		return bad("it is not for " ARCH_NAME ": give a library or a program of this hub", err);
	if (header.e_type != ET_DYN && header.e_type != ET_EXEC)
		return bad("it is neither a library nor a program, so no process maps it", err);
	if (header.e_phentsize != sizeof(Elf64_Phdr) ||
	    elf_getphdrnum(source->elf, &source->nr) || source->nr > HEADERS_MAX)
		return bad("its table of segments is damaged", err);
	/* libelf counts only those that the file has. */
	if (header.e_phnum != source->nr || header.e_phoff > source->size ||
	    source->nr * sizeof(Elf64_Phdr) > source->size - header.e_phoff)
		return bad("it ends within its table of segments: the file is truncated", err);
	return 0;
}

static int check_load(const struct source *source, size_t i, const GElf_Phdr *load,
		      uint64_t floor, struct error *err)
{
	if (load->p_offset > source->size || load->p_filesz > source->size - load->p_offset)
		return error_set(err, ENOEXEC, "its segment %zu lies beyond the end of the file, which is truncated or damaged",
				 i);
	if (load->p_filesz > load->p_memsz || load->p_memsz > INT64_MAX ||
	    load->p_vaddr > INT64_MAX)
		return error_set(err, ENOEXEC, "its segment %zu has no possible size: the file is damaged",
				 i);
	if (load->p_vaddr < floor)
		return error_set(err, ENOEXEC, "its segment %zu overlaps the one before it, or is out of order",
				 i);
	if ((load->p_vaddr ^ load->p_offset) % IMAGE_PAGE)
		return error_set(err, ENOEXEC, "its segment %zu cannot be mapped: address and offset differ within the page",
				 i);
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct pages *left = a, *right = b;

	return left->from < right->from ? -1 : left->from > right->from;
}

/* Segments may share a page, at the end of one and the beginning of the next. */
static size_t without_overlap(struct pages *pages, size_t nr)
{
	uint64_t floor = 0;
	size_t i, kept = 0;

	qsort(pages, nr, sizeof(*pages), by_offset);
	for (i = 0; i < nr; i++) {
		struct pages next = pages[i];

		if (next.from < floor)
			next.from = floor;
		if (next.from >= next.to)
			continue;
		floor = next.to;
		pages[kept++] = next;
	}
	return kept;
}

/* The pages of read-only PT_LOADs; *nr of at most as many as there are headers. */
static int find_pages(const struct source *source, struct pages *pages, size_t *nr,
		      struct error *err)
{
	uint64_t floor = 0;
	GElf_Phdr load;
	size_t i;

	*nr = 0;
	for (i = 0; i < source->nr; i++) {
		if (!gelf_getphdr(source->elf, i, &load))
			return bad("its table of segments cannot be read: the file is damaged", err);
		if (load.p_type != PT_LOAD)
			continue;
		if (check_load(source, i, &load, floor, err))
			return -1;
		floor = load.p_vaddr + load.p_memsz;
		if (!load.p_filesz || (load.p_flags & PF_W) || !(load.p_flags & PF_R))
			continue;
		pages[(*nr)++] = (struct pages) {
			.from = PAGE_DOWN(load.p_offset),
			.to = PAGE_UP(load.p_offset + load.p_filesz),
			.prot = PROT_READ | (load.p_flags & PF_X ? PROT_EXEC : 0),
		};
	}
	*nr = without_overlap(pages, *nr);
	return *nr ? 0 : bad("it has no read-only segment, so there is nothing to share", err);
}

static int take_library(struct image *image, const struct source *source, struct error *err)
{
	struct image_library *library = &image->libraries[image->nr_libraries], *other;

	if (hub_build_id_fd(source->fd, library->build_id, &library->build_id_len) ||
	    !library->build_id_len)
		return bad("it has no build-id, by which processes that map it are found: link it with --build-id",
			   err);
	for (other = image->libraries; other < library; other++)
		if (other->build_id_len == library->build_id_len &&
		    !memcmp(other->build_id, library->build_id, library->build_id_len))
			return error_set(err, EEXIST, "it is the same build as %.200s: give each library once",
					 other->path);
	library->path = realpath(source->path, NULL);
	if (!library->path)
		return error_set(err, errno, "its place cannot be found: %s", strerror(errno));
	image->nr_libraries++;
	return 0;
}

static int read_pages(const struct source *source, char *to, uint64_t from, uint64_t len,
		      struct error *err)
{
	uint64_t end = from + len < source->size ? from + len : source->size;
	ssize_t got;

	for (; from < end; from += got, to += got) {
		got = pread(source->fd, to, end - from, from);
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got <= 0)
			return error_set(err, got ? errno : EIO, "it cannot be read: %s",
					 got ? strerror(errno) : "it was truncated meanwhile");
	}
	return 0;
}

/* More room for @pages; what is there may move, so segments get their data at the end. */
static int grow(struct image *image, const struct pages *pages, size_t nr, struct error *err)
{
	struct image_segment *segments;
	uint64_t len = 0;
	void *buffer;
	size_t i;

	for (i = 0; i < nr; i++)
		len += pages[i].to - pages[i].from;
	if (image->nr_segments + nr > IMAGE_SEGMENTS_MAX ||
	    len / IMAGE_PAGE > PAGES_MAX - image->buffer_len / IMAGE_PAGE)
		return error_set(err, E2BIG, "the image would have more than %lu pages: make several of fewer files",
				 PAGES_MAX);
	segments = realloc(image->segments, (image->nr_segments + nr) * sizeof(*segments));
	if (segments)
		image->segments = segments;
	buffer = image->buffer ?
		mremap(image->buffer, image->buffer_len, image->buffer_len + len, MREMAP_MAYMOVE) :
		mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!segments || buffer == MAP_FAILED)
		return error_set(err, ENOMEM, "no memory for its content: free memory and try again");
	image->buffer = buffer;
	image->buffer_len += len;
	return 0;
}

static int take_pages(struct image *image, const struct source *source,
		      const struct pages *pages, size_t nr, struct error *err)
{
	uint64_t at = image->buffer_len, len;
	size_t i;

	if (grow(image, pages, nr, err))
		return -1;
	for (i = 0; i < nr; i++, at += len) {
		len = pages[i].to - pages[i].from;
		if (read_pages(source, (char *)image->buffer + at, pages[i].from, len, err))
			return -1;
		image->segments[image->nr_segments++] = (struct image_segment) {
			.start = FIRST_ADDRESS + at,
			.len = len,
			.prot = pages[i].prot,
			.name = strdup(image->libraries[image->nr_libraries - 1].path),
			.library = image->nr_libraries,
			.offset = pages[i].from,
		};
	}
	return 0;
}

static int take_source(struct image *image, struct source *source, struct error *err)
{
	autofree struct pages *pages = NULL;
	size_t nr;

	if (open_source(source, err) || read_header(source, err))
		return -1;
	pages = calloc(source->nr + 1, sizeof(*pages));
	if (!pages)
		return error_set(err, ENOMEM, "out of memory");
	if (find_pages(source, pages, &nr, err) || take_library(image, source, err))
		return -1;
	return take_pages(image, source, pages, nr, err);
}

static int take_file(struct image *image, const char *path, struct error *err)
{
	struct source source = { .path = path, .fd = -1 };
	int ret = take_source(image, &source, err);

	elf_end(source.elf);
	if (source.fd >= 0)
		close(source.fd);
	return ret ? error_prefix(err, "%.200s", path) : 0;
}

static int take_files(struct image *image, const char *const *paths, size_t nr,
		      struct error *err)
{
	size_t i;

	image->libraries = calloc(nr, sizeof(*image->libraries));
	if (!image->libraries)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < nr; i++)
		if (take_file(image, paths[i], err))
			return -1;
	for (i = 0; i < image->nr_segments; i++)
		image->segments[i].data = (char *)image->buffer +
					  (image->segments[i].start - FIRST_ADDRESS);
	return image_valid(image, err);
}

int image_from_elf(struct image *image, const char *const *paths, size_t nr,
		   struct error *err)
{
	*image = (struct image) {};
	if (!take_files(image, paths, nr, err))
		return 0;
	image_free(image);
	return -1;
}
