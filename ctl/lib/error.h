/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Errors are values: a function that can fail takes a struct error, fills it in
 * once, where the cause is known, and returns -1 (or NULL). Only main() prints
 * it and decides the exit status; nothing in a library exits.
 */
#ifndef COPPICE_ERROR_H
#define COPPICE_ERROR_H

#include <stdbool.h>

/* Exit statuses of the controller (documented in coppice(8)). */
enum exit_status {
	EXIT_OK = 0,
	EXIT_REFUSED = 1,	/* the request was understood and refused, or failed */
	EXIT_USAGE = 2,		/* the command line is wrong */
	EXIT_RUN = 125,		/* run: no task was started */
};

struct error {
	enum exit_status status;
	int code;		/* errno, or 0 */
	char text[512];		/* one sentence: what, why, what to do */
};

#define __must_check __attribute__((warn_unused_result))

/* Fill in @err with EXIT_REFUSED and @code; always returns -1. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with EXIT_USAGE. */
int error_usage(struct error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Put "what: " before the text of @err; always returns -1. */
int error_prefix(struct error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Does this errno say that it could not be looked whether something is there? Who goes on where there is
 * nothing must not go on where that is not known.
 */
bool error_hides(int code);

#endif /* COPPICE_ERROR_H */
