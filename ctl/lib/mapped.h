/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Images of the files that a group's processes map, with which they are adopted. Named after the
 * owner and the files' build-ids, so that groups of the same files have one between them.
 */
#ifndef COPPICE_MAPPED_H
#define COPPICE_MAPPED_H

#include <stdbool.h>
#include <stddef.h>

#include "backend.h"

/* Is it the name of one? */
bool mapped_is_image(const char *name);

/* Held from the making of an image until a group has it, and while those without a group go. */
int __must_check mapped_lock(struct error *err);

/*
 * The image of one program, or of the C library where the program can be in none (as it has no
 * build-id): what a group begins with. Hold the lock. It is no error if the image exists.
 */
int __must_check mapped_make(const struct backend *backend, uid_t owner, const char *program,
			     char name[IMAGE_NAME_MAX + 1], struct error *err);

/*
 * Give the group the image of all files that @pids have mapped to execute, beside those that lie where
 * its image's did: files of root or of the group's owner, with a build-id. Returns 1 if
 * it has another image now, 0 if its own has them all. Not for groups with tasks, which keep theirs.
 */
int __must_check mapped_learn(const struct backend *backend, const struct group_info *group,
			      const pid_t *pids, size_t nr, struct error *err);

/* Delete those images that no group has. Hold the lock. */
int __must_check mapped_prune(const struct backend *backend, struct error *err);

#endif /* COPPICE_MAPPED_H */
