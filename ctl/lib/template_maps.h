/* SPDX-License-Identifier: GPL-2.0 */
/* A template's mappings and memory, read like a debugger does. */
#ifndef COPPICE_TEMPLATE_MAPS_H
#define COPPICE_TEMPLATE_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct template_vma {
	uint64_t start, end;
	uint32_t prot;		/* PROT_* */
	bool shared;
	bool file;		/* has an inode behind it */
	char name[256];		/* as in /proc/PID/maps, "" if it has none */
};

struct template_memory {
	int mem;		/* /proc/PID/mem */
	int pagemap;		/* /proc/PID/pagemap */
	struct template_vma *vmas;	/* without the kernel's own: vDSO, vvar, vsyscall */
	size_t nr_vmas;
};

int __must_check template_open(struct template_memory *memory, pid_t pid, struct error *err);
void template_close(struct template_memory *memory);

/*
 * Length of the run of pages at @addr, below @end, that were all touched or all never
 * touched; *touched says which. Of an anonymous mapping only.
 */
uint64_t template_run(const struct template_memory *memory, uint64_t addr, uint64_t end,
		      bool *touched);

/* Read [addr, addr + len) to @to; pages beyond the end of a file read as zeros. */
int __must_check template_read(const struct template_memory *memory, uint64_t addr, void *to,
			       size_t len, struct error *err);

#endif /* COPPICE_TEMPLATE_MAPS_H */
