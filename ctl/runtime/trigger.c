/* SPDX-License-Identifier: MIT */
/*
 * A checkpoint for programs that know nothing of us: when they first read standard
 * input. A seccomp filter turns that read into SIGSYS, whichever function made it (stdio
 * calls no symbol that could be interposed); the handler checkpoints, and in the task it does
 * the read and gives its result to whom it interrupted. The filter dies with the template:
 * tasks are other processes.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "coppice.h"
#include "state.h"
#include "syscall.h"

static bool armed;
static struct kernel_sigaction before;

static void on_read(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	if (info->si_code != 1 /* SYS_SECCOMP */)
		return;
	if (coppice_checkpoint() < 0)
		_exit(1);
	arch_repeat_call(context, info->si_syscall);
}

void coppice_trigger_forget(struct coppice_state *state)
{
	if (armed)
		state->actions[SIGSYS - 1] = before;
	armed = false;
}

#define LOAD(field) \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)

static int filter_install(void)
{
	struct sock_filter code[] = {
		LOAD(arch), EQUAL(ARCH_AUDIT, 0, 13),
		LOAD(nr),
		EQUAL(SYS_sendfile, 7, 0),
		EQUAL(SYS_read, 8, 0), EQUAL(SYS_readv, 7, 0), EQUAL(SYS_pread64, 6, 0),
		EQUAL(SYS_preadv, 5, 0), EQUAL(SYS_preadv2, 4, 0),
		EQUAL(SYS_copy_file_range, 3, 0), EQUAL(SYS_splice, 2, 5),
		/* Descriptors are ints: the upper half does not count. */
		LOAD(args[1]), EQUAL(STDIN_FILENO, 2, 3),
		LOAD(args[0]), EQUAL(STDIN_FILENO, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ?:
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

void coppice_trigger_arm(void)
{
	struct sigaction action = { .sa_sigaction = on_read, .sa_flags = SA_SIGINFO };

	raw_call(SYS_rt_sigaction, SIGSYS, NULL, &before, sizeof(uint64_t));
	if (!sigaction(SIGSYS, &action, NULL) && !filter_install()) {
		armed = true;
		return;
	}
	coppice_state.record.magic = COPPICE_RECORD_MAGIC;
	coppice_state.record.size = sizeof(coppice_state.record);
	coppice_refuse(&coppice_state, errno, "reads of standard input can't be watched (%s): use a kernel with CONFIG_SECCOMP_FILTER", strerror(errno));
	raw_call(SYS_write, coppice_record_fd, &coppice_state.record, sizeof(coppice_state.record));
	_exit(1);
}
