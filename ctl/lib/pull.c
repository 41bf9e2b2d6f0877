// SPDX-License-Identifier: GPL-2.0
/* Bundles from OCI registries; see pull.h. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "deployment.h"
#include "oci.h"
#include "program.h"
#include "pull.h"
#include "signature.h"

#define REFERENCE_MAX	512
#define OUTPUT_SIZE	8192
#define TAG_SIZE	160

struct copying {
	const struct pull *pull;
	char skopeo[PATH_MAX];
	char repository[REFERENCE_MAX];
	const char *path;
};

/* Everything behind the name: ":3", "@sha256:…". NULL: there is none. */
static const char *find_tag(const char *reference)
{
	const char *slash = strrchr(reference, '/'), *at = strchr(reference, '@');

	return at ?: slash ? strchr(slash, ':') : NULL;
}

static bool is_plain(const char *reference)
{
	const char *c;

	for (c = reference; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-/:@[]+", *c))
			return false;
	return isalnum((unsigned char)*reference) || *reference == '[';
}

static int split(struct copying *copying, struct error *err)
{
	const char *reference = copying->pull->reference, *tag = find_tag(reference);

	if (!tag || !tag[1] || !strchr(reference, '/') || strlen(reference) >= REFERENCE_MAX ||
	    !is_plain(reference))
		return error_set(err, EINVAL, "'%.200s' names nothing in a registry: give REGISTRY/NAME:TAG, like registry.example/shop:stable, or REGISTRY/NAME@sha256:DIGEST",
				 reference);
	snprintf(copying->repository, sizeof(copying->repository), "%.*s", (int)(tag - reference),
		 reference);
	return 0;
}

/* skopeo's lines are time="…" level=fatal msg="…": the last one is why. */
static void find_message(const char *output, char message[300])
{
	const char *start = NULL, *next = output;
	size_t len = 0;

	while ((next = strstr(next, "msg=\"")))
		start = next += strlen("msg=\"");
	if (!start)
		start = output;
	for (; *start && *start != '\n' && len < 299; start++) {
		if (*start == '"')
			break;
		start += *start == '\\' && start[1];
		message[len++] = *start;
	}
	message[len] = '\0';
}

/* Digests as they are in the registry, or not at all. */
static int copy(const struct copying *copying, const char *tag, const char *as, struct error *err)
{
	const char *authfile = copying->pull->authfile;
	char from[REFERENCE_MAX + TAG_SIZE + 16], to[PATH_MAX + TAG_SIZE], output[OUTPUT_SIZE];
	char message[300];
	char *argv[] = {
		(char *)copying->skopeo, "copy", "--quiet", "--preserve-digests", from, to,
		"--src-authfile", (char *)authfile, NULL
	};

	if (!authfile)
		argv[6] = NULL;
	snprintf(from, sizeof(from), "docker://%s%s", copying->repository, tag);
	snprintf(to, sizeof(to), "oci:%s:%s", copying->path, as);
	if (!program_run(argv, output, sizeof(output), err))
		return 0;
	find_message(output, message);
	if (!*message)
		return error_prefix(err, "%s%s cannot be pulled", copying->repository, tag);
	return error_set(err, EIO, "%s%s cannot be pulled: %s", copying->repository, tag, message);
}

/*
 * Signatures are manifests of their own. Those of trusted keys are asked for by their tags; a
 * registry that lacks one of them may have another's.
 */
static int copy_signatures(const struct copying *copying, const char *digest, struct error *err)
{
	autojson json_t *ids = signature_key_ids(copying->pull->keys, err);
	char tag[TAG_SIZE];
	const json_t *id;
	size_t i, found = 0;

	if (!ids)
		return -1;
	json_array_foreach(ids, i, id) {
		tag[0] = ':';
		signature_tag(digest, json_string_value(id), tag + 1, sizeof(tag) - 1);
		if (!copy(copying, tag, tag + 1, err))
			found++;
		else if (err->code != EIO)	/* nobody was asked */
			return -1;
	}
	if (found)
		return 0;
	return error_set(err, EKEYREJECTED, "%s has no signature over %s by a key that this hub trusts: copy the signature's tag to the registry, too, or add the signer's public key",
			 copying->repository, digest);
}

static int find_digest(const char *path, char digest[DEPLOYMENT_DIGEST_SIZE], struct error *err)
{
	autojson json_t *manifests = oci_index(path, err);
	const char *found = json_string_value(json_object_get(json_array_get(manifests, 0), "digest"));

	if (!manifests)
		return -1;
	if (!found || strlen(found) != DEPLOYMENT_DIGEST_SIZE - 1)
		return error_set(err, EBADMSG, "what was pulled has no digest");
	strcpy(digest, found);
	return 0;
}

static json_t *check(const struct copying *copying, const char *digest, struct error *err)
{
	char key[SIGNATURE_KEY_ID_SIZE];
	autodeployment struct deployment *deployment = NULL;

	/* Nothing of it is looked at before the signature holds. */
	if (signature_check(copying->path, digest, copying->pull->keys, key, err))
		return NULL;
	deployment = deployment_read(copying->path, err);
	if (!deployment)
		return NULL;
	return json_pack("{s:s, s:I, s:s, s:s}", "name", deployment->name, "version",
			 (json_int_t)deployment->version, "digest", deployment->digest, "key", key);
}

json_t *pull_bundle(const struct pull *pull, const char *path, struct error *err)
{
	struct copying copying = { .pull = pull, .path = path };
	char digest[DEPLOYMENT_DIGEST_SIZE];

	if (split(&copying, err) ||
	    program_find("skopeo", "skopeo", copying.skopeo, sizeof(copying.skopeo), err))
		return NULL;
	if (copy(&copying, find_tag(pull->reference), "pulled", err) ||
	    find_digest(path, digest, err) || copy_signatures(&copying, digest, err))
		return NULL;
	return check(&copying, digest, err);
}
