/* SPDX-License-Identifier: GPL-2.0 */
/* Files of the controller's state: replaced as a whole or not at all. */
#ifndef COPPICE_FILE_H
#define COPPICE_FILE_H

#include <jansson.h>
#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "error.h"

#define STATE_DIRECTORY	"/var/lib/coppice"	/* survives a reboot */
#define RUN_DIRECTORY	"/run/coppice"		/* does not */

/* Like mkdir -p; @mode is that of @path itself, above it 0755. What exists is left as it is. */
int __must_check file_make_directory(const char *path, mode_t mode, struct error *err);

/*
 * Make or replace the file: readers, and a hub that loses its power, see the old content or
 * the new one.
 */
int __must_check file_write(const char *path, mode_t mode, const void *data, size_t len,
			    struct error *err);
int __must_check file_write_json(const char *path, mode_t mode, const json_t *value,
				 struct error *err);

/* All of @from, and onto the disk. -1 has errno set. */
int __must_check file_write_all(int fd, const void *from, size_t len);

/* All of it, with a zero byte behind; NULL with err set (ENOENT: there is none). */
char *file_read(const char *path, size_t *len, struct error *err);
/* The object in it, or NULL with err set. */
json_t *file_read_json(const char *path, struct error *err);
/* The same; @remedy is what to do if it is damaged. */
json_t *file_read_object(const char *path, const char *remedy, struct error *err);
/* The object in a text that was read from @what. */
json_t *file_parse(const char *text, size_t len, const char *what, const char *remedy,
		   struct error *err);

/* An exclusive lock that is released when the descriptor is closed, or -1. */
int __must_check file_lock(const char *path, struct error *err);

/* No error if there is none. */
int __must_check file_remove(const char *path, struct error *err);

#endif /* COPPICE_FILE_H */
