/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A library for adopt_test: every page of its code is a function that returns the page's
 * number, and every page of its data begins with it. No two pages are equal.
 */
#include "adopt_lib.h"

#ifdef __aarch64__
#define RETURN_NUMBER	mov w0, number
#else
#define RETURN_NUMBER	movl $number, %eax
#endif

	.text
	.p2align 12
	.globl adopt_text
adopt_text:
	.set number, 0
	.rept ADOPT_TEXT_PAGES
	RETURN_NUMBER
	ret
	.p2align 12, 0xcc
	.set number, number + 1
	.endr

	.section .rodata
	.p2align 12
	.globl adopt_data
adopt_data:
	.set number, 0
	.rept ADOPT_DATA_PAGES
	.long number
	.p2align 12, 0x5a
	.set number, number + 1
	.endr

	.section .note.GNU-stack, "", %progbits
