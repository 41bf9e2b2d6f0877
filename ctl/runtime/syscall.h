/* SPDX-License-Identifier: MIT */
/*
 * System calls without libc: usable before the thread pointer is set, and they
 * return -errno instead of writing to the (thread-local) errno.
 */
#ifndef COPPICE_RUNTIME_SYSCALL_H
#define COPPICE_RUNTIME_SYSCALL_H

#include <sys/syscall.h>

#include "arch.h"

#define raw_call(nr, ...) raw_call_(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define raw_call_(nr, a, b, c, d, e, f, ...) \
	raw_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif /* COPPICE_RUNTIME_SYSCALL_H */
