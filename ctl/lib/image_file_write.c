// SPDX-License-Identifier: GPL-2.0
/*
 * Writing an image as an ELF core file: as if a process had dumped core at the point in
 * which tasks resume, so that debuggers open it.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/stat.h>

#include "arch.h"
#include "cleanup.h"
#include "image.h"
#include "image_file.h"
#include "image_valid.h"

/* The file while it is written. */
struct output {
	const struct image *image;
	int fd;
	unsigned char *notes;	/* the PT_NOTE segment */
	size_t notes_len;
	uint64_t notes_offset;
	uint64_t data_offset;	/* of the first segment's content */
};

static size_t note_size(const char *name, size_t len)
{
	return sizeof(Elf64_Nhdr) + NOTE_ALIGN(strlen(name) + 1) + NOTE_ALIGN(len);
}

static unsigned char *note_put(unsigned char *at, const char *name, uint32_t type,
			       const void *data, size_t len)
{
	Elf64_Nhdr header = {
		.n_namesz = strlen(name) + 1,
		.n_descsz = len,
		.n_type = type,
	};

	memcpy(at, &header, sizeof(header));
	at += sizeof(header);
	memcpy(at, name, header.n_namesz);
	at += NOTE_ALIGN(header.n_namesz);
	memcpy(at, data, len);
	return at + NOTE_ALIGN(len);
}

/* Debuggers take registers and the command's name from these two. */
static void describe_process(const struct image *image, struct elf_prstatus *status,
			     struct elf_prpsinfo *info)
{
	*status = (struct elf_prstatus) {};
	status->pr_reg[ARCH_REGISTER_ENTRY] = image->entry;
	status->pr_reg[ARCH_REGISTER_STACK] = image->stack;
	status->pr_pid = 1;
	*info = (struct elf_prpsinfo) { .pr_sname = 'S', .pr_pid = 1 };
	memcpy(info->pr_fname, image->comm, sizeof(info->pr_fname) - 1);
	memcpy(info->pr_psargs, image->comm, sizeof(image->comm));
}

static int make_notes(struct output *out, struct error *err)
{
	struct elf_prstatus status;
	struct elf_prpsinfo info;
	autofree void *packed = NULL;
	unsigned char *at;
	size_t len;

	if (image_notes_pack(out->image, &packed, &len, err))
		return -1;
	describe_process(out->image, &status, &info);
	out->notes_len = note_size("CORE", sizeof(status)) + note_size("CORE", sizeof(info)) +
			 note_size(NOTE_NAME, len);
	out->notes = calloc(1, out->notes_len);
	if (!out->notes)
		return error_set(err, ENOMEM, "out of memory");
	at = note_put(out->notes, "CORE", NT_PRSTATUS, &status, sizeof(status));
	at = note_put(at, "CORE", NT_PRPSINFO, &info, sizeof(info));
	note_put(at, NOTE_NAME, NOTE_TYPE, packed, len);
	return 0;
}

static Elf64_Phdr segment_header(const struct image_segment *segment, uint64_t offset)
{
	return (Elf64_Phdr) {
		.p_type = PT_LOAD,
		.p_flags = (segment->prot & PROT_READ ? PF_R : 0) |
			   (segment->prot & PROT_WRITE ? PF_W : 0) |
			   (segment->prot & PROT_EXEC ? PF_X : 0),
		.p_offset = offset,
		.p_vaddr = segment->start,
		.p_filesz = segment->data ? segment->len : 0,
		.p_memsz = segment->len,
		.p_align = IMAGE_PAGE,
	};
}

