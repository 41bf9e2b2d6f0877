/* SPDX-License-Identifier: GPL-2.0 */
/* Private to function_*.c and the commands: the files of a function's code. */
#ifndef COPPICE_FUNCTION_CODE_H
#define COPPICE_FUNCTION_CODE_H

#include <limits.h>

#include "function.h"

/*
 * Relative paths of all files, sorted: the directory's, without hidden ones, manifests and
 * what interpreters cache, or those that the manifest names. Each is there and a regular file.
 */
char **function_files(const struct function *function, struct error *err);

/*
 * Copy the code to FUNCTION_CODE, where tasks of the owner can read it, and let
 * ->directory and ->digest be those of the copy. What is there of the same digest is used.
 */
int __must_check function_copy(struct function *function, struct error *err);

/* Remove the code of this digest, unless a function that is deployed has it. */
int __must_check function_drop_code(const struct function *function, struct error *err);

void function_code_path(uid_t owner, const char *digest, char path[PATH_MAX]);

#endif /* COPPICE_FUNCTION_CODE_H */
