/* SPDX-License-Identifier: GPL-2.0 */
/* Private to redirect*.c: the hooks of a cgroup that the redirect programs are attached to. */
#ifndef COPPICE_REDIRECT_HOOK_H
#define COPPICE_REDIRECT_HOOK_H

#include <stdbool.h>
#include <bpf/bpf.h>

/*
 * The storage that tells the group to the programs of the ways out is made when the first
 * one is attached. What shows tasks the endpoint comes before, so that nothing is
 * redirected whose task would then be shown the handler.
 */
enum hook_number {
	HOOK_RELEASE, HOOK_PEER4, HOOK_PEER6, HOOK_RECV4, HOOK_RECV6,
	HOOK_CONN4, HOOK_CONN6, HOOK_SEND4, HOOK_SEND6,
	HOOK_RECV_UNIX, HOOK_CONN_UNIX, HOOK_SEND_UNIX,
	NR_HOOKS
};

#define FIRST_UNIX	HOOK_RECV_UNIX

struct hook {
	const char *pin;	/* the name of its link */
	enum bpf_attach_type type;
	const char *program;
};

extern const struct hook hook_table[NR_HOOKS];

/* Has the kernel hooks for AF_UNIX? */
bool redirect_has_unix(void);
/* How many hooks this kernel has: all, or those before FIRST_UNIX. */
int redirect_nr_hooks(void);

#endif /* COPPICE_REDIRECT_HOOK_H */
