// SPDX-License-Identifier: GPL-2.0
/*
 * Templates without pointer authentication.
 *
 * Code that is compiled for it signs return addresses with keys that the kernel makes up for each
 * program. What a template has signed no task could authenticate, as its keys are the launcher's, and
 * none but a debugger may set keys. So the keys are turned off for the template before its
 * first instruction: instructions that sign and authenticate do nothing then. Tasks turn theirs
 * off where they resume (runtime/aarch64/switch.S).
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "lib/arch.h"

#ifndef NT_ARM_PAC_ENABLED_KEYS
#define NT_ARM_PAC_ENABLED_KEYS 0x40a
#endif

static bool has_keys(void)
{
	return getauxval(AT_HWCAP) & HWCAP_PACA;
}

/* To be stopped when the program is there. */
int arch_template_asks(struct error *err)
{
	if (!has_keys() || !ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return 0;
	return error_set(err, errno, "the template cannot be started without pointer authentication (%s): let processes be traced (kernel.yama.ptrace_scope)",
			 strerror(errno));
}

static int keys_off(pid_t pid)
{
	uint64_t keys = 0;
	struct iovec value = { &keys, sizeof(keys) };

	return ptrace(PTRACE_SETREGSET, pid, NT_ARM_PAC_ENABLED_KEYS, &value) ||
	       ptrace(PTRACE_DETACH, pid, NULL, NULL) ? -1 : 0;
}

/* One that has ended instead is left to be waited for. */
int arch_template_begins(pid_t pid, struct error *err)
{
	siginfo_t info;

	if (!has_keys())
		return 0;
	if (waitid(P_PID, pid, &info, WSTOPPED | WEXITED | WNOWAIT) || info.si_code != CLD_TRAPPED ||
	    !keys_off(pid))
		return 0;
	error_set(err, errno, "the template's pointer authentication cannot be turned off (%s): use a kernel from 5.13 on",
		  strerror(errno));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}
