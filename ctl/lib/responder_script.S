/* SPDX-License-Identifier: GPL-2.0 */
/* The text of responder.lua, from responder_script to responder_script_end. */
	.section .rodata
	.globl responder_script, responder_script_end
responder_script:
	.incbin "lib/responder.lua"
responder_script_end:
	.section .note.GNU-stack, "", @progbits
