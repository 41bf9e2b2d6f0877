/* SPDX-License-Identifier: GPL-2.0 */
/* Private to redirect*.c: the eBPF programs, loaded upon the pinned maps. */
#ifndef COPPICE_REDIRECT_PROGRAMS_H
#define COPPICE_REDIRECT_PROGRAMS_H

#include "error.h"
#include "redirect_hook.h"

/* The loaded programs: the second object only where the kernel can load it. */
struct programs {
	struct redirect_bpf *inet;
	struct redirect_unix_bpf *unix_;
};

#define cleanup_programs __attribute__((cleanup(programs_free)))

/*
 * Load the programs upon the pinned maps, making and pinning those that are missing. On
 * failure, too, what is loaded is the caller's to free.
 */
int __must_check programs_load(struct programs *programs, struct error *err);
/* The descriptor of the program for a hook, which this kernel has. */
int programs_fd(const struct programs *programs, enum hook_number hook);
void programs_free(struct programs *programs);

#endif /* COPPICE_REDIRECT_PROGRAMS_H */
