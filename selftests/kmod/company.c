// SPDX-License-Identifier: GPL-2.0
/* Who shares a puppet's memory; see company.h. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "company.h"
#include "puppet.h"
#include "runtime/syscall.h"
#include "stage.h"

#define PAGE		STAGE_PAGE
#define PAGES		3	/* what is shared with the test, the code, the stack */
#define ELSEWHERE	(PUPPET_DATA + (1UL << 20))
#define INSIDE static inline __attribute__((always_inline))

/* As of a puppet: copied from its section, so position-independent and calling nothing. */
extern const char __start_company[], __stop_company[];
int company_play(void *company);

/* The child has a copy of the stack. */
INSIDE void fork_child(void)
{
	long pid = raw_call(SYS_clone, SIGCHLD);

	if (!pid)
		raw_call(SYS_exit_group, 0);
	if (pid > 0)
		raw_call(SYS_wait4, pid);
}

INSIDE void unmap(unsigned long addr)
{
	raw_call(SYS_munmap, addr, PAGE);
	raw_call(SYS_mmap, addr, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1);
}

INSIDE void move(unsigned long addr)
{
	if (raw_call(SYS_mremap, addr, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, ELSEWHERE) ==
	    ELSEWHERE)
		raw_call(SYS_mremap, ELSEWHERE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, addr);
}

INSIDE void rest(void)
{
	struct timespec moment = { 0, 100000 };

	raw_call(SYS_ppoll, 0, 0, &moment);
}

INSIDE void do_trick(struct company *company, int trick)
{
	unsigned long page = COMPANY_FIRST + company->done % (PUPPET_PAGES - COMPANY_FIRST);

	if (trick == COMPANY_FORK)
		fork_child();
	if (trick == COMPANY_EXEC)
		raw_call(SYS_execve, company->program, company->argv, company->argv + 1);
	if (trick == COMPANY_UNMAP)
		unmap(PUPPET_DATA + page * PAGE);
	if (trick == COMPANY_MOVE)
		move(PUPPET_DATA + page * PAGE);
}

__attribute__((section("company"), used, noinline))
int company_play(void *data)
{
	struct company *company = data;

	company->here = true;
	raw_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int trick = company->trick;

		if (trick != COMPANY_REST) {
			do_trick(company, trick);
			company->done++;
		}
		rest();
	}
}

/*
 * The test's side, and that of who is not yet a puppet.
 */

struct company *company_new(void)
{
	char *memory = stage_map_low(PAGES * PAGE, MAP_SHARED);

	if (!memory || __stop_company - __start_company > (ptrdiff_t)PAGE)
		return NULL;
	memcpy(memory + PAGE, __start_company, __stop_company - __start_company);
	if (mprotect(memory + PAGE, PAGE, PROT_READ | PROT_EXEC) ||
	    mmap(memory + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return NULL;
	return (struct company *)memory;
}

void company_join(struct company *company)
{
	char *memory = (char *)company;
	size_t entry = (const char *)company_play - __start_company;

	company->trick = COMPANY_REST;
	company->here = false;
	company->done = 0;
	strcpy(company->program, "/bin/true");
	company->argv[0] = company->program;
	company->pid = clone((int (*)(void *))(memory + PAGE + entry), memory + PAGES * PAGE,
			     CLONE_VM | CLONE_PARENT | SIGCHLD, company);
	/* It begins in the C library, which an enter unmaps. */
	while (company->pid > 0 && !company->here)
		usleep(100);
}

struct coppice_range company_range(const struct company *company)
{
	return (struct coppice_range) { (uintptr_t)company, PAGES * PAGE };
}

bool company_leave(struct company *company)
{
	pid_t pid = company->pid;

	company->pid = 0;
	return pid > 0 && !kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid;
}
