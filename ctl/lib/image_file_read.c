// SPDX-License-Identifier: GPL-2.0
/*
 * Reading an image from an ELF core file that anybody may have written.
 *
 * Headers and notes are copied before they are checked. The content is mapped and
 * only ever handed to system calls, for which a page that vanishes, because someone
 * truncates the file meanwhile, is an error and no signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "arch.h"
#include "cleanup.h"
#include "image.h"
#include "image_file.h"
#include "image_valid.h"

#define NOTES_SIZE_MAX	(1024 * 1024)	/* of PT_NOTE */

struct input {
	int fd;
	uint64_t size;
	Elf *elf;
	size_t nr;		/* program headers */
};

static int open_file(struct input *in, const char *path, struct error *err)
{
	struct stat st;

	/* A fifo must not make us wait for a writer. */
	in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (in->fd < 0 || fstat(in->fd, &st))
		return error_set(err, errno, "it cannot be opened: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "it is no regular file: give one that `coppice image save` wrote");
	in->size = st.st_size;
	return 0;
}

static int open_elf(struct input *in, struct error *err)
{
	GElf_Ehdr header;

	elf_version(EV_CURRENT);
	in->elf = elf_begin(in->fd, ELF_C_READ, NULL);
	if (!in->elf || elf_kind(in->elf) != ELF_K_ELF || !gelf_getehdr(in->elf, &header))
		return error_set(err, ENOEXEC, "it is no ELF file: give one that `coppice image save` wrote");
	if (gelf_getclass(in->elf) != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != ARCH_MACHINE)
		return error_set(err, ENOEXEC, "it is not for " ARCH_NAME ": build the image on a hub of this kind");
	if (header.e_type != ET_CORE)
		return error_set(err, ENOEXEC, "it is no core file: give one that `coppice image save` wrote");
	if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_shnum ||
	    elf_getphdrnum(in->elf, &in->nr) || in->nr > IMAGE_SEGMENTS_MAX + 1)
		return error_set(err, ENOEXEC, "its table of segments is not an image's: it was damaged, or written by another program");
	/* libelf counts only those that the file has. */
	if (header.e_phnum != in->nr || header.e_phoff > in->size ||
	    in->nr * sizeof(Elf64_Phdr) > in->size - header.e_phoff)
		return error_set(err, ENOEXEC, "it ends within its table of segments: the file is truncated");
	return 0;
}

static int get_header(const struct input *in, size_t i, GElf_Phdr *phdr, struct error *err)
{
	if (!gelf_getphdr(in->elf, i, phdr))
		return error_set(err, ENOEXEC, "its table of segments cannot be read: the file is damaged");
	if (phdr->p_offset > in->size || phdr->p_filesz > in->size - phdr->p_offset)
		return error_set(err, ENOEXEC, "segment %zu lies beyond the end of the file, which is truncated or damaged",
				 i);
	return 0;
}

static int take_segment(struct image *image, const GElf_Phdr *phdr, const char *content,
			struct error *err)
{
	if (phdr->p_filesz && phdr->p_filesz != phdr->p_memsz)
		return error_set(err, ENOEXEC, "the segment at %#" PRIx64 " is there in part only: the core file is not an image",
				 phdr->p_vaddr);
	if (phdr->p_filesz && phdr->p_offset % IMAGE_PAGE)
		return error_set(err, ENOEXEC, "the content of the segment at %#" PRIx64 " is not page-aligned in the file",
				 phdr->p_vaddr);
	image->segments[image->nr_segments++] = (struct image_segment) {
		.start = phdr->p_vaddr,
		.len = phdr->p_memsz,
		.prot = (phdr->p_flags & PF_R ? PROT_READ : 0) |
			(phdr->p_flags & PF_W ? PROT_WRITE : 0) |
			(phdr->p_flags & PF_X ? PROT_EXEC : 0),
		.data = phdr->p_filesz ? content + phdr->p_offset : NULL,
	};
	return 0;
}

