/* SPDX-License-Identifier: GPL-2.0 */
/* What /proc says about a process. */
#ifndef COPPICE_PROC_H
#define COPPICE_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	char comm[64];
	char state;		/* 'Z': only waits to be reaped */
	pid_t parent;
	uint64_t start;		/* clock ticks since boot; tells pids of one number apart */
};

/* False if there is no such process. */
bool proc_stat(pid_t pid, struct proc_stat *stat);

/* Milliseconds since a process with this start began. */
uint64_t proc_age_ms(uint64_t start);

#endif /* COPPICE_PROC_H */
