/* SPDX-License-Identifier: GPL-2.0 */
/* Private to the commands: what is deployed, as files. Hold the lock from question to answer. */
#ifndef COPPICE_FUNCTION_STORE_H
#define COPPICE_FUNCTION_STORE_H

#include "function.h"

/* Held while functions are added and deleted: a descriptor, or -1. */
int __must_check function_lock(struct error *err);

/* Write or replace what is known of it. */
int __must_check function_put(const struct function *function, struct error *err);
/*
 * Have who serves it read it anew, and so end what is idle of it: nobody waits for that. False if it
 * is not there.
 */
bool function_touch(const char *name);
/* Forget it. No error if there is none. */
int __must_check function_remove(const char *name, struct error *err);

/*
 * What a function was before, as long as its group and code may be there: written before the
 * manifest is replaced or removed, so that who is killed then leaves nothing unknown.
 */
int __must_check function_put_former(const struct function *function, struct error *err);
int __must_check function_forget_former(const char *name, struct error *err);
int __must_check function_each_former(function_fn fn, void *data, struct error *err);

/* All of them, in an array that functions_free() frees. */
struct functions {
	struct function *list;
	size_t nr;
};

int __must_check functions_read(struct functions *functions, struct error *err);
void functions_free(struct functions *functions);

#endif /* COPPICE_FUNCTION_STORE_H */