/* Also finds the only PT_NOTE. */
static int take_segments(const struct input *in, struct image *image, GElf_Phdr *note,
			 struct error *err)
{
	GElf_Phdr phdr;
	size_t i;

	image->segments = calloc(in->nr + 1, sizeof(*image->segments));
	if (!image->segments)
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < in->nr; i++) {
		if (get_header(in, i, &phdr, err))
			return -1;
		if (phdr.p_type == PT_NOTE && !note->p_filesz)
			*note = phdr;
		else if (phdr.p_type != PT_LOAD)
			return error_set(err, ENOEXEC, "segment %zu is of type %#x, which no image has",
					 i, phdr.p_type);
		else if (take_segment(image, &phdr, image->buffer, err))
			return -1;
	}
	return 0;
}

static int map_file(const struct input *in, struct image *image, struct error *err)
{
	void *content = in->size ? mmap(NULL, in->size, PROT_READ, MAP_PRIVATE, in->fd, 0) : NULL;

	if (content == MAP_FAILED)
		return error_set(err, errno, "it cannot be mapped: %s", strerror(errno));
	image->buffer = content;
	image->buffer_len = in->size;
	return 0;
}

/* The note of ours in @len bytes; returns its data or NULL. */
static const void *find_note(const unsigned char *notes, size_t len, size_t *data_len)
{
	size_t at = 0, name, data;
	Elf64_Nhdr header;

	while (len - at >= sizeof(header)) {
		memcpy(&header, notes + at, sizeof(header));
		at += sizeof(header);
		name = NOTE_ALIGN((size_t)header.n_namesz);
		data = NOTE_ALIGN((size_t)header.n_descsz);
		if (name > len - at || data > len - at - name)
			return NULL;
		if (header.n_type == NOTE_TYPE && header.n_namesz == sizeof(NOTE_NAME) &&
		    !memcmp(notes + at, NOTE_NAME, sizeof(NOTE_NAME))) {
			*data_len = header.n_descsz;
			return notes + at + name;
		}
		at += name + data;
	}
	return NULL;
}

static int read_notes(const struct input *in, const GElf_Phdr *note, struct image *image,
		      struct error *err)
{
	autofree unsigned char *notes = NULL;
	const void *packed;
	size_t len;

	if (note->p_filesz > NOTES_SIZE_MAX)
		return error_set(err, ENOEXEC, "it has %" PRIu64 " bytes of notes, more than any image: the file is damaged",
				 note->p_filesz);
	notes = malloc(note->p_filesz + 1);
	if (!notes)
		return error_set(err, ENOMEM, "out of memory");
	if (pread(in->fd, notes, note->p_filesz, note->p_offset) != (ssize_t)note->p_filesz)
		return error_set(err, EIO, "its notes cannot be read: the file is truncated");
	packed = find_note(notes, note->p_filesz, &len);
	if (!packed)
		return error_set(err, ENOEXEC, "it has no note of Coppice: it is the core file of some process, not an image");
	return image_notes_unpack(image, packed, len, err);
}

static int read_image(struct input *in, const char *path, struct image *image,
		      struct error *err)
{
	GElf_Phdr note = {};

	if (open_file(in, path, err) || open_elf(in, err) || map_file(in, image, err) ||
	    take_segments(in, image, &note, err) || image_segments_valid(image, err) ||
	    read_notes(in, &note, image, err))
		return -1;
	return image_valid(image, err);
}

int image_file_read(struct image *image, const char *path, struct error *err)
{
	struct input in = { .fd = -1 };
	int ret;

	*image = (struct image) {};
	ret = read_image(&in, path, image, err);
	elf_end(in.elf);
	if (in.fd >= 0)
		close(in.fd);
	if (!ret)
		return 0;
	image_free(image);
	return error_prefix(err, "%.200s", path);
}
