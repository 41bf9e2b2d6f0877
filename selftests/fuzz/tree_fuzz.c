// SPDX-License-Identifier: GPL-2.0
/* The tar of a bundle, which has to be the tree of the mapping. */
#include "fuzz.h"
#include "lib/deployment.h"
#include "lib/deployment_tree.h"

static struct deployment *deployment;
static char *good;
static size_t good_size;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct error err = {};

	(void)argc;
	(void)argv;
	deployment = fuzz_deployment();
	good = deployment_tar(deployment, &good_size, &err);
	if (!good || deployment_tar_check(deployment, good, good_size, &err))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len;
	uint8_t *bytes = fuzz_change((uint8_t *)good, good_size, data, size, &len);
	struct error err = {};

	fuzz_judge(deployment_tar_check(deployment, bytes, len, &err), &err);
	free(bytes);
	return 0;
}
