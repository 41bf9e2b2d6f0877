/* SPDX-License-Identifier: GPL-2.0 */
/* What programs may use of this hub's processor, as C libraries choose functions by it. */
#ifndef COPPICE_CPU_H
#define COPPICE_CPU_H

#include "image.h"

struct cpu_feature {
	int word, bit;
	const char *name;
};

/* What the architecture has words for (see ARCH/cpu.c), a bit for each feature. */
void cpu_describe(uint32_t cpu[IMAGE_CPU_WORDS]);
/* Bits that say nothing about what programs may use. */
extern const uint32_t cpu_ignored[IMAGE_CPU_WORDS];
/* Names of the words, and of features; the last one has none. */
extern const char *const cpu_word_names[IMAGE_CPU_WORDS];
extern const struct cpu_feature cpu_features[];

#endif
