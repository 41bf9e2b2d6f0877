/* SPDX-License-Identifier: MIT */
/*
 * The mappings that the kernel gives every process: [vvar…] and, right after it,
 * [vdso]. Shared by libcoppice and the controller.
 */
#ifndef COPPICE_RUNTIME_SPECIAL_H
#define COPPICE_RUNTIME_SPECIAL_H

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "abi.h"
#include "syscall.h"

static inline void special_extend(struct coppice_span *span, uint64_t start, uint64_t end)
{
	if (!span->len)
		span->start = start;
	span->len = end - span->start;
}

/* Is this line of /proc/PID/maps one of them? Then its range is taken into the span. */
static inline bool special_scan(const char *line, uint64_t start, uint64_t end,
				struct coppice_span *vvar, struct coppice_span *vdso)
{
	if (strstr(line, " [vvar"))
		special_extend(vvar, start, end);
	else if (strstr(line, " [vdso]"))
		special_extend(vdso, start, end);
	else
		return false;
	return true;
}

/* One mapping after the other: kernels before 6.17 move only one by a call. */
static inline int special_move(uint64_t from, uint64_t len, uint64_t to)
{
	uint64_t done = 0, part = len;

	while (done < len && part) {
		long at = raw_call(SYS_mremap, from + done, part, part,
				   MREMAP_MAYMOVE | MREMAP_FIXED, to + done);

		if (at == (long)(to + done)) {
			done += part;
			part = len - done;
		} else {
			part -= 4096;
		}
	}
	return done == len ? 0 : -1;
}

#endif /* COPPICE_RUNTIME_SPECIAL_H */
