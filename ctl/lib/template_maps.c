// SPDX-License-Identifier: GPL-2.0
/* A template's mappings and memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "template_maps.h"

#define PAGE 4096UL
/* Bits of a pagemap entry: Documentation/admin-guide/mm/pagemap.rst. */
#define PAGEMAP_PRESENT	(1ULL << 63)
#define PAGEMAP_SWAPPED	(1ULL << 62)

static bool parse_line(const char *line, struct template_vma *vma)
{
	unsigned long start, end, inode;
	char perms[5];
	int name = 0;

	if (sscanf(line, "%lx-%lx %4s %*x %*x:%*x %lu %n", &start, &end, perms, &inode, &name) != 4)
		return false;
	*vma = (struct template_vma){
		.start = start, .end = end,
		.prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
			(perms[2] == 'x' ? PROT_EXEC : 0),
		.shared = perms[3] == 's',
		.file = inode,
	};
	snprintf(vma->name, sizeof(vma->name), "%.*s", (int)strcspn(line + name, "\n"), line + name);
	return true;
}

/* Every process has its own of these: they are no part of an image. */
static bool of_kernel(const struct template_vma *vma)
{
	return !strncmp(vma->name, "[vvar", 5) || !strcmp(vma->name, "[vdso]") ||
	       !strcmp(vma->name, "[vsyscall]");
}

static int vma_append(struct template_memory *memory, const struct template_vma *vma,
		      struct error *err)
{
	struct template_vma *vmas = memory->vmas;

	/* Doubled at each power of two. */
	if (!(memory->nr_vmas & (memory->nr_vmas - 1))) {
		vmas = realloc(vmas, (memory->nr_vmas ? memory->nr_vmas * 2 : 1) * sizeof(*vmas));
		if (!vmas)
			return error_set(err, ENOMEM, "out of memory: free memory and try again");
		memory->vmas = vmas;
	}
	vmas[memory->nr_vmas++] = *vma;
	return 0;
}

static int read_maps(struct template_memory *memory, pid_t pid, struct error *err)
{
	struct template_vma vma;
	char path[64], line[4352];
	FILE *maps;
	int ret = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return error_set(err, errno, "%s can't be read (%s): the template has ended", path, strerror(errno));
	while (!ret && fgets(line, sizeof(line), maps))
		if (parse_line(line, &vma) && !of_kernel(&vma))
			ret = vma_append(memory, &vma, err);
	fclose(maps);
	return ret;
}

static int open_proc(pid_t pid, const char *name, struct error *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return error_set(err, errno, "%s can't be read (%s): build images as root, while the template waits", path, strerror(errno));
}

int template_open(struct template_memory *memory, pid_t pid, struct error *err)
{
	*memory = (struct template_memory){ .mem = -1, .pagemap = -1 };
	memory->mem = open_proc(pid, "mem", err);
	if (memory->mem >= 0)
		memory->pagemap = open_proc(pid, "pagemap", err);
	if (memory->pagemap >= 0 && !read_maps(memory, pid, err))
		return 0;
	template_close(memory);
	return -1;
}

void template_close(struct template_memory *memory)
{
	if (memory->mem >= 0)
		close(memory->mem);
	if (memory->pagemap >= 0)
		close(memory->pagemap);
	free(memory->vmas);
	*memory = (struct template_memory){ .mem = -1, .pagemap = -1 };
}

/* In doubt (no pagemap) a page counts as touched: it is read then. */
static bool page_touched(const struct template_memory *memory, uint64_t addr)
{
	uint64_t entry;

	if (pread(memory->pagemap, &entry, sizeof(entry), addr / PAGE * sizeof(entry)) != sizeof(entry))
		return true;
	return entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED);
}

uint64_t template_run(const struct template_memory *memory, uint64_t addr, uint64_t end,
		      bool *touched)
{
	uint64_t at;

	*touched = page_touched(memory, addr);
	for (at = addr + PAGE; at < end; at += PAGE)
		if (page_touched(memory, at) != *touched)
			break;
	return at - addr;
}

int template_read(const struct template_memory *memory, uint64_t addr, void *to, size_t len,
		  struct error *err)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(memory->mem, (char *)to + done, len - done, addr + done);
		if (n > 0) {
			done += n;
		} else if (n < 0 && errno == EIO) {
			/* Behind the end of the mapped file: the rest of the page stays zero. */
			done += PAGE - (addr + done) % PAGE;
		} else if (n == 0 || errno != EINTR) {
			return error_set(err, errno, "the template's memory at 0x%lx can't be read (%s): it has ended or maps a device",
					 (unsigned long)(addr + done), n ? strerror(errno) : "nothing there");
		}
	}
	return 0;
}
