/* SPDX-License-Identifier: GPL-2.0 */
/* The file that says which of a Python template's objects lie together: coppice-placement in Documentation/runtime.rst. */
#ifndef COPPICE_PLACEMENT_H
#define COPPICE_PLACEMENT_H

#include "error.h"

/*
 * For a template: a descriptor with what the file has, or with nothing, if there is no file: then the
 * template writes to it what it has learned. -1 with err set.
 */
int placement_open(const char *path, struct error *err);
/* Make the file if @fd, of placement_open(), was given nothing and has been learned to. */
int __must_check placement_keep(const char *path, int fd, struct error *err);

#endif /* COPPICE_PLACEMENT_H */
