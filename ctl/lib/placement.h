/* SPDX-License-Identifier: GPL-2.0 */
/* The file that says which of a Python template's objects lie together: coppice-placement in Documentation/runtime.rst. */
#ifndef COPPICE_PLACEMENT_H
#define COPPICE_PLACEMENT_H

#include <stdbool.h>

#include "error.h"

/*
 * For a template: a descriptor with what the file has, or with nothing, if there is no file: then the
 * template writes to it what it has learned. -1 with err set.
 */
int placement_open(const char *path, struct error *err);
/* Is there nothing in it yet? */
bool placement_is_new(int fd);
/* Make the file of what a template has learned to @fd. */
int __must_check placement_keep(const char *path, int fd, struct error *err);

#endif /* COPPICE_PLACEMENT_H */
