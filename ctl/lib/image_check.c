// SPDX-License-Identifier: GPL-2.0
/*
 * Does an image fit this hub? It holds copies of code that was chosen for, and resolved
 * against, the hub that it was built on.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hub.h"
#include "image.h"

/*
 * Bits of hub_describe()'s words that say nothing about what programs may use:
 * what only the kernel uses, what a hypervisor adds, and mitigations.
 */
static const uint32_t ignored_bits[IMAGE_CPU_WORDS] = {
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

static const struct {
	int word, bit;
	const char *name;
} features[] = {
	{ 0, 0, "SSE3" }, { 0, 9, "SSSE3" }, { 0, 12, "FMA" }, { 0, 13, "CMPXCHG16B" },
	{ 0, 19, "SSE4.1" }, { 0, 20, "SSE4.2" }, { 0, 22, "MOVBE" }, { 0, 23, "POPCNT" },
	{ 0, 25, "AES" }, { 0, 26, "XSAVE" }, { 0, 28, "AVX" }, { 0, 29, "F16C" },
	{ 0, 30, "RDRAND" }, { 2, 3, "BMI1" }, { 2, 4, "HLE" }, { 2, 5, "AVX2" },
	{ 2, 8, "BMI2" }, { 2, 9, "ERMS" }, { 2, 11, "RTM" }, { 2, 16, "AVX-512F" },
	{ 2, 18, "RDSEED" }, { 2, 19, "ADX" }, { 2, 29, "SHA" }, { 2, 30, "AVX-512BW" },
	{ 2, 31, "AVX-512VL" }, { 3, 8, "GFNI" }, { 3, 9, "VAES" }, { 3, 22, "RDPID" },
	{ 4, 4, "FSRM" }, { 5, 5, "LZCNT" }, { 6, 27, "RDTSCP" },
};

static const char *const word_names[IMAGE_CPU_WORDS] = {
	"CPUID 1 ECX", "CPUID 1 EDX", "CPUID 7 EBX", "CPUID 7 ECX", "CPUID 7 EDX",
	"CPUID 0x80000001 ECX", "CPUID 0x80000001 EDX", "XCR0",
};

static int lacks(int word, uint32_t missing, struct error *err)
{
	size_t i;

	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (features[i].word == word && missing >> features[i].bit & 1)
			return error_set(err, ENOEXEC, "the image uses the processor feature %s, which this hub lacks: build the image on this hub",
					 features[i].name);
	return error_set(err, ENOEXEC, "the image uses processor features that this hub lacks (%s, bits %#x): build the image on this hub",
			 word_names[word], missing);
}

static int check_cpu(const struct image *image, const struct image *hub, struct error *err)
{
	uint32_t missing;
	int i;

	for (i = 0; i < IMAGE_CPU_WORDS; i++) {
		missing = image->cpu[i] & ~hub->cpu[i] & ~ignored_bits[i];
		if (missing)
			return lacks(i, missing, err);
	}
	return 0;
}

static int check_vdso(const struct image *image, const struct image *hub, struct error *err)
{
	if (image->vdso_build_id_len == hub->vdso_build_id_len &&
	    !memcmp(image->vdso_build_id, hub->vdso_build_id, hub->vdso_build_id_len))
		return 0;
	return error_set(err, ENOEXEC, "the image was built for the vDSO of another kernel: build the image on this hub, with this kernel");
}

/* A library that is gone can't be loaded a second time in another version, and does no harm. */
static int check_library(const struct image_library *library, struct error *err)
{
	uint8_t id[32], len = 0;

	if (access(library->path, F_OK))
		return 0;
	if (!hub_build_id(library->path, id, &len) && len == library->build_id_len &&
	    !memcmp(id, library->build_id, len))
		return 0;
	return error_set(err, ENOEXEC, "%.200s is not the one that the image holds a copy of: build the image on this hub",
			 library->path);
}

int image_check(const struct image *image, struct error *err)
{
	struct image hub = {};
	size_t i;

	/* Nothing runs in it, and tasks with other builds are not adopted. */
	if (image_is_library(image))
		return 0;
	if (hub_describe(&hub, err) || check_vdso(image, &hub, err) ||
	    check_cpu(image, &hub, err))
		return -1;
	for (i = 0; i < image->nr_libraries; i++)
		if (check_library(&image->libraries[i], err))
			return -1;
	return 0;
}
