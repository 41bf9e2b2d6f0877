/* SPDX-License-Identifier: GPL-2.0 */
/* Cgroups (v2) for the processes of a test: what the kernel knows of one, and is told. */
#ifndef COPPICE_SELFTEST_CAGE_H
#define COPPICE_SELFTEST_CAGE_H

#include <stdint.h>
#include <sys/types.h>

/* To a file of the cgroup: 0, or -1 with errno. */
int cage_write(const char *cgroup, const char *file, const char *text);
/* Have a process in it; 0: the caller. */
int cage_put(const char *cgroup, pid_t pid);
/* The number behind @word, or the only one (""), in a file of the cgroup; ~0: there is none. */
uint64_t cage_number(const char *cgroup, const char *file, const char *word);

#endif /* COPPICE_SELFTEST_CAGE_H */
