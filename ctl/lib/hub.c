// SPDX-License-Identifier: GPL-2.0
/*
 * What an image depends on: the vDSO that its C library has resolved, the processor
 * features that its functions were chosen by, the libraries that it holds copies of.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "cpu.h"
#include "hub.h"

#define BUILD_ID_MAX 32
/* More than any program has: the file may be a stranger's, and notes are read as a whole. */
#define HEADERS_MAX 1024
#define NOTES_MAX (64 * 1024)

/* The build-id among the notes in @data. */
static int find_build_id(Elf_Data *data, uint8_t id[BUILD_ID_MAX], uint8_t *len)
{
	size_t at = 0, next, name, desc;
	GElf_Nhdr note;

	for (; data && (next = gelf_getnote(data, at, &note, &name, &desc)); at = next) {
		const char *bytes = data->d_buf;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
		    memcmp(bytes + name, "GNU", 4) || note.n_descsz > BUILD_ID_MAX)
			continue;
		memcpy(id, bytes + desc, note.n_descsz);
		*len = note.n_descsz;
		return 0;
	}
	return -1;
}

static int elf_build_id(Elf *elf, uint8_t id[BUILD_ID_MAX], uint8_t *len)
{
	GElf_Phdr phdr;
	size_t nr, i;

	if (!elf || elf_getphdrnum(elf, &nr) || nr > HEADERS_MAX)
		return -1;
	for (i = 0; i < nr; i++) {
		if (!gelf_getphdr(elf, i, &phdr) || phdr.p_type != PT_NOTE ||
		    phdr.p_filesz > NOTES_MAX)
			continue;
		if (!find_build_id(elf_getdata_rawchunk(elf, phdr.p_offset, phdr.p_filesz,
							phdr.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR),
				   id, len))
			return 0;
	}
	return -1;
}

int hub_build_id_fd(int fd, uint8_t id[BUILD_ID_MAX], uint8_t *len)
{
	Elf *elf;
	int ret;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	ret = elf_build_id(elf, id, len);
	elf_end(elf);
	return ret;
}

int hub_build_id(const char *path, uint8_t id[BUILD_ID_MAX], uint8_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	if (fd < 0)
		return -1;
	ret = hub_build_id_fd(fd, id, len);
	close(fd);
	return ret;
}

/* The vDSO ends with its section headers, so its header tells its size. */
static int vdso_build_id(uint8_t id[BUILD_ID_MAX], uint8_t *len)
{
	const Elf64_Ehdr *header = (void *)getauxval(AT_SYSINFO_EHDR);
	Elf *elf;
	int ret;

	if (!header)
		return -1;
	elf_version(EV_CURRENT);
	elf = elf_memory((char *)header, header->e_shoff + header->e_shnum * header->e_shentsize);
	ret = elf_build_id(elf, id, len);
	elf_end(elf);
	return ret;
}

int hub_describe(struct image *image, struct error *err)
{
	cpu_describe(image->cpu);
	if (!vdso_build_id(image->vdso_build_id, &image->vdso_build_id_len))
		return 0;
	return error_set(err, ENOSYS, "this kernel's vDSO has no build-id, so images could not be told to fit it: use another kernel");
}
