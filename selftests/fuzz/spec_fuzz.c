// SPDX-License-Identifier: GPL-2.0
/* SPECs: what is read is compiled, or refused. */
#include "fuzz.h"
#include "lib/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *object = fuzz_json(data, size);
	struct numbers numbers = {};
	struct deployment *deployment;
	struct error err = {};
	struct spec spec;
	int ret;

	if (!object)
		return 0;
	ret = spec_parse(object, &spec, &err);
	json_decref(object);
	fuzz_judge(ret, &err);
	if (ret)
		return 0;
	deployment = compile(&spec, &numbers, &err);
	fuzz_judge(deployment ? 0 : -1, &err);
	deployment_free(deployment);
	numbers_free(&numbers);
	spec_free(&spec);
	return 0;
}
