/* SPDX-License-Identifier: GPL-2.0 */
/* x86-64: see ../arch.h. */
#ifndef COPPICE_X86_64_ARCH_H
#define COPPICE_X86_64_ARCH_H

#include <elf.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "lib/error.h"

#define ARCH_NAME		"x86-64"
#define ARCH_MACHINE		EM_X86_64
#define ARCH_LOADER_SONAME	"ld-linux-x86-64.so.2"
#define ARCH_LOADER		"/lib64/" ARCH_LOADER_SONAME
#define ARCH_CACHE		"x86-64"
#define ARCH_USER_END		0x7ffffffff000UL	/* with four levels of page tables */
#define ARCH_REGISTER_ENTRY	16
#define ARCH_REGISTER_STACK	19

static inline int arch_template_asks(struct error *err)
{
	(void)err;
	return 0;
}

static inline int arch_template_begins(pid_t pid, struct error *err)
{
	(void)pid;
	(void)err;
	return 0;
}

__attribute__((noreturn))
static inline void arch_jump(uint64_t code, uint64_t stack, const void *argument)
{
	/* As after a call: 8 bytes off the ABI's alignment. */
	__asm__ volatile("mov %0, %%rsp\n\tjmp *%1"
			 : : "r"(stack - 8), "r"(code), "D"(argument) : "memory");
	__builtin_unreachable();
}

__attribute__((noreturn, always_inline))
static inline void arch_unmap_and_jump(uint64_t start, uint64_t len, uint64_t entry,
				       uint64_t stack, uint64_t cookie)
{
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "syscall\n\t"
			 "mov %1, %%rax\n\t"
			 "jmp *%2"
			 : : "r"(stack), "r"(cookie), "r"(entry),
			     "a"(SYS_munmap), "D"(start), "S"(len)
			 : "rcx", "r11", "memory");
	__builtin_unreachable();
}

#endif