static void fill_headers(struct output *out, Elf64_Ehdr *header, Elf64_Phdr *program)
{
	uint64_t offset = out->data_offset;
	size_t i;

	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_OSABI] = ELFOSABI_NONE;
	header->e_type = ET_CORE;
	header->e_machine = ARCH_MACHINE;
	header->e_version = EV_CURRENT;
	header->e_phoff = sizeof(*header);
	program[0] = (Elf64_Phdr) {
		.p_type = PT_NOTE,
		.p_offset = out->notes_offset,
		.p_filesz = out->notes_len,
		.p_align = 4,
	};
	for (i = 0; i < out->image->nr_segments; i++) {
		program[i + 1] = segment_header(&out->image->segments[i], offset);
		offset += program[i + 1].p_filesz;
	}
}

static int write_headers(struct output *out, struct error *err)
{
	size_t nr = out->image->nr_segments + 1;
	Elf64_Ehdr *header;
	Elf64_Phdr *program = NULL;
	Elf *elf;
	int ok;

	out->notes_offset = sizeof(*header) + nr * sizeof(*program);
	out->data_offset = (out->notes_offset + out->notes_len + IMAGE_PAGE - 1) &
			   ~(IMAGE_PAGE - 1);
	elf_version(EV_CURRENT);
	elf = elf_begin(out->fd, ELF_C_WRITE, NULL);
	header = elf ? elf64_newehdr(elf) : NULL;
	program = header ? elf64_newphdr(elf, nr) : NULL;
	ok = program != NULL;
	if (ok) {
		fill_headers(out, header, program);
		elf_flagelf(elf, ELF_C_SET, ELF_F_LAYOUT);
		ok = elf_update(elf, ELF_C_WRITE) >= 0;
	}
	if (!ok)
		error_set(err, EIO, "its headers cannot be written: %s", elf_errmsg(-1));
	elf_end(elf);
	return ok ? 0 : -1;
}

static int write_all(int fd, const void *data, size_t len, uint64_t offset, struct error *err)
{
	ssize_t done;

	for (; len; len -= done, offset += done, data = (const char *)data + done) {
		done = pwrite(fd, data, len, offset);
		if (done < 0 && errno == EINTR)
			done = 0;
		else if (done <= 0)
			return error_set(err, errno, "it cannot be written: %s", strerror(errno));
	}
	return 0;
}

static int write_content(struct output *out, struct error *err)
{
	uint64_t offset = out->data_offset;
	size_t i;

	if (write_all(out->fd, out->notes, out->notes_len, out->notes_offset, err))
		return -1;
	for (i = 0; i < out->image->nr_segments; i++) {
		const struct image_segment *segment = &out->image->segments[i];

		if (!segment->data)
			continue;
		if (write_all(out->fd, segment->data, segment->len, offset, err))
			return -1;
		offset += segment->len;
	}
	if (fsync(out->fd))
		return error_set(err, errno, "it cannot be written: %s", strerror(errno));
	return 0;
}

static int write_image(const struct image *image, int fd, struct error *err)
{
	struct output out = { .image = image, .fd = fd };
	int ret = make_notes(&out, err) || write_headers(&out, err) ||
		  write_content(&out, err) ? -1 : 0;

	free(out.notes);
	return ret;
}

/* Either the old file or the whole new one is there, also after a power cut. */
static int replace(int fd, const char *temporary, const char *path, struct error *err)
{
	char copy[PATH_MAX];
	autoclose int dir = -1;

	/* An image holds a program's memory: for its owner's eyes. */
	if (fchmod(fd, 0600) || rename(temporary, path))
		return error_set(err, errno, "it cannot be put in place: %s", strerror(errno));
	snprintf(copy, sizeof(copy), "%s", path);
	dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		(void)!fsync(dir);
	return 0;
}

int image_file_write(const struct image *image, const char *path, struct error *err)
{
	char temporary[PATH_MAX];
	autoclose int fd = -1;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary))
		return error_set(err, ENAMETOOLONG, "the file name %.80s… is too long", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return error_set(err, errno, "%.200s cannot be made: %s", path, strerror(errno));
	if (!write_image(image, fd, err) && !replace(fd, temporary, path, err))
		return 0;
	unlink(temporary);
	return error_prefix(err, "%.200s", path);
}
