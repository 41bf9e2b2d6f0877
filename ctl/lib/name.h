/* SPDX-License-Identifier: GPL-2.0 */
/* Names of images and groups, and numbers as they are typed. */
#ifndef COPPICE_NAME_H
#define COPPICE_NAME_H

#include <stdint.h>

#include "error.h"

/* By the module's rule. @what: "an image", "a group". */
int __must_check name_check(const char *what, const char *name, struct error *err);

/* A decimal number of at most @max; @what is named in the refusal. */
int __must_check number_parse(const char *what, const char *text, uint64_t max,
			      uint64_t *number, struct error *err);

/* "1048576", "512K", "64M", "2G": binary multiples. */
int __must_check bytes_parse(const char *what, const char *text, uint64_t *bytes,
			     struct error *err);

#endif /* COPPICE_NAME_H */
