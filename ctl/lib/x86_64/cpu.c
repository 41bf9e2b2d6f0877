// SPDX-License-Identifier: GPL-2.0
/* Features of x86-64 processors. */
#include <cpuid.h>
#include <string.h>

#include "lib/cpu.h"

/* What only the kernel uses, what a hypervisor adds, and mitigations. */
const uint32_t cpu_ignored[IMAGE_CPU_WORDS] = {
	/*
	 * 1.ecx: DTES64 MONITOR DS-CPL VMX SMX EIST TM2 CNXT-ID SDBG xTPR PDCM PCID DCA x2APIC
	 * TSC-deadline hypervisor
	 */
	[0] = 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 10 |
	      1u << 11 | 1u << 14 | 1u << 15 | 1u << 17 | 1u << 18 | 1u << 21 | 1u << 24 | 1u << 31,
	/* 1.edx: all but FPU TSC CX8 CMOV CLFSH MMX FXSR SSE SSE2 */
	[1] = ~(1u << 0 | 1u << 4 | 1u << 8 | 1u << 15 | 1u << 19 | 1u << 23 | 1u << 24 | 1u << 25 |
		1u << 26),
	/* 7.ebx: TSC_ADJUST SGX FDP SMEP INVPCID PQM FPU-CS PQE SMAP PT */
	[2] = 1u << 1 | 1u << 2 | 1u << 6 | 1u << 7 | 1u << 10 | 1u << 12 | 1u << 13 | 1u << 15 |
	      1u << 20 | 1u << 25,
	/* 7.ecx: UMIP TME LA57 bus-lock detection, SGX_LC, PKS */
	[3] = 1u << 2 | 1u << 13 | 1u << 16 | 1u << 24 | 1u << 30 | 1u << 31,
	/* 7.edx: SRBDS MD_CLEAR RTM-abort TSX-force hybrid PCONFIG LBR, and speculation control */
	[4] = 1u << 9 | 1u << 10 | 1u << 11 | 1u << 13 | 1u << 15 | 1u << 18 | 1u << 19 |
	      0x3fu << 26,
	/* 0x80000001.ecx: CmpLegacy SVM ExtApic OSVW IBS SKINIT WDT TCE and counters */
	[5] = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 9 | 1u << 10 | 1u << 12 | 1u << 13 | 1u << 17 |
	      0x7fu << 22,
	/* 0x80000001.edx: all but SYSCALL, RDTSCP, long mode */
	[6] = ~(1u << 11 | 1u << 27 | 1u << 29),
};

const struct cpu_feature cpu_features[] = {
	{ 0, 0, "SSE3" }, { 0, 9, "SSSE3" }, { 0, 12, "FMA" }, { 0, 13, "CMPXCHG16B" },
	{ 0, 19, "SSE4.1" }, { 0, 20, "SSE4.2" }, { 0, 22, "MOVBE" }, { 0, 23, "POPCNT" },
	{ 0, 25, "AES" }, { 0, 26, "XSAVE" }, { 0, 28, "AVX" }, { 0, 29, "F16C" },
	{ 0, 30, "RDRAND" }, { 2, 3, "BMI1" }, { 2, 4, "HLE" }, { 2, 5, "AVX2" },
	{ 2, 8, "BMI2" }, { 2, 9, "ERMS" }, { 2, 11, "RTM" }, { 2, 16, "AVX-512F" },
	{ 2, 18, "RDSEED" }, { 2, 19, "ADX" }, { 2, 29, "SHA" }, { 2, 30, "AVX-512BW" },
	{ 2, 31, "AVX-512VL" }, { 3, 8, "GFNI" }, { 3, 9, "VAES" }, { 3, 22, "RDPID" },
	{ 4, 4, "FSRM" }, { 5, 5, "LZCNT" }, { 6, 27, "RDTSCP" }, {},
};

const char *const cpu_word_names[IMAGE_CPU_WORDS] = {
	"CPUID 1 ECX", "CPUID 1 EDX", "CPUID 7 EBX", "CPUID 7 ECX", "CPUID 7 EDX",
	"CPUID 0x80000001 ECX", "CPUID 0x80000001 EDX", "XCR0",
};

/*
 * CPUID leaves 1 (ecx, edx), 7 (ebx, ecx, edx), 0x80000001 (ecx, edx), and XCR0: what
 * C libraries choose functions by. OSXSAVE and the APIC id are no features.
 */
void cpu_describe(uint32_t cpu[IMAGE_CPU_WORDS])
{
	unsigned int a, b, c, d;

	memset(cpu, 0, IMAGE_CPU_WORDS * sizeof(*cpu));
	if (__get_cpuid(1, &a, &b, &c, &d)) {
		cpu[0] = c;
		cpu[1] = d;
	}
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		cpu[2] = b;
		cpu[3] = c;
		cpu[4] = d;
	}
	if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
		cpu[5] = c;
		cpu[6] = d;
	}
	if (cpu[0] & bit_OSXSAVE)
		__asm__ volatile("xgetbv" : "=a"(cpu[7]), "=d"(d) : "c"(0));
}
