/* SPDX-License-Identifier: MIT */
/*
 * The point where a template stops and a task goes on: x86-64.
 *
 * int coppice_switch(int (*wait)(uint64_t stack, uint64_t entry))
 *
 * The ABI's callee-saved registers and control words go on the stack, which is
 * part of the image. The template calls wait(), which only returns if the process
 * can't be a template. A task starts at the entry label with the same stack pointer
 * and, in rax, the address of its arguments; rdx is the second argument of coppice_resume().
 */
	.text
	.globl	coppice_switch
	.hidden	coppice_switch
	.type	coppice_switch, @function
coppice_switch:
	.cfi_startproc
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	.cfi_adjust_cfa_offset 48
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)

	movq	%rdi, %rax
	movq	%rsp, %rdi
	leaq	.Lentry(%rip), %rsi
	callq	*%rax
	jmp	.Lreturn

.Lentry:
	/* What was computed before a reset must not be found in registers after it. */
	movq	%rax, %r12
	movq	%rdx, %r13
	fninit
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	pxor	%xmm\n, %xmm\n
	.endr
	movl	$1, %eax
	xorl	%ecx, %ecx
	cpuid
	btl	$27, %ecx		/* OSXSAVE */
	jnc	.Lclean
	movl	$-1, %eax
	movl	%eax, %edx
	xrstor64 fpu_clean(%rip)
.Lclean:
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	movq	%r12, %rdi
	movq	%r13, %rsi
	callq	coppice_resume

.Lreturn:
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -48
	ret
	.cfi_endproc
	.size	coppice_switch, . - coppice_switch

	/* Says that every component is in its initial state; Intel SDM 1, 13.8. */
	.section .rodata
	.balign	64
fpu_clean:
	.zero	576

	.section .note.GNU-stack, "", @progbits
