/* SPDX-License-Identifier: GPL-2.0 */
/* Programs of the hub that the controller runs to their end. */
#ifndef COPPICE_PROGRAM_H
#define COPPICE_PROGRAM_H

#include <stddef.h>

#include "error.h"

/* The path of @name in the directories of programs; @package is what Debian has it in. */
int __must_check program_find(const char *name, const char *package, char *path, size_t size,
			      struct error *err);

/*
 * Run @argv (argv[0] a path) and wait. What it says on either stream is in @output, cut to
 * @size and without the last newline. A status other than 0 is an error that repeats it.
 */
int __must_check program_run(char *const *argv, char *output, size_t size, struct error *err);

#endif /* COPPICE_PROGRAM_H */
