// SPDX-License-Identifier: GPL-2.0
/* Manifests of functions: what is read is written, and is read again as the same. */
#include "fuzz.h"
#include "lib/function.h"

static void again(const struct function *function)
{
	json_t *written = function_json(function), *rewritten = NULL;
	struct function second = {};
	struct error err = {};

	if (!written || function_parse(written, "/", "it", &second, &err))
		abort();
	rewritten = function_json(&second);
	if (!json_equal(written, rewritten))
		abort();
	json_decref(written);
	json_decref(rewritten);
	function_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *manifest = fuzz_json(data, size);
	struct function function = {};
	struct error err = {};
	int ret;

	if (!manifest)
		return 0;
	ret = function_parse(manifest, "/", "it", &function, &err);
	json_decref(manifest);
	fuzz_judge(ret, &err);
	if (ret)
		return 0;
	again(&function);
	function_free(&function);
	return 0;
}
