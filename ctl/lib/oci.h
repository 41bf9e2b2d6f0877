/* SPDX-License-Identifier: GPL-2.0 */
/* Directories in the OCI image layout: blobs by their digest, and an index. */
#ifndef COPPICE_OCI_H
#define COPPICE_OCI_H

#include <jansson.h>
#include <stddef.h>

#include "error.h"

#define OCI_DIGEST_SIZE		72	/* "sha256:", 64 hexadecimal digits, a zero byte */
#define OCI_INDEX_TYPE		"application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST_TYPE	"application/vnd.oci.image.manifest.v1+json"
#define OCI_REFERENCE		"org.opencontainers.image.ref.name"
#define OCI_MANIFESTS_MAX	64	/* in an index that is read */

int __must_check oci_digest(const void *data, size_t len, char digest[OCI_DIGEST_SIZE],
			    struct error *err);

/* An empty layout; there must be nothing at @path, or an empty directory. */
int __must_check oci_create(const char *path, struct error *err);
/* Remove one, and nothing else that is there. */
void oci_remove(const char *path);
/* Is there one? */
int oci_exists(const char *path);

/* Store a blob; returns its descriptor, or NULL with err set. */
json_t *oci_put(const char *path, const char *media_type, const void *data, size_t len,
		struct error *err);
json_t *oci_put_json(const char *path, const char *media_type, const json_t *value,
		     struct error *err);

/*
 * The blob of a descriptor, with a zero byte behind: NULL with err set unless type, size and
 * digest are right and it has at most @max bytes.
 */
char *oci_get(const char *path, const json_t *descriptor, const char *media_type, size_t max,
	      size_t *len, struct error *err);
json_t *oci_get_json(const char *path, const json_t *descriptor, const char *media_type,
		     size_t max, struct error *err);

/* The descriptors in the index; to be freed. */
json_t *oci_index(const char *path, struct error *err);
int __must_check oci_write_index(const char *path, json_t *manifests, struct error *err);

/* The manifest of the descriptor, which has the tag @reference in the index. */
json_t *oci_put_manifest(const char *path, const json_t *manifest, const char *reference,
			 struct error *err);
json_t *oci_get_manifest(const char *path, const json_t *descriptor, struct error *err);
/* The manifest's artifactType, or "". */
const char *oci_artifact_type(const json_t *manifest);

#endif /* COPPICE_OCI_H */
