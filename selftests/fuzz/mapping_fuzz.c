// SPDX-License-Identifier: GPL-2.0
/* The mapping of a deployment, which a bundle has: good ones are what they were read from. */
#include "fuzz.h"
#include "lib/deployment.h"
#include "lib/deployment_tree.h"

static char *good;
static size_t good_size;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct deployment *deployment = fuzz_deployment();
	json_t *mapping = deployment_to_json(deployment);

	(void)argc;
	(void)argv;
	good = json_dumps(mapping, JSON_COMPACT);
	good_size = json_dumpb(mapping, NULL, 0, JSON_COMPACT);
	json_decref(mapping);
	deployment_free(deployment);
	return 0;
}

/* What it is read to makes the same again, and a tree that is its own. */
static void again(const struct deployment *deployment)
{
	json_t *mapping = deployment_to_json(deployment);
	struct error err = {};
	struct deployment *second = deployment_from_json(mapping, &err);
	size_t len;
	char *tar = second ? deployment_tar(second, &len, &err) : NULL;

	if (!tar || deployment_tar_check(deployment, tar, len, &err))
		abort();
	free(tar);
	deployment_free(second);
	json_decref(mapping);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len;
	uint8_t *bytes = fuzz_change((uint8_t *)good, good_size, data, size, &len);
	json_t *mapping = fuzz_json(bytes, len);
	struct deployment *deployment = NULL;
	struct error err = {};

	free(bytes);
	if (!mapping)
		return 0;
	deployment = deployment_from_json(mapping, &err);
	fuzz_judge(deployment ? 0 : -1, &err);
	if (deployment)
		again(deployment);
	deployment_free(deployment);
	json_decref(mapping);
	return 0;
}
