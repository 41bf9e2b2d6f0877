/* SPDX-License-Identifier: GPL-2.0 */
/* libarchive with archives in memory. */
#ifndef COPPICE_TAR_H
#define COPPICE_TAR_H

#include <archive.h>
#include <archive_entry.h>
#include <stddef.h>

#include "error.h"

/*
 * Write a pax archive, the same bytes each time: @fill writes its entries and returns what
 * libarchive did. @what is for the refusal, "the tree". NULL with err set.
 */
typedef int (*tar_fill_fn)(struct archive *archive, struct archive_entry *entry, void *data);
char *tar_make(const char *what, tar_fill_fn fill, void *data, size_t *len,
	       struct error *err);

/* Open a tar for reading: to be closed with archive_read_free(). NULL with err set. */
struct archive *tar_open(const char *what, const void *data, size_t len, struct error *err);

#endif /* COPPICE_TAR_H */
