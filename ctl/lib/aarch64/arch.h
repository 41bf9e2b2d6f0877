/* SPDX-License-Identifier: GPL-2.0 */
/* arm64: see ../arch.h. */
#ifndef COPPICE_AARCH64_ARCH_H
#define COPPICE_AARCH64_ARCH_H

#include <elf.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "lib/error.h"

#define ARCH_NAME		"arm64"
#define ARCH_MACHINE		EM_AARCH64
#define ARCH_LOADER_SONAME	"ld-linux-aarch64.so.1"
#define ARCH_LOADER		"/lib/" ARCH_LOADER_SONAME
#define ARCH_CACHE		"AArch64"
#define ARCH_USER_END		0x1000000000000UL	/* with four levels of page tables */
#define ARCH_REGISTER_ENTRY	32
#define ARCH_REGISTER_STACK	31

int __must_check arch_template_asks(struct error *err);
int __must_check arch_template_begins(pid_t pid, struct error *err);

/* By way of x16, as code that only takes marked branches takes those from there at its start. */
__attribute__((noreturn))
static inline void arch_jump(uint64_t code, uint64_t stack, const void *argument)
{
	register const void *x0 __asm__("x0") = argument;
	register uint64_t x16 __asm__("x16") = code;

	__asm__ volatile("mov sp, %0\n\tbr %1" : : "r"(stack), "r"(x16), "r"(x0) : "memory");
	__builtin_unreachable();
}

__attribute__((noreturn, always_inline))
static inline void arch_unmap_and_jump(uint64_t start, uint64_t len, uint64_t entry,
				       uint64_t stack, uint64_t cookie)
{
	register uint64_t x8 __asm__("x8") = SYS_munmap;
	register uint64_t x0 __asm__("x0") = start;
	register uint64_t x1 __asm__("x1") = len;
	register uint64_t x16 __asm__("x16") = entry;

	__asm__ volatile("mov sp, %0\n\t"
			 "svc #0\n\t"
			 "mov x0, %1\n\t"
			 "br %2"
			 : : "r"(stack), "r"(cookie), "r"(x16), "r"(x8), "r"(x0), "r"(x1)
			 : "memory");
	__builtin_unreachable();
}

#endif
