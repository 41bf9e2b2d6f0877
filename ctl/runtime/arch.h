/* SPDX-License-Identifier: MIT */
/*
 * What is a processor's own, for libcoppice and for the controller's code that runs where libc can't:
 *
 *   raw_syscall()		a system call without libc
 *   arch_thread_pointer()	what thread-local data is found by, and its counterpart
 *   arch_set_thread_pointer()
 *   ARCH_AUDIT			as seccomp filters know it
 *   arch_repeat_call()		in a handler: make the system call that a filter trapped
 *   arch_can_map_vdso()		can a process that has unmapped [vvar…] and [vdso] have them elsewhere?
 *   arch_map_vdso()		does it: where they begin, unless something else is there
 *   ARCH_SINGLE_STEP		can a process step through its own instructions?
 *   arch_single_step()		in a handler: begin or end that
 *
 * switch.S of the same directory is the rest.
 */
#ifndef COPPICE_RUNTIME_ARCH_H
#define COPPICE_RUNTIME_ARCH_H

#if defined(__x86_64__)
#include "x86_64/arch.h"
#elif defined(__aarch64__)
#include "aarch64/arch.h"
#else
#error "libcoppice knows how to resume on x86-64 and arm64 only"
#endif

#endif /* COPPICE_RUNTIME_ARCH_H */
