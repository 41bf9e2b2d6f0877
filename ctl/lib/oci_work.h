/* SPDX-License-Identifier: GPL-2.0 */
/* Layouts in the making. They come to be beside where they shall be, under a name that ends with a number. */
#ifndef COPPICE_OCI_WORK_H
#define COPPICE_OCI_WORK_H

#include <limits.h>

#include "error.h"

/*
 * An empty directory PREFIX.NUMBER, whose path is put into @path, and which the caller renames or removes. Those of
 * that prefix whose makers were killed are removed first: a maker holds its directory locked. Returns the
 * lock, to be closed when the work is done, or -1 with err set.
 */
int __must_check oci_work_begin(const char *prefix, char path[PATH_MAX], struct error *err);

#endif /* COPPICE_OCI_WORK_H */
