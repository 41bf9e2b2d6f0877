/* SPDX-License-Identifier: MIT */
/* Collect the kernel's state of a template, or say why it can't be one. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/time.h>
#include <unistd.h>

#include "special.h"
#include "state.h"

int coppice_refuse(struct coppice_state *state, int code, const char *format, ...)
{
	va_list args;

	state->record.error = code;
	va_start(args, format);
	vsnprintf(state->record.reason, sizeof(state->record.reason), format, args);
	va_end(args);
	return -1;
}

static int collect_thread(struct coppice_state *state)
{
	long err = raw_call(SYS_prctl, PR_GET_TID_ADDRESS, &state->tid_address);

	if (err)
		return coppice_refuse(state, -err, "the kernel doesn't tell a thread's tid address: use one with CONFIG_CHECKPOINT_RESTORE");
	err = raw_call(SYS_get_robust_list, 0, &state->robust_list, &state->robust_len);
	if (err)
		return coppice_refuse(state, -err, "the robust futex list can't be read: %s", strerror(-err));
	state->thread_pointer = arch_thread_pointer();
	/* libc registers 32 bytes, whatever size it announces. */
	if (__rseq_size) {
		state->rseq = (char *)state->thread_pointer + __rseq_offset;
		state->rseq_len = __rseq_size < 32 ? 32 : __rseq_size;
	}
	return 0;
}

static int collect_signals(struct coppice_state *state)
{
	long err = 0;
	int sig;

	for (sig = 1; sig <= COPPICE_NSIG && !err; sig++)
		err = raw_call(SYS_rt_sigaction, sig, NULL, &state->actions[sig - 1],
			       sizeof(uint64_t));
	if (!err)
		err = raw_call(SYS_sigaltstack, NULL, &state->altstack);
	return err ? coppice_refuse(state, -err, "the signal state can't be read: %s", strerror(-err)) : 0;
}

static int refuse_timers(struct coppice_state *state)
{
	static const char *const names[] = { "ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF" };
	struct itimerval timer;
	FILE *timers;
	int i, armed;

	for (i = 0; i < 3; i++) {
		if (getitimer(i, &timer) || (!timer.it_value.tv_sec && !timer.it_value.tv_usec))
			continue;
		return coppice_refuse(state, EBUSY, "the template has an armed interval timer (%s), which tasks would not have: disarm it before the checkpoint", names[i]);
	}
	timers = fopen("/proc/self/timers", "re");
	if (!timers)
		return 0;
	armed = fgetc(timers) != EOF;
	fclose(timers);
	return armed ? coppice_refuse(state, EBUSY, "the template has a POSIX timer, which tasks would not have: delete it before the checkpoint") : 0;
}

/* The fields of /proc/self/stat that PR_SET_MM_MAP sets; see proc(5). */
static int collect_mm(struct coppice_state *state)
{
	struct coppice_mm *mm = &state->record.mm;
	unsigned long code[2], stack, data[3];
	char text[1024], *fields;
	FILE *stat = fopen("/proc/self/stat", "re");
	size_t len = stat ? fread(text, 1, sizeof(text) - 1, stat) : 0;

	if (stat)
		fclose(stat);
	text[len] = '\0';
	fields = strrchr(text, ')');
	if (!fields ||
	    sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d"
		   " %*d %*d %*d %*d %*u %*u %*d %*u %lu %lu %lu %*u %*u %*u %*u %*u %*u %*u"
		   " %*u %*u %*d %*d %*u %*u %*u %*u %*d %lu %lu %lu",
		   &code[0], &code[1], &stack, &data[0], &data[1], &data[2]) != 6)
		return coppice_refuse(state, EIO, "/proc/self/stat can't be read: mount /proc");
	mm->start_code = code[0];
	mm->end_code = code[1];
	mm->start_stack = stack;
	mm->start_data = data[0];
	mm->end_data = data[1];
	mm->start_brk = data[2];
	mm->brk = (uint64_t)sbrk(0);
	return 0;
}

static int collect_special(struct coppice_state *state)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2)
			special_scan(line, start, end, &state->record.vvar, &state->record.vdso);
	}
	if (maps)
		fclose(maps);
	if (state->record.vdso.len)
		return 0;
	return coppice_refuse(state, ENOSYS, "the kernel gave the template no vDSO: boot without vdso=0");
}

int coppice_collect(struct coppice_state *state)
{
	struct coppice_record *record = &state->record;

	memset(state, 0, sizeof(*state));
	record->magic = COPPICE_RECORD_MAGIC;
	record->size = sizeof(*record);
	prctl(PR_GET_NAME, record->comm);
	if (refuse_timers(state) || collect_thread(state) || collect_signals(state) ||
	    collect_special(state))
		return -1;
	coppice_devices_collect(state);
	/* Last: what came before may have moved the break. */
	return collect_mm(state);
}
