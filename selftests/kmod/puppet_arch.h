/* SPDX-License-Identifier: GPL-2.0 */
/* Of puppets and of who may not become one, what is a processor's own. */
#ifndef COPPICE_SELFTEST_PUPPET_ARCH_H
#define COPPICE_SELFTEST_PUPPET_ARCH_H

#include <errno.h>
#include <sys/syscall.h>

/*
 * PUPPET_ENTRY: what is done at the entry, which finds its cookie in the result's register.
 * puppet_thread_call(): clone(), whose child has no stack: all that it does is wait.
 */
#if defined(__x86_64__)

#define PUPPET_ENTRY	"	mov %rax, %rdi\n	xor %ebp, %ebp\n	call puppet_play\n"

static inline __attribute__((always_inline)) long puppet_thread_call(long nr, long a, long b, long c)
{
	register long r10 asm("r10") = 0;
	long ret;

	asm volatile("syscall\n"
		     "	test %%eax, %%eax\n"
		     "	jnz 2f\n"
		     "1:	mov %[pause], %%eax\n"
		     "	syscall\n"
		     "	jmp 1b\n"
		     "2:\n"
		     : "=a"(ret)
		     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), [pause] "i"(SYS_pause)
		     : "rcx", "r11", "memory");
	return ret;
}

/* By the system calls of 32-bit programs, which any program may use. */
static inline int ioctl_by_32_bits(int fd, unsigned int request, void *argument)
{
	int ret;

	asm volatile("int $0x80" : "=a"(ret)
		     : "a"(54 /* ioctl */), "b"(fd), "c"(request), "d"(argument)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

#elif defined(__aarch64__)

#define PUPPET_ENTRY	"	mov x29, xzr\n	bl puppet_play\n"

static inline __attribute__((always_inline)) long puppet_thread_call(long nr, long a, long b, long c)
{
	register long x8 asm("x8") = nr;
	register long x0 asm("x0") = a;
	register long x1 asm("x1") = b;
	register long x2 asm("x2") = c;
	register long x3 asm("x3") = 0;
	register long x4 asm("x4") = 0;

	asm volatile("svc #0\n"
		     "	cbnz x0, 2f\n"
		     "1:	mov x0, xzr\n"
		     "	mov x1, xzr\n"
		     "	mov x2, xzr\n"
		     "	mov x8, %[ppoll]\n"
		     "	svc #0\n"
		     "	b 1b\n"
		     "2:\n"
		     : "+r"(x0), "+r"(x8), "+r"(x1), "+r"(x2)
		     : "r"(x3), "r"(x4), [ppoll] "i"(SYS_ppoll)
		     : "memory");
	return x0;
}

/* A program of 64 bits has none of them. */
static inline int ioctl_by_32_bits(int fd, unsigned int request, void *argument)
{
	return -ENOSYS;
}

#endif

#endif /* COPPICE_SELFTEST_PUPPET_ARCH_H */
