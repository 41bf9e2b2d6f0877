/* SPDX-License-Identifier: MIT */
/*
 * The point where a template stops and a task goes on: arm64.
 *
 * int coppice_switch(int (*wait)(uint64_t stack, uint64_t entry))
 *
 * The ABI's callee-saved registers and control words go on the stack, which is
 * part of the image. The template calls wait(), which only returns if the process
 * can't be a template. A task starts at the entry label with the same stack pointer
 * and, in x0, the address of its arguments; x1 is the second argument of coppice_resume().
 */
	.text
	.globl	coppice_switch
	.hidden	coppice_switch
	.type	coppice_switch, %function
coppice_switch:
	.cfi_startproc
	hint	#34			/* bti c */
	stp	x29, x30, [sp, #-176]!
	.cfi_def_cfa_offset 176
	.cfi_offset 29, -176
	.cfi_offset 30, -168
	mov	x29, sp
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mrs	x1, fpcr
	mrs	x2, fpsr
	stp	x1, x2, [sp, #160]

	mov	x9, x0
	mov	x0, sp
	adr	x1, .Lentry
	blr	x9
	b	.Lreturn

.Lentry:
	hint	#36			/* bti j */
	/*
	 * What was computed before a reset must not be found in registers after it. Of the
	 * vectors what is longer, and predicates, no system call leaves as they were.
	 */
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	movi	v\n\().16b, #0
	.endr
	mov	x20, x1
	ldp	x1, x2, [sp, #160]
	msr	fpcr, x1
	msr	fpsr, x2
	mov	x29, sp

	/*
	 * The template has signed no pointers (see ctl/lib/aarch64/template.c), so none is
	 * to be authenticated: prctl(PR_PAC_SET_ENABLED_KEYS, all that there are, none).
	 */
	mov	x19, x0
	mov	x0, #60
	mov	x1, #15
	mov	x2, #0
	mov	x3, #0
	mov	x4, #0
	mov	x8, #167
	svc	#0
	mov	x0, x19
	mov	x1, x20
	bl	coppice_resume

.Lreturn:
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	ldp	x29, x30, [sp], #176
	.cfi_def_cfa_offset 0
	.cfi_restore 29
	.cfi_restore 30
	ret
	.cfi_endproc
	.size	coppice_switch, . - coppice_switch

	.section .note.GNU-stack, "", %progbits
