/* SPDX-License-Identifier: MIT */
/*
 * First steps of a task: give the kernel back what it kept for the template.
 *
 * Until the thread pointer is set nothing here may touch thread-local data (errno, the
 * stack protector), so this file is built without the protector and calls no libc.
 * The order is CRIU's restorer's: thread pointer, mappings, ids, then signals.
 */
#include <errno.h>
#include <linux/prctl.h>
#include <stdbool.h>
#include <sys/rseq.h>
#include <unistd.h>

#include <linux/coppice_dev.h>

#include "special.h"
#include "state.h"

const struct coppice_task_args *coppice_task;

/* The task can't go on and can't go back: say so and end like a failed start. */
static void die(const char *text, size_t len)
{
	raw_call(SYS_write, STDERR_FILENO, text, len);
	raw_call(SYS_exit_group, 125);
	__builtin_unreachable();
}

#define check(ok, text) \
	do { if (!(ok)) die("coppice: " text "\n", sizeof("coppice: " text "\n") - 1); } while (0)

static void restore_vdso(const struct coppice_task_args *args,
			 const struct coppice_record *record)
{
	if (args->vdso.start == record->vdso.start)
		return;
	check(!special_move(args->vvar.start, args->vvar.len, record->vvar.start) &&
	      !special_move(args->vdso.start, args->vdso.len, record->vdso.start),
	      "the vDSO could not be moved to where the image expects it: rebuild the image on this kernel");
}

/* The break, and what /proc shows. The executable stays the launcher's. */
static void restore_mm(const struct coppice_task_args *args)
{
	const struct coppice_mm *mm = &args->mm;
	struct prctl_mm_map map = {
		.start_code = mm->start_code, .end_code = mm->end_code,
		.start_data = mm->start_data, .end_data = mm->end_data,
		.start_brk = mm->start_brk, .brk = mm->brk,
		.start_stack = mm->start_stack,
		.arg_start = args->arg_start, .arg_end = args->arg_end,
		.env_start = args->env_start, .env_end = args->env_end,
		.exe_fd = -1,
	};

	check(!raw_call(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0),
	      "the program break could not be set: raise the limit on data (RLIMIT_DATA)");
}

static void restore_thread(const struct coppice_state *state)
{
	*state->tid_address = raw_call(SYS_set_tid_address, state->tid_address);
	raw_call(SYS_set_robust_list, state->robust_list, state->robust_len);
	if (state->rseq)
		check(!raw_call(SYS_rseq, state->rseq, state->rseq_len, 0, RSEQ_SIG),
		      "restartable sequences could not be registered: the image is of another C library's convention, rebuild it");
}

static bool is_default(const struct kernel_sigaction *action)
{
	return action->handler == (uint64_t)SIG_DFL && !action->flags && !action->mask;
}

static void restore_signals(const struct coppice_state *state, bool all_default)
{
	int sig;

	for (sig = 1; sig <= COPPICE_NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP &&
		    !(all_default && is_default(&state->actions[sig - 1])))
			raw_call(SYS_rt_sigaction, sig, &state->actions[sig - 1], NULL,
				 sizeof(uint64_t));
	raw_call(SYS_sigaltstack, &state->altstack, NULL);
}

/* Called by switch.S on the template's stack; the mask stays blocked until the hooks ran. */
int coppice_resume(const struct coppice_task_args *args, unsigned long clean)
{
	const struct coppice_state *state = &coppice_state;
	bool again;

	arch_set_thread_pointer(state->thread_pointer);
	check(args->magic == COPPICE_ARGS_MAGIC && args->size == sizeof(*args),
	      "the controller is of another version than the image: rebuild the image");
	again = args->flags & COPPICE_ARGS_RESET;
	if (again)
		coppice_begin_again(args, clean);
	restore_vdso(args, &state->record);
	restore_mm(args);
	restore_thread(state);
	restore_signals(state, args->flags & COPPICE_ARGS_MODULE && clean & COPPICE_CLEAN_ACTIONS);
	check(!coppice_devices_open(state),
	      "a device that the template had open can't be opened: have /dev/null, zero, full, random and urandom where the task is");
	raw_call(SYS_prctl, PR_SET_NAME, state->record.comm);
	/*
	 * The launcher changed its user, so its memory was nobody's to look at. Now it
	 * is gone, and what is here is the owner's.
	 */
	raw_call(SYS_prctl, PR_SET_DUMPABLE, 1);
	coppice_task = args;
	return 1;
}
