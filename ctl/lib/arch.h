/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is a processor's own, for the controller (runtime/arch.h has what a template and its
 * tasks need):
 *
 *   ARCH_NAME, ARCH_MACHINE	as people and as ELF files call it
 *   ARCH_LOADER, ARCH_LOADER_SONAME	the dynamic linker
 *   ARCH_CACHE			as the dynamic linker's cache calls it
 *   ARCH_USER_END		where the kernel's addresses begin
 *   ARCH_REGISTER_ENTRY, ARCH_REGISTER_STACK	their numbers in core files
 *   arch_template_asks()	in a template's process before execve(), and for it when
 *   arch_template_begins()	it has the program: what of the processor tasks can't have is off
 *   arch_jump()		go on elsewhere, on another stack that ends at an address
 *   arch_unmap_and_jump()	the same, after the memory with this stack is gone
 */
#ifndef COPPICE_ARCH_H
#define COPPICE_ARCH_H

#if defined(__x86_64__)
#include "x86_64/arch.h"
#elif defined(__aarch64__)
#include "aarch64/arch.h"
#else
#error "the controller knows x86-64 and arm64 only"
#endif

#endif
