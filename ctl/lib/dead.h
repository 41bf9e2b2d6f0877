/* SPDX-License-Identifier: GPL-2.0 */
/* Dead letters: asynchronous events that were given up, and are kept for somebody to decide. */
#ifndef COPPICE_DEAD_H
#define COPPICE_DEAD_H

#include <jansson.h>
#include <stdint.h>

#include "error.h"

/*
 * All, without what they carry, oldest first: id, function, received, ended, tries, bytes, reason.
 * @function: only of that one; NULL: of all.
 */
json_t *dead_list(const char *function, struct error *err);
/*
 * One, with its payload: as text, or, where that is no UTF-8, as payload_base64. NULL with
 * ENOENT if there is none.
 */
json_t *dead_get(const char *id, struct error *err);

/* Those of this id, or, with @id NULL, of this function. */
struct dead_choice {
	const char *id, *function;
};

/* Back to those that are to run, at once and with all tries; @nr: how many. */
int __must_check dead_retry(const struct dead_choice *choice, uint64_t *nr, struct error *err);
int __must_check dead_delete(const struct dead_choice *choice, uint64_t *nr, struct error *err);

#endif /* COPPICE_DEAD_H */
