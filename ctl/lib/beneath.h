/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files below a directory that is open. No path leads out of it, no link of any kind is
 * followed and no other file system entered, whatever others do to the names meanwhile:
 * that is openat2's work, and the rest goes by descriptors.
 */
#ifndef COPPICE_BENEATH_H
#define COPPICE_BENEATH_H

#include <stdbool.h>
#include <sys/stat.h>

#include "error.h"

/* Like openat() with O_CLOEXEC and O_NOFOLLOW; -1 with errno set. "" is @dir itself. */
int __must_check beneath_open(int dir, const char *path, int flags, mode_t mode);

/* Make a directory that is root's alone, and open it: its parent is there, it is not. */
int __must_check beneath_make(int dir, const char *path, struct error *err);

/* Write a new file and put it on the disk; returns its descriptor or -1. */
int __must_check beneath_write(int dir, const char *path, const void *data, size_t len,
			       struct error *err);

/* All of a file of at most @max bytes, with a zero byte behind; NULL with err set. */
char *beneath_read(int dir, const char *path, size_t max, size_t *len, struct error *err);

/* Remove @name, a file or a directory with all that is in it. No error if there is none. */
int __must_check beneath_remove(int dir, const char *name, struct error *err);

bool beneath_exists(int dir, const char *path);

/*
 * Call @fn for @root and all below it, parents first, with a descriptor that is O_PATH but for
 * directories, and with a path for messages. No matter how deep the tree is, three descriptors
 * are open. Others may change the tree meanwhile: then entries are missed, or EAGAIN is
 * the error's code, but none outside of the tree is met.
 */
struct beneath_entry {
	int fd;
	const char *path;	/* relative to the root, "" is the root; cut off if too long */
	struct stat st;
};

typedef int (*beneath_fn)(const struct beneath_entry *entry, void *data, struct error *err);
int __must_check beneath_walk(int root, beneath_fn fn, void *data, struct error *err);

#endif /* COPPICE_BENEATH_H */
