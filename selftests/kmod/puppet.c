// SPDX-License-Identifier: GPL-2.0
/* Tasks that do as they are told; see puppet.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "lib/backend.h"
#include "puppet.h"
#include "puppet_arch.h"
#include "runtime/syscall.h"
#include "stage.h"

#define PAGE 4096UL
#define INSIDE static inline __attribute__((always_inline))

/*
 * The puppet: copied from the section "puppet" into its image, so position-independent
 * and without a call to anything else. An entry finds its cookie in the result's register.
 */
extern const char __start_puppet[], __stop_puppet[], puppet_entry[];
void puppet_play(struct puppet *puppet);

asm(".pushsection puppet,\"ax\",%progbits\n"
    ".globl puppet_entry\n"
    "puppet_entry:\n"
    PUPPET_ENTRY
    ".popsection\n");

INSIDE long call(long nr, long a, long b, long c, long d)
{
	return raw_syscall(nr, a, b, c, d, -1, 0);
}

/* A thread, or another process, that waits in the puppet's memory. */
INSIDE long have_another(long flags)
{
	return puppet_thread_call(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | flags,
				  PUPPET_FRESH + PAGE, 0);
}

INSIDE void write_pages(int step)
{
	volatile char *data = (volatile char *)PUPPET_DATA;
	int i;

	for (i = 0; i < PUPPET_PAGES; i += step)
		data[i * PAGE] = data[i * PAGE];
}

/* A private copy that differs, memory that is new, and holes. */
INSIDE long mess(void)
{
	*(volatile char *)(PUPPET_DATA + PAGE + 1) = 0x11;
	*(volatile char *)(PUPPET_FRESH + PAGE) = 0x11;
	call(SYS_mmap, 0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	call(SYS_mprotect, PUPPET_DATA + 2 * PAGE, PAGE, PROT_READ, 0);
	return call(SYS_munmap, PUPPET_DATA + 9 * PAGE, 2 * PAGE, 0, 0);
}

/* What a page has in each byte. */
INSIDE char content(int page)
{
	return page + 1;
}

INSIDE unsigned int check_page(int nr, int step)
{
	volatile char *page = (volatile char *)(PUPPET_DATA + nr * PAGE);
	unsigned int wrong = 0, i;

	for (i = 0; i < PAGE; i += step)
		wrong += page[i] != content(nr);
	return wrong;
}

INSIDE long check(void)
{
	long wrong = 0;
	int i;

	for (i = 0; i < PUPPET_PAGES; i++)
		wrong += check_page(i, 1);
	return wrong;
}

/* Whatever is done to it from outside, what it has written last is what it reads. */
INSIDE unsigned int work_on(int nr, unsigned int value)
{
	volatile char *page = (volatile char *)(PUPPET_DATA + nr * PAGE);
	volatile unsigned int *word = (volatile unsigned int *)(page + 64);
	unsigned int wrong = check_page(nr, 1020), before = *word, i;

	*word = value;
	for (i = 0; i < 200; i++)
		wrong += *word != value;
	*word = before;
	return wrong;
}

INSIDE long work(struct puppet *puppet)
{
	int i;

	while (puppet->command == PUPPET_WORK) {
		for (i = 0; i < COMPANY_FIRST; i++)
			puppet->wrong += work_on(i, puppet->steps + 0x80000000);
		puppet->steps++;
	}
	return 0;
}

INSIDE long reset(struct puppet *puppet)
{
	return call(SYS_ioctl, puppet->group, COPPICE_IOC_RESET, (long)&puppet->reset, 0);
}

INSIDE long fork_child(struct puppet *puppet, long flags, bool resets)
{
	long pid = call(SYS_clone, flags | SIGCHLD, 0, 0, 0);

	if (!pid) {
		if (resets)
			puppet->result = reset(puppet);
		call(SYS_exit, 0, 0, 0, 0);
	}
	if (pid > 0)
		call(SYS_wait4, pid, 0, 0, 0);
	return resets && pid > 0 ? puppet->result : pid;
}

INSIDE long obey(struct puppet *puppet)
{
	int command = puppet->command;

	if (command == PUPPET_EXIT)
		call(SYS_exit_group, 0, 0, 0, 0);
	if (command == PUPPET_READY)
		return call(SYS_ioctl, puppet->group, COPPICE_IOC_READY, 0, 0);
	if (command == PUPPET_RESHARE)
		return call(SYS_ioctl, puppet->group, COPPICE_IOC_RESHARE,
			    (long)&puppet->reshare, 0);
	if (command == PUPPET_RESET)
		return reset(puppet);
	if (command == PUPPET_TOUCH)
		write_pages(2);
	if (command == PUPPET_MESS) {
		write_pages(1);
		return mess();
	}
	if (command == PUPPET_FORK)
		return fork_child(puppet, 0, false);
	if (command == PUPPET_VFORK_RESET)
		return fork_child(puppet, CLONE_VM | CLONE_VFORK, true);
	if (command == PUPPET_THREAD)
		return have_another(CLONE_SIGHAND | CLONE_THREAD);
	if (command == PUPPET_SHARER)
		return have_another(SIGCHLD);
	if (command == PUPPET_PAUSE)
		return call(SYS_ppoll, 0, 0, 0, 0);
	if (command == PUPPET_CHECK)
		return check();
	if (command == PUPPET_WORK)
		return work(puppet);
	if (command == PUPPET_EXEC)
		return call(SYS_execve, (long)puppet->program, (long)puppet->argv,
			    (long)(puppet->argv + 1), 0);
	return 0;
}

__attribute__((section("puppet"), used, noreturn, noinline))
void puppet_play(struct puppet *puppet)
{
	puppet->starts++;
	for (;;) {
		if (puppet->command < PUPPET_WORK)
			call(SYS_kill, call(SYS_getpid, 0, 0, 0, 0), SIGSTOP, 0, 0);
		puppet->result = obey(puppet);
	}
}

/*
 * The master.
 */

static struct image_segment segments[] = {
	{ .start = PUPPET_CODE, .len = PAGE, .prot = PROT_READ | PROT_EXEC },
	{ .start = PUPPET_DATA, .len = PUPPET_PAGES * PAGE, .prot = PROT_READ | PROT_WRITE },
	{ .start = PUPPET_FRESH, .len = PUPPET_PAGES * PAGE, .prot = PROT_READ | PROT_WRITE },
};

static int make_image(struct image *image, struct error *err)
{
	static char data[PUPPET_PAGES * PAGE], code[PAGE];
	int i;

	if (__stop_puppet - __start_puppet > (ptrdiff_t)PAGE)
		return error_set(err, E2BIG, "a puppet is larger than a page");
	memcpy(code, __start_puppet, __stop_puppet - __start_puppet);
	for (i = 0; i < PUPPET_PAGES; i++)
		memset(data + i * PAGE, content(i), PAGE);
	segments[0].data = code;
	segments[1].data = data;
	*image = (struct image) {
		.entry = PUPPET_CODE + (puppet_entry - __start_puppet),
		.stack = PUPPET_FRESH + PUPPET_PAGES * PAGE,
		.segments = segments, .nr_segments = 3,
	};
	return 0;
}

int puppet_load(const char *name, struct error *err)
{
	struct image image;

	return make_image(&image, err) ?: backend_kernel.image_load(name, 0, &image, err);
}

int puppet_set(const char *name, struct error *err)
{
	struct group_info group = {};

	snprintf(group.name, sizeof(group.name), "%s", name);
	snprintf(group.image, sizeof(group.image), "%s", name);
	return puppet_load(name, err) ?: backend_kernel.group_add(&group, err);
}

bool puppet_image_intact(const char *name, struct error *err)
{
	struct image image;

	return !make_image(&image, err) && stage_image_intact(name, &image, err);
}

struct puppet *puppet_new(void)
{
	return stage_map_low(PAGE, MAP_SHARED);
}

static struct coppice_reason reason(struct puppet *puppet)
{
	return (struct coppice_reason) { (uintptr_t)puppet->sentence, sizeof(puppet->sentence), 0 };
}

void puppet_unregister_rseq(void)
{
	syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 1, RSEQ_SIG);
}

