/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bundles from OCI registries, by skopeo: what talks to registries, keeps credentials and checks
 * TLS is not ours to write.
 */
#ifndef COPPICE_PULL_H
#define COPPICE_PULL_H

#include <jansson.h>

#include "error.h"

/* Of `skopeo login --authfile`, used if it is there. */
#define PULL_AUTHFILE	"/etc/coppice/registry.json"

struct pull {
	const char *reference;	/* "REGISTRY/NAME:TAG" or "REGISTRY/NAME@sha256:DIGEST" */
	const char *keys;	/* as of signature_check() */
	const char *authfile;	/* or NULL */
};

/*
 * Copy the deployment and its signatures by keys that are trusted into the empty directory @path, and check
 * them: digests, a signature, and that it is a deployment. name, version, digest, key; NULL with err set.
 */
json_t *pull_bundle(const struct pull *pull, const char *path, struct error *err);

#endif /* COPPICE_PULL_H */
