// SPDX-License-Identifier: GPL-2.0
/*
 * Replace this process's memory by a memfd image: what the module's ENTER does,
 * from user space. The code is copied out of its section and runs where nothing else is left, so it
 * is one function without calls, strings or data. After CRIU's restorer (criu/pie/restorer.c).
 */
#include <sys/mman.h>

#include "arch.h"
#include "launch_args.h"
#include "runtime/syscall.h"

__attribute__((section("coppice_restorer_text"), noreturn, noinline,
	       optimize("no-stack-protector", "no-jump-tables", "no-tree-loop-distribute-patterns")))
void coppice_restorer(const struct restore_table *table)
{
	uint64_t from = 0;
	long bad = 0;
	size_t i;

	for (i = 0; i < table->nr_keep; i++) {
		if (from < table->keep[i].start)
			bad |= raw_call(SYS_munmap, from, table->keep[i].start - from);
		from = table->keep[i].start + table->keep[i].len;
	}
	bad |= raw_call(SYS_munmap, from, ARCH_USER_END - from);
	/* Downwards, as the module does it. */
	for (i = table->nr_segments; i--;) {
		const struct launch_segment *seg = &table->segments[i];
		long flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;

		bad |= raw_call(SYS_mmap, seg->start, seg->len, seg->prot,
				seg->anon ? flags | MAP_ANONYMOUS : flags,
				seg->anon ? -1 : table->fd, seg->offset) != (long)seg->start;
	}
	if (bad)
		raw_call(SYS_exit_group, 125);
	/* The table and the stack go last: from here on everything is in registers. */
	arch_unmap_and_jump(table->table.start, table->table.len, table->entry, table->stack,
			    table->cookie);
}
