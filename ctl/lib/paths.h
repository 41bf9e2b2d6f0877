/* SPDX-License-Identifier: GPL-2.0 */
/* Where the controller's own parts are: installed, or in the tree that built it. */
#ifndef COPPICE_PATHS_H
#define COPPICE_PATHS_H

#include <limits.h>

#include "error.h"

/* libcoppice.so.0: of $COPPICE_LIBDIR, else of beside the controller, else as installed. */
int __must_check path_library(char path[PATH_MAX], struct error *err);

/* The directory with the Python package "coppice", which is beside the library. */
int __must_check path_python(char path[PATH_MAX], struct error *err);

#endif /* COPPICE_PATHS_H */
