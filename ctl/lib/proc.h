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

/* False with errno set if not: ENOENT or ESRCH if there is no such process. */
bool proc_stat(pid_t pid, struct proc_stat *stat);

/* Bytes; all 0 if there is no such process. */
struct proc_memory {
	uint64_t rss;
	uint64_t anonymous;	/* of rss: its own, also where it began as a copy */
	uint64_t tables;	/* page tables */
};

void proc_memory(pid_t pid, struct proc_memory *memory);

/* Milliseconds since a process with this start began. */
uint64_t proc_age_ms(uint64_t start);

#endif /* COPPICE_PROC_H */
