// SPDX-License-Identifier: GPL-2.0
/* The hooks of a cgroup that the redirect programs are attached to. */
#include <errno.h>
#include <unistd.h>

#include "redirect_hook.h"

/* Newer than the headers of Debian 12: enum bpf_attach_type of Linux 6.7. */
#define CGROUP_UNIX_CONNECT	((enum bpf_attach_type)49)
#define CGROUP_UNIX_SENDMSG	((enum bpf_attach_type)50)
#define CGROUP_UNIX_RECVMSG	((enum bpf_attach_type)51)

const struct hook hook_table[NR_HOOKS] = {
	[HOOK_RELEASE] = { "sock_release", BPF_CGROUP_INET_SOCK_RELEASE, "coppice_release" },
	[HOOK_PEER4] = { "getpeername4", BPF_CGROUP_INET4_GETPEERNAME, "coppice_peer4" },
	[HOOK_PEER6] = { "getpeername6", BPF_CGROUP_INET6_GETPEERNAME, "coppice_peer6" },
	[HOOK_RECV4] = { "recvmsg4", BPF_CGROUP_UDP4_RECVMSG, "coppice_recv4" },
	[HOOK_RECV6] = { "recvmsg6", BPF_CGROUP_UDP6_RECVMSG, "coppice_recv6" },
	[HOOK_CONN4] = { "connect4", BPF_CGROUP_INET4_CONNECT, "coppice_conn4" },
	[HOOK_CONN6] = { "connect6", BPF_CGROUP_INET6_CONNECT, "coppice_conn6" },
	[HOOK_SEND4] = { "sendmsg4", BPF_CGROUP_UDP4_SENDMSG, "coppice_send4" },
	[HOOK_SEND6] = { "sendmsg6", BPF_CGROUP_UDP6_SENDMSG, "coppice_send6" },
	[HOOK_RECV_UNIX] = { "recvmsg_unix", CGROUP_UNIX_RECVMSG, "coppice_recvun" },
	[HOOK_CONN_UNIX] = { "connect_unix", CGROUP_UNIX_CONNECT, "coppice_connun" },
	[HOOK_SEND_UNIX] = { "sendmsg_unix", CGROUP_UNIX_SENDMSG, "coppice_sendun" },
};

/*
 * A kernel that does not know the type says so before it looks at the descriptor. The
 * programs also need its BTF.
 */
bool redirect_has_unix(void)
{
	__u32 nr = 0;

	return bpf_prog_query(-1, CGROUP_UNIX_CONNECT, 0, NULL, NULL, &nr) && errno == EBADF &&
	       !access("/sys/kernel/btf/vmlinux", R_OK);
}

int redirect_nr_hooks(void)
{
	return redirect_has_unix() ? NR_HOOKS : FIRST_UNIX;
}
