/* SPDX-License-Identifier: MIT */
/* arm64: see ../arch.h. */
#ifndef COPPICE_RUNTIME_AARCH64_ARCH_H
#define COPPICE_RUNTIME_AARCH64_ARCH_H

#include <linux/audit.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define ARCH_AUDIT	AUDIT_ARCH_AARCH64

static inline __attribute__((always_inline)) long
raw_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

static inline uint64_t arch_thread_pointer(void)
{
	uint64_t base;

	__asm__("mrs %0, tpidr_el0" : "=r"(base));
	return base;
}

static inline void arch_set_thread_pointer(uint64_t base)
{
	__asm__ volatile("msr tpidr_el0, %0" : : "r"(base) : "memory");
}

static inline void arch_repeat_call(ucontext_t *context, long nr)
{
	unsigned long long *regs = context->uc_mcontext.regs;

	regs[0] = raw_syscall(nr, regs[0], regs[1], regs[2], regs[3], regs[4], regs[5]);
}

/* They can be moved only. */
static inline bool arch_can_map_vdso(void)
{
	return false;
}

static inline bool arch_map_vdso(uint64_t start)
{
	(void)start;
	return false;
}

/* Only a debugger can have it. */
#define ARCH_SINGLE_STEP	0

static inline void arch_single_step(ucontext_t *context, int on)
{
	(void)context;
	(void)on;
}

#endif /* COPPICE_RUNTIME_AARCH64_ARCH_H */
