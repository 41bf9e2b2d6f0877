/* SPDX-License-Identifier: GPL-2.0 */
/* SHA-256 of several texts and files, each with its length, so that none runs into the next. */
#ifndef COPPICE_DIGEST_H
#define COPPICE_DIGEST_H

#include <stddef.h>

#include "error.h"

#define DIGEST_SIZE	65	/* of the text */

struct digest {
	void *hash;
};

/* Have the library now: should it be missing, nothing is to be half done yet. */
void digest_need(void);
int __must_check digest_open(struct digest *digest, struct error *err);
void digest_add(struct digest *digest, const void *data, size_t len);
/* NULL is not "". */
void digest_text(struct digest *digest, const char *text);
void digest_texts(struct digest *digest, char *const *texts);
int __must_check digest_file(struct digest *digest, const char *path, struct error *err);
/* In hexadecimal digits; it is closed then. */
void digest_close(struct digest *digest, char text[DIGEST_SIZE]);

#endif /* COPPICE_DIGEST_H */
