// SPDX-License-Identifier: GPL-2.0
/* Bundles: a deployment in an OCI layout. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "deployment.h"
#include "deployment_code.h"
#include "deployment_tree.h"
#include "oci.h"
#include "tar.h"

#define TYPE		"application/vnd.coppice.deployment.v1"
#define MAPPING_TYPE	"application/vnd.coppice.deployment.mapping.v1+json"
#define TREE_TYPE	"application/vnd.coppice.deployment.tree.v1.tar"
#define TMPFILES_TYPE	"application/vnd.coppice.deployment.tmpfiles.v1+text"
#define FUNCTION_TYPE	"application/vnd.coppice.function.v1.tar"
#define BLOB_MAX	(256 << 20)
#define FIXED_LAYERS	2

static json_t *put_mapping(const struct deployment *deployment, const char *path,
			   struct error *err)
{
	autojson json_t *mapping = deployment_to_json(deployment);

	if (mapping)
		return oci_put_json(path, MAPPING_TYPE, mapping, err);
	error_set(err, ENOMEM, "out of memory");
	return NULL;
}

static json_t *put_function(const struct deployment *deployment,
			    struct deployment_function *function, const char *path,
			    struct error *err)
{
	size_t len;
	autofree char *tar = deployment_code_pack(deployment, function, &len, err);
	json_t *descriptor = tar ? oci_put(path, FUNCTION_TYPE, tar, len, err) : NULL;

	if (descriptor)
		snprintf(function->code, sizeof(function->code), "%s",
			 json_string_value(json_object_get(descriptor, "digest")));
	return descriptor;
}

/* Before the mapping, which has their digests. */
static json_t *put_functions(struct deployment *deployment, const char *path, struct error *err)
{
	json_t *layers = json_array(), *layer;
	size_t i;

	for (i = 0; i < deployment->nr_functions; i++) {
		if (!deployment->functions[i].manifest)
			continue;
		layer = put_function(deployment, &deployment->functions[i], path, err);
		if (!layer || json_array_append_new(layers, layer)) {
			json_decref(layers);
			return NULL;
		}
	}
	return layers;
}

static json_t *put_layers(const struct deployment *deployment, const char *path,
			  struct error *err)
{
	size_t tar_len, text_len;
	autofree char *tar = deployment_tar(deployment, &tar_len, err);
	autofree char *text = tar ? deployment_tmpfiles(deployment, &text_len, err) : NULL;
	autojson json_t *tree = text ? oci_put(path, TREE_TYPE, tar, tar_len, err) : NULL;
	autojson json_t *tmpfiles = tree ? oci_put(path, TMPFILES_TYPE, text, text_len, err) : NULL;

	return tmpfiles ? json_pack("[O, O]", tree, tmpfiles) : NULL;
}

static json_t *make_manifest(struct deployment *deployment, const char *version,
			     const char *path, struct error *err)
{
	autojson json_t *functions = put_functions(deployment, path, err);
	autojson json_t *config = functions ? put_mapping(deployment, path, err) : NULL;
	autojson json_t *layers = config ? put_layers(deployment, path, err) : NULL;

	if (!layers || json_array_extend(layers, functions))
		return NULL;
	return json_pack("{s:i, s:s, s:s, s:O, s:O, s:{s:s, s:s}}", "schemaVersion", 2,
			 "mediaType", OCI_MANIFEST_TYPE, "artifactType", TYPE, "config", config,
			 "layers", layers, "annotations",
			 "org.opencontainers.image.title", deployment->name,
			 "org.opencontainers.image.version", version);
}

static int fill(struct deployment *deployment, const char *path, struct error *err)
{
	autojson json_t *manifest = NULL, *descriptor = NULL, *manifests = NULL;
	char version[32];

	snprintf(version, sizeof(version), "%llu", (unsigned long long)deployment->version);
	manifest = make_manifest(deployment, version, path, err);
	descriptor = manifest ? oci_put_manifest(path, manifest, version, err) : NULL;
	if (!descriptor)
		return -1;
	snprintf(deployment->digest, sizeof(deployment->digest), "%s",
		 json_string_value(json_object_get(descriptor, "digest")));
	manifests = json_pack("[O]", descriptor);
	return oci_write_index(path, manifests, err);
}

int deployment_write(struct deployment *deployment, const char *path, struct error *err)
{
	if (!oci_create(path, err) && !fill(deployment, path, err))
		return 0;
	oci_remove(path);
	return -1;
}

int deployment_put_check(const char *path, struct error *err)
{
	if (access(path, F_OK) || oci_exists(path))
		return 0;
	return error_set(err, EEXIST, "%.200s is there and no bundle: choose another name or remove it",
			 path);
}

