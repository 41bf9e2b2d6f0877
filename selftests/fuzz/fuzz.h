/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the targets of libFuzzer have in common. A target reads what comes from outside by the
 * controller's own function, and ends the program if the answer is none: a refusal
 * without a sentence, or a success that is not what was read.
 */
#ifndef COPPICE_SELFTEST_FUZZ_H
#define COPPICE_SELFTEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "lib/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* @ret: of a function that refuses with @err. */
static inline void fuzz_judge(int ret, const struct error *err)
{
	if (ret && !err->text[0])
		abort();
}

/* A copy that ends with a zero byte; NULL if there is one inside. */
char *fuzz_text(const uint8_t *data, size_t size);
/* As the controller reads it; NULL if it is none. */
json_t *fuzz_json(const void *data, size_t size);
/* A file with the content, that a path leads to; the same one each time. */
const char *fuzz_file(const void *data, size_t size);

/*
 * A good thing with changes: @data is a list of them, each an offset (2 bytes), how many
 * bytes there (1 byte), and these. With 0xff as the first byte it is all of it instead. To be freed.
 */
uint8_t *fuzz_change(const uint8_t *good, size_t good_size, const uint8_t *data, size_t size,
		     size_t *changed_size);

/* A deployment that is good. */
struct deployment *fuzz_deployment(void);

#endif /* COPPICE_SELFTEST_FUZZ_H */
