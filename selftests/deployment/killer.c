// SPDX-License-Identifier: GPL-2.0
/*
 * killer N COMMAND…: run it and kill it before its Nth system call, as `kill -9` could.
 * Prints how many there were, and before that which of them renamed something. Status 0: it was
 * killed; 1: it ended before that, with status 0; 2: it failed. The command's output is dropped.
 * What it forks is not counted, and let go.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start(char **command)
{
	pid_t pid = fork();

	if (!pid) {
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execv(command[0], command);
		_exit(127);
	}
	return pid;
}

/* Stops come in pairs: on the way in, and on the way out. */
static int is_entry(unsigned long stops)
{
	return stops % 2;
}

static int is_rename(unsigned long long call)
{
#ifdef SYS_rename
	if (call == SYS_rename)
		return 1;
#endif
	return call == SYS_renameat || call == SYS_renameat2;
}

static void tell_rename(pid_t pid, unsigned long number)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0 &&
	    info.op == PTRACE_SYSCALL_INFO_ENTRY && is_rename(info.entry.nr))
		printf("%lu ", number);
}

int main(int argc, char **argv)
{
	unsigned long at = argc > 2 ? strtoul(argv[1], NULL, 10) : 0, stops = 0;
	pid_t pid = argc > 2 ? start(argv + 2) : -1;
	int status, sig = 0;

	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 3;
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	while (!ptrace(PTRACE_SYSCALL, pid, NULL, sig) && waitpid(pid, &status, 0) == pid &&
	       WIFSTOPPED(status)) {
		sig = WSTOPSIG(status);
		if (sig != (SIGTRAP | 0x80)) {
			sig = sig == SIGTRAP ? 0 : sig;
			continue;
		}
		sig = 0;
		if (!is_entry(++stops))
			continue;
		tell_rename(pid, (stops + 1) / 2);
		if ((stops + 1) / 2 == at) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
	}
	printf("%lu\n", (stops + 1) / 2);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return 0;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 1 : 2;
}
