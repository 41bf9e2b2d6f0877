/* SPDX-License-Identifier: MIT */
/*
 * System calls without libc: usable before the thread pointer is set, and they
 * return -errno instead of writing to the (thread-local) errno.
 */
#ifndef COPPICE_RUNTIME_SYSCALL_H
#define COPPICE_RUNTIME_SYSCALL_H

#include <sys/syscall.h>

#ifndef __x86_64__
#error "libcoppice knows how to resume on x86-64 only"
#endif

static inline __attribute__((always_inline)) long
raw_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define raw_call(nr, ...) raw_call_(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define raw_call_(nr, a, b, c, d, e, f, ...) \
	raw_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif /* COPPICE_RUNTIME_SYSCALL_H */