/* Another page than the box, which is to outlive resets as it is. */
static void have_saved(struct coppice_enter *args)
{
	struct coppice_range page = { (uintptr_t)stage_map_low(PAGE, MAP_PRIVATE), PAGE };
	bool behind = page.start > args->keep[0].start;

	args->keep[!behind] = args->home[!behind] = args->keep[0];
	args->keep[behind] = args->home[behind] = page;
	args->nr_keep = args->nr_home = 2;
	args->saved = page.start;
	args->saved_len = 100;
}

static void enter(struct puppet *puppet)
{
	struct coppice_range box = { (uintptr_t)puppet, PAGE };
	struct coppice_enter args = {
		.reason = reason(puppet),
		.nr_keep = 1, .keep = { box },
		.nr_home = !puppet->homeless, .home = { box },
		.cookie = box.start, .reset_cookie = box.start,
	};
	int fault = puppet->nth ? fault_open(getpid()) : -1;

	if (puppet->nth && args.nr_home)
		have_saved(&args);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	puppet_unregister_rseq();
	if (puppet->company) {
		company_join(puppet->company);
		args.nr_keep = args.nr_home = 2;
		args.keep[1] = args.home[1] = company_range(puppet->company);
	}
	puppet->waits = true;
	while (puppet->held)
		usleep(100);
	if (puppet->nth)
		fault_arm(fault, puppet->nth);
	puppet->result = ioctl(puppet->group, COPPICE_IOC_ENTER, &args) < 0 ? -errno : 0;
	if (puppet->nth)
		puppet->left = fault_disarm(fault);
	_exit(PUPPET_REFUSED);
}

bool puppet_stops(struct puppet *puppet)
{
	siginfo_t info;

	if (waitid(P_PID, puppet->pid, &info, WEXITED | WSTOPPED | WNOWAIT))
		return false;
	if (info.si_code != CLD_STOPPED)
		return false;
	waitid(P_PID, puppet->pid, &info, WSTOPPED);
	return true;
}

void puppet_begin(struct puppet *puppet, int group)
{
	pid_t pid;

	puppet->group = group;
	puppet->starts = puppet->steps = puppet->wrong = 0;
	puppet->result = 0;
	puppet->waits = false;
	puppet->sentence[0] = '\0';
	strcpy(puppet->program, "/bin/true");
	puppet->argv[0] = puppet->program;
	puppet->reshare.reason = puppet->reset.reason = reason(puppet);
	pid = fork();
	if (!pid)
		enter(puppet);
	puppet->pid = pid;
}

bool puppet_start(struct puppet *puppet, int group)
{
	puppet_begin(puppet, group);
	return puppet_stops(puppet);
}

void puppet_let(struct puppet *puppet, enum puppet_command command)
{
	puppet->sentence[0] = '\0';
	puppet->result = 0;
	puppet->command = command;
	kill(puppet->pid, SIGCONT);
}

bool puppet_do(struct puppet *puppet, enum puppet_command command)
{
	puppet_let(puppet, command);
	return puppet_stops(puppet);
}

int puppet_reap(struct puppet *puppet)
{
	int status;

	if (waitpid(puppet->pid, &status, 0) != puppet->pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int puppet_end(struct puppet *puppet)
{
	puppet_let(puppet, PUPPET_EXIT);
	return puppet_reap(puppet);
}
