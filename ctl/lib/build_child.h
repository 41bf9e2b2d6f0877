/* SPDX-License-Identifier: GPL-2.0 */
/* Private to build*.c: the template's process. */
#ifndef COPPICE_BUILD_CHILD_H
#define COPPICE_BUILD_CHILD_H

#include "build.h"

/* Descriptors of the template. */
#define BUILD_RECORD_FD		3	/* the pipe */
#define BUILD_PLACEMENT_FD	4

/*
 * Start the template in the cgroup of descriptor @cgroup. *record is the end of the
 * pipe that its record comes from.
 */
int __must_check build_start(const struct build *build, int cgroup, pid_t *pid, int *record,
			     struct error *err);

#endif /* COPPICE_BUILD_CHILD_H */
