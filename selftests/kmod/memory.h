/* SPDX-License-Identifier: GPL-2.0 */
/* The memory of the whole machine, as a test can count it. */
#ifndef COPPICE_SELFTEST_MEMORY_H
#define COPPICE_SELFTEST_MEMORY_H

/* KiB of a field of /proc/meminfo, as "Shmem", with each processor's count in it. */
unsigned long memory_field(const char *name);
/* KiB that could be had: with what each processor keeps of the pages that it has freed. */
unsigned long memory_available(void);
/* Takes away what caches could be had back for. */
void memory_drop_caches(void);

#endif /* COPPICE_SELFTEST_MEMORY_H */
