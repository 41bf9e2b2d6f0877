/* SPDX-License-Identifier: MIT */
/* x86-64: see ../arch.h. */
#ifndef COPPICE_RUNTIME_X86_64_ARCH_H
#define COPPICE_RUNTIME_X86_64_ARCH_H

#include <asm/prctl.h>
#include <errno.h>
#include <linux/audit.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define ARCH_AUDIT	AUDIT_ARCH_X86_64

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

static inline uint64_t arch_thread_pointer(void)
{
	uint64_t base = 0;

	raw_syscall(SYS_arch_prctl, ARCH_GET_FS, (long)&base, 0, 0, 0, 0);
	return base;
}

static inline void arch_set_thread_pointer(uint64_t base)
{
	raw_syscall(SYS_arch_prctl, ARCH_SET_FS, base, 0, 0, 0, 0);
}

static inline void arch_repeat_call(ucontext_t *context, long nr)
{
	greg_t *regs = context->uc_mcontext.gregs;

	regs[REG_RAX] = raw_syscall(nr, regs[REG_RDI], regs[REG_RSI], regs[REG_RDX],
				    regs[REG_R10], regs[REG_R8], regs[REG_R9]);
}

/* It refuses as long as they are mapped, or does not know what is asked (CONFIG_CHECKPOINT_RESTORE). */
static inline bool arch_can_map_vdso(void)
{
	return raw_syscall(SYS_arch_prctl, ARCH_MAP_VDSO_64, 0, 0, 0, 0, 0) == -EEXIST;
}

static inline bool arch_map_vdso(uint64_t start)
{
	return raw_syscall(SYS_arch_prctl, ARCH_MAP_VDSO_64, start, 0, 0, 0, 0) > 0;
}

#define ARCH_SINGLE_STEP	1
#define TRAP_FLAG		0x100

/* From a signal's handler: does the next instruction raise SIGTRAP? */
static inline void arch_single_step(ucontext_t *context, int on)
{
	greg_t *flags = &context->uc_mcontext.gregs[REG_EFL];

	*flags = on ? *flags | TRAP_FLAG : *flags & ~TRAP_FLAG;
}

#endif /* COPPICE_RUNTIME_X86_64_ARCH_H */
