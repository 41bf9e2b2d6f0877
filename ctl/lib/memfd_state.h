/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the memfd backend knows, as JSON files: images/NAME.json and groups/NAME.json below
 * /run/coppice/memfd, all under one lock. A file is replaced as a whole or not at all.
 */
#ifndef COPPICE_MEMFD_STATE_H
#define COPPICE_MEMFD_STATE_H

#include <jansson.h>
#include <stdint.h>

#include "error.h"

#define STATE_IMAGES	"images"
#define STATE_GROUPS	"groups"

/* Takes the lock, making what is missing: a descriptor that releases it, or -1. */
int __must_check state_lock(struct error *err);
/* A number that was not given before; the caller holds the lock. */
int __must_check state_next_id(int lock, uint32_t *id, struct error *err);

/* The record, or NULL with err set: ENOENT if there is none. */
json_t *state_read(const char *kind, const char *name, struct error *err);
int __must_check state_write(const char *kind, const char *name, const json_t *record,
			     struct error *err);
int __must_check state_remove(const char *kind, const char *name, struct error *err);

/* Every record, in order of names; a non-zero result ends it and is returned. */
typedef int (*state_fn)(const char *name, const json_t *record, void *data);
int __must_check state_each(const char *kind, state_fn fn, void *data, struct error *err);

#endif /* COPPICE_MEMFD_STATE_H */
