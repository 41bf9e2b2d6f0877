// SPDX-License-Identifier: GPL-2.0
/* Features of arm64 processors. */
#include <string.h>
#include <sys/auxv.h>

#include "lib/cpu.h"

/* What events wake up, and that the kernel emulates reads of identification registers. */
const uint32_t cpu_ignored[IMAGE_CPU_WORDS] = {
	[0] = HWCAP_EVTSTRM | HWCAP_CPUID,
};

/* As in /proc/cpuinfo; in the order of the bits. */
const struct cpu_feature cpu_features[] = {
	{ 0, 0, "fp" }, { 0, 1, "asimd" }, { 0, 3, "aes" }, { 0, 4, "pmull" }, { 0, 5, "sha1" },
	{ 0, 6, "sha2" }, { 0, 7, "crc32" }, { 0, 8, "atomics" }, { 0, 9, "fphp" },
	{ 0, 10, "asimdhp" }, { 0, 12, "asimdrdm" }, { 0, 13, "jscvt" }, { 0, 14, "fcma" },
	{ 0, 15, "lrcpc" }, { 0, 16, "dcpop" }, { 0, 17, "sha3" }, { 0, 18, "sm3" },
	{ 0, 19, "sm4" }, { 0, 20, "asimddp" }, { 0, 21, "sha512" }, { 0, 22, "sve" },
	{ 0, 23, "asimdfhm" }, { 0, 24, "dit" }, { 0, 25, "uscat" }, { 0, 26, "ilrcpc" },
	{ 0, 27, "flagm" }, { 0, 28, "ssbs" }, { 0, 29, "sb" }, { 0, 30, "paca" },
	{ 0, 31, "pacg" }, { 2, 0, "dcpodp" }, { 2, 1, "sve2" }, { 2, 2, "sveaes" },
	{ 2, 3, "svepmull" }, { 2, 4, "svebitperm" }, { 2, 5, "svesha3" }, { 2, 6, "svesm4" },
	{ 2, 7, "flagm2" }, { 2, 8, "frint" }, { 2, 13, "i8mm" }, { 2, 14, "bf16" },
	{ 2, 16, "rng" }, { 2, 17, "bti" }, { 2, 18, "mte" }, {},
};

const char *const cpu_word_names[IMAGE_CPU_WORDS] = {
	"AT_HWCAP", "AT_HWCAP, upper half", "AT_HWCAP2", "AT_HWCAP2, upper half",
	"DCZID_EL0, size of a block", "", "", "",
};

/* How much `dc zva` clears is in C libraries' state: a bit for the size. */
static uint32_t block_size(void)
{
	uint64_t id;

	__asm__("mrs %0, dczid_el0" : "=r"(id));
	return id & 1 << 4 ? 0 : 1u << (id & 15);
}

/* AT_HWCAP and AT_HWCAP2, and what is cleared at once. */
void cpu_describe(uint32_t cpu[IMAGE_CPU_WORDS])
{
	unsigned long first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);

	memset(cpu, 0, IMAGE_CPU_WORDS * sizeof(*cpu));
	cpu[0] = first;
	cpu[1] = first >> 32;
	cpu[2] = second;
	cpu[3] = second >> 32;
	cpu[4] = block_size();
}