int deployment_put(const char *made, const char *path, struct error *err)
{
	bool there = !access(path, F_OK);

	if (deployment_put_check(path, err))
		return -1;
	if (renameat2(AT_FDCWD, made, AT_FDCWD, path, there ? RENAME_EXCHANGE : RENAME_NOREPLACE))
		return error_set(err, errno, "%.200s cannot be written: %s", path,
				 strerror(errno));
	if (there)
		oci_remove(made);
	return 0;
}

/*
 * Reading.
 */

/* The one deployment of the index; whatever else is there is not looked at. */
static json_t *find_manifest(const char *path, char digest[DEPLOYMENT_DIGEST_SIZE],
			     struct error *err)
{
	autojson json_t *manifests = oci_index(path, err);
	json_t *found = NULL;
	size_t i;

	for (i = 0; i < json_array_size(manifests); i++) {
		const json_t *descriptor = json_array_get(manifests, i);
		json_t *manifest = oci_get_manifest(path, descriptor, err);

		if (manifest && !found && !strcmp(oci_artifact_type(manifest), TYPE)) {
			found = manifest;
			snprintf(digest, DEPLOYMENT_DIGEST_SIZE, "%s",
				 json_string_value(json_object_get(descriptor, "digest")));
			continue;
		}
		if (!manifest || !strcmp(oci_artifact_type(manifest), TYPE)) {
			if (manifest)
				error_set(err, EBADMSG, "%.200s has two deployments: copy the one that is meant",
					  path);
			json_decref(manifest);
			json_decref(found);
			return NULL;
		}
		json_decref(manifest);
	}
	if (manifests && !found)
		error_set(err, EBADMSG, "%.200s has no deployment in it", path);
	return found;
}

static struct deployment *read_mapping(const char *path, const json_t *manifest,
				       struct error *err)
{
	autojson json_t *mapping = oci_get_json(path, json_object_get(manifest, "config"),
						MAPPING_TYPE, BLOB_MAX, err);
	struct deployment *deployment = mapping ? deployment_from_json(mapping, err) : NULL;

	if (mapping && !deployment)
		error_prefix(err, "the mapping is not valid");
	return deployment;
}

static size_t count_carried(const struct deployment *deployment)
{
	size_t nr = 0, i;

	for (i = 0; i < deployment->nr_functions; i++)
		nr += !!deployment->functions[i].code[0];
	return nr;
}

/* What is in them is looked at where they are unpacked. */
static int read_functions(struct deployment *deployment, const char *path, const json_t *layers,
			  struct error *err)
{
	size_t index = FIXED_LAYERS, left = DEPLOYMENT_CODE_MAX, i;

	for (i = 0; i < deployment->nr_functions; i++) {
		struct deployment_function *function = &deployment->functions[i];
		const json_t *layer = json_array_get(layers, index);
		const char *digest = json_string_value(json_object_get(layer, "digest"));

		if (!function->code[0])
			continue;
		if (!digest || strcmp(digest, function->code))
			return error_set(err, EBADMSG, "layer %zu of %.200s is not the code of function %s: compile the deployment again",
					 index, path, function->name);
		function->tar = oci_get(path, layer, FUNCTION_TYPE, left, &function->tar_len, err);
		if (!function->tar)
			return -1;
		left -= function->tar_len;
		index++;
	}
	return 0;
}

static int check_layers(struct deployment *deployment, const char *path, const json_t *manifest,
			struct error *err)
{
	const json_t *layers = json_object_get(manifest, "layers");
	size_t len;
	autofree char *tar = NULL, *text = NULL, *wanted = NULL;

	if (json_array_size(layers) != FIXED_LAYERS + count_carried(deployment))
		return error_set(err, EBADMSG, "%.200s has not the layers of a deployment: its tree, the lines for tmpfiles.d, and one for each function that it carries",
				 path);
	tar = oci_get(path, json_array_get(layers, 0), TREE_TYPE, BLOB_MAX, &len, err);
	if (!tar || deployment_tar_check(deployment, tar, len, err))
		return -1;
	text = oci_get(path, json_array_get(layers, 1), TMPFILES_TYPE, BLOB_MAX, &len, err);
	wanted = text ? deployment_tmpfiles(deployment, &len, err) : NULL;
	if (!wanted)
		return -1;
	if (strcmp(text, wanted))
		return error_set(err, EBADMSG, "the lines for tmpfiles.d are not the mapping's tree: compile the deployment again");
	return read_functions(deployment, path, layers, err);
}

struct deployment *deployment_read(const char *path, struct error *err)
{
	char digest[DEPLOYMENT_DIGEST_SIZE];
	autojson json_t *manifest = find_manifest(path, digest, err);
	struct deployment *deployment = manifest ? read_mapping(path, manifest, err) : NULL;

	if (deployment && !check_layers(deployment, path, manifest, err)) {
		strcpy(deployment->digest, digest);
		return deployment;
	}
	deployment_free(deployment);
	return NULL;
}
