// SPDX-License-Identifier: GPL-2.0
/* Bringing a bundle onto this hub; see deployment_apply.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "beneath.h"
#include "cleanup.h"
#include "deployment_apply.h"
#include "deployment_changes.h"
#include "deployment_code.h"
#include "deployment_conflict.h"
#include "deployment_numbers.h"
#include "deployment_slot.h"
#include "deployment_source.h"
#include "deployment_store.h"
#include "deployment_volume.h"
#include "json_put.h"
#include "oci.h"
#include "signature.h"

#define autostore __attribute__((cleanup(deployment_store_close)))

/* What is to be applied, and onto what. */
struct applying {
	struct deployment_store store;
	struct deployment_slot next, current;	/* current: empty if there is none */
	char key[SIGNATURE_KEY_ID_SIZE];
	char digest[DEPLOYMENT_DIGEST_SIZE];
	json_t *drift;				/* of the current one */
	bool settled;
};

/* The store first: its name is the bundle's. */
static void applying_free(struct applying *applying)
{
	deployment_store_close(&applying->store);
	json_decref(applying->drift);
	deployment_slot_free(&applying->next);
	deployment_slot_free(&applying->current);
}

#define autoapplying __attribute__((cleanup(applying_free)))

/*
 * Verifying. Nothing of the bundle but its index and its manifests, which say what is signed,
 * is looked at before the signature holds.
 */

static int find_signed(const struct deployment_request *request, struct applying *applying,
		       struct error *err)
{
	autojson json_t *manifests = oci_index(request->bundle, err);
	const json_t *descriptor;
	const char *digest;
	size_t i;

	if (!manifests)
		return -1;
	error_set(err, EKEYREJECTED, "%.200s has nothing in it that could be signed", request->bundle);
	json_array_foreach(manifests, i, descriptor) {
		digest = json_string_value(json_object_get(descriptor, "digest"));
		if (!digest || strlen(digest) >= sizeof(applying->digest))
			continue;
		if (!signature_check(request->bundle, digest, request->keys, applying->key, err)) {
			strcpy(applying->digest, digest);
			return 0;
		}
		if (error_hides(err->code))
			return -1;
	}
	return -1;
}

/* Every blob that is read has its digest in the manifest, and the manifest has the signed one. */
static int read_bundle(const struct deployment_request *request, struct applying *applying,
		       struct error *err)
{
	struct deployment *deployment;

	if (find_signed(request, applying, err))
		return -1;
	applying->next.deployment = deployment = deployment_read(request->bundle, err);
	if (!deployment)
		return -1;
	if (strcmp(deployment->digest, applying->digest))
		return error_set(err, EKEYREJECTED, "%.200s was changed while it was read, or what is signed in it is no deployment",
				 request->bundle);
	applying->next.mapping = deployment_to_json(deployment);
	return applying->next.mapping ? 0 : error_set(err, ENOMEM, "out of memory");
}

/* An old bundle is a valid one: by applying it again one would get back what was taken away. */
static int check_version(const struct applying *applying, struct error *err)
{
	const struct deployment *deployment = applying->next.deployment;
	autojson json_t *newest = NULL;
	json_int_t version;
	const char *digest;

	if (deployment_store_newest(&applying->store, &newest, err))
		return -1;
	version = json_integer_value(json_object_get(newest, "version"));
	digest = json_string_value(json_object_get(newest, "digest"));
	if (!newest || (json_int_t)deployment->version > version)
		return 0;
	if ((json_int_t)deployment->version < version)
		return error_set(err, EPERM, "version %llu of deployment %s is older than %lld, which this hub has had: compile it as a new version, or use rollback",
				 (unsigned long long)deployment->version, deployment->name,
				 (long long)version);
	if (digest && !strcmp(digest, deployment->digest))
		return 0;
	return error_set(err, EPERM, "version %lld of deployment %s had other content on this hub: compile it as a new version",
			 (long long)version, deployment->name);
}

/*
 * Checking against the hub.
 */

static json_t *check_sources(const struct deployment *deployment, struct error *err)
{
	json_t *sources = json_object(), *source;
	size_t i;

	for (i = 0; i < deployment->nr_resources; i++) {
		const struct deployment_resource *resource = &deployment->resources[i];

		if (!resource->source)
			continue;
		source = source_check(deployment, resource, err);
		if (!source) {
			json_decref(sources);
			return NULL;
		}
		json_object_set_new(sources, resource->name, source);
	}
	return sources;
}

static int resolve(const struct deployment_request *request, struct applying *applying,
		   struct error *err)
{
	struct deployment *deployment = applying->next.deployment;
	autojson json_t *sources = check_sources(deployment, err), *kept = NULL;
	json_int_t sequence;
	json_t *numbers;

	/* By the record alone: a slot of which more is damaged is replaced by a later one, too. */
	if (!sources || deployment_store_kept(&applying->store, &kept, err) ||
	    deployment_store_sequence(&applying->store, SLOT_CURRENT, &sequence, err))
		return -1;
	numbers = conflict_resolve(deployment, &applying->store, json_object_get(kept, "numbers"),
				   &request->range, err);
	if (!numbers)
		return -1;
	applying->next.record = json_pack("{s:s, s:I, s:s, s:s, s:I, s:I, s:o, s:O}",
					  "name", deployment->name, "version",
					  (json_int_t)deployment->version, "digest",
					  deployment->digest, "key", applying->key, "sequence",
					  sequence + 1, "applied",
					  (json_int_t)time(NULL), "numbers", numbers, "sources",
					  sources);
	if (!applying->next.record)
		return error_set(err, ENOMEM, "out of memory");
	return deployment_numbers_remap(deployment, numbers, err);
}

static int find_drift(struct applying *applying, struct error *err)
{
	autoclose int dir = beneath_open(applying->store.base, SLOT_CURRENT,
					 O_RDONLY | O_DIRECTORY, 0);
	autoclose int volumes = beneath_open(applying->store.base, SLOT_VOLUMES,
					     O_RDONLY | O_DIRECTORY, 0);
	int settled = volumes_settled(applying->store.base, applying->current.deployment, err);

	if (settled < 0)
		return -1;
	applying->settled = settled;
	applying->drift = deployment_slot_drift(dir, volumes, &applying->current, err);
	return applying->drift ? 0 : -1;
}

/* A slot that is damaged is none: applying makes another. */
static int read_current(struct applying *applying, struct error *err)
{
	if (deployment_slot_find(&applying->store, SLOT_CURRENT, &applying->current, err))
		return error_hides(err->code) ? -1 : 0;
	return find_drift(applying, err);
}

static int prepare(const struct deployment_request *request, struct applying *applying, bool make,
		   struct error *err)
{
	if (read_bundle(request, applying, err))
		return -1;
	if (deployment_store_open(&applying->store, applying->next.deployment->name, make, err) &&
	    (make || err->code != ENOENT))
		return -1;
	return check_version(applying, err) || read_current(applying, err) ||
	       deployment_code_check(applying->next.deployment, err) ||
	       resolve(request, applying, err) ? -1 : 0;
}

/* Is there nothing to do? */
static bool is_applied(const struct applying *applying)
{
	return applying->current.deployment && applying->settled &&
	       !json_array_size(applying->drift) &&
	       !strcmp(applying->current.deployment->digest, applying->digest);
}

/*
 * Telling.
 */

static void add_remapped(json_t *texts, const json_t *numbers, const char *kind, const char *noun)
{
	const char *wanted;
	json_t *given;

	json_object_foreach(json_object_get(numbers, kind), wanted, given)
		if (strtoull(wanted, NULL, 10) != (unsigned long long)json_integer_value(given))
			json_array_append_new(texts, json_sprintf("%s %s is %lld here", noun, wanted,
								  json_integer_value(given)));
}

static json_t *describe(const struct applying *applying)
{
	const json_t *numbers = json_object_get(applying->next.record, "numbers");
	const struct deployment *deployment = applying->next.deployment;
	json_t *remapped = json_array();

	add_remapped(remapped, numbers, "uids", "user");
	add_remapped(remapped, numbers, "gids", "group");
	return json_pack("{s:s, s:I, s:s, s:s, s:O?, s:b, s:o, s:o, s:o}", "name",
			 deployment->name, "version", (json_int_t)deployment->version, "digest",
			 deployment->digest, "key", applying->key, "from",
			 json_object_get(applying->current.record, "version"), "unchanged",
			 is_applied(applying), "changes",
			 deployment_changes(applying->current.deployment, deployment), "remapped",
			 remapped, "drift",
			 applying->drift ? json_incref(applying->drift) : json_array());
}

json_t *deployment_plan(const struct deployment_request *request, struct error *err)
{
	autoapplying struct applying applying = { .store = DEPLOYMENT_STORE_CLOSED };

	return prepare(request, &applying, false, err) ? NULL : describe(&applying);
}

/*
 * Doing.
 */

static int stage(struct applying *applying, struct error *err)
{
	autoclose int dir = deployment_store_stage(&applying->store, err);
	struct error ignored;

	if (dir < 0)
		return -1;
	if (!deployment_slot_write(dir, &applying->next, err))
		return 0;
	/* If not now, then by whoever opens the store next. */
	(void)!beneath_remove(applying->store.base, SLOT_NEXT, &ignored);
	return -1;
}

/* The switch is what counts: before it there is no trace, and what comes after can be repeated. */
static int do_apply(struct applying *applying, struct error *err)
{
	if (stage(applying, err) || deployment_store_switch(&applying->store, err))
		return -1;
	return volumes_settle(&applying->store, applying->next.deployment,
			      json_array_size(applying->drift), err);
}

json_t *deployment_apply(const struct deployment_request *request, struct error *err)
{
	autoapplying struct applying applying = { .store = DEPLOYMENT_STORE_CLOSED };
	json_t *told;

	if (prepare(request, &applying, true, err))
		return NULL;
	told = describe(&applying);
	if (!told) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	if (is_applied(&applying) || !do_apply(&applying, err))
		return told;
	json_decref(told);
	return NULL;
}

/*
 * Going back. The record is renewed, since what the hub has may have changed: the slot is no
 * one's yet while that happens.
 */

static int renew_record(struct applying *applying, struct error *err)
{
	json_t *record = applying->next.record;
	char path[PATH_MAX];
	json_t *sources = check_sources(applying->next.deployment, err);
	json_int_t sequence;

	if (!sources || json_put(record, "sources", sources, err) ||
	    deployment_store_sequence(&applying->store, SLOT_CURRENT, &sequence, err) ||
	    json_put(record, "sequence", json_integer(sequence + 1), err) ||
	    json_put(record, "applied", json_integer(time(NULL)), err) ||
	    json_put(record, "numbers",
		     json_incref(json_object_get(applying->current.record, "numbers")), err))
		return -1;
	snprintf(path, sizeof(path), DEPLOYMENTS_DIRECTORY "/%s/" SLOT_PREVIOUS "/" SLOT_RECORD,
		 applying->store.name);
	return file_write_json(path, 0600, record, err);
}

static int settle_back(struct applying *applying, struct error *err)
{
	const struct deployment *deployment = applying->next.deployment;

	if (!volumes_settle(&applying->store, deployment, false, err))
		return 0;
	return error_prefix(err, "version %llu of deployment %s is in force again, but its volumes have yet to follow: roll back twice more",
			    (unsigned long long)deployment->version, deployment->name);
}

json_t *deployment_rollback(const char *name, struct error *err)
{
	autoapplying struct applying applying = { .store = DEPLOYMENT_STORE_CLOSED };
	json_t *told;

	if (deployment_store_open(&applying.store, name, false, err) ||
	    deployment_slot_find(&applying.store, SLOT_CURRENT, &applying.current, err) ||
	    deployment_slot_find(&applying.store, SLOT_PREVIOUS, &applying.next, err))
		return NULL;
	/* Before anything is changed: once more would lead back again. */
	told = json_pack("{s:s, s:I, s:s, s:O}", "name", name, "version",
			 (json_int_t)applying.next.deployment->version, "digest",
			 applying.next.deployment->digest, "from",
			 json_object_get(applying.current.record, "version"));
	if (!told)
		error_set(err, ENOMEM, "out of memory");
	else if (!renew_record(&applying, err) && !deployment_store_rollback(&applying.store, err) &&
		 !settle_back(&applying, err))
		return told;
	json_decref(told);
	return NULL;
}

int deployment_delete(const char *name, bool volumes, struct error *err)
{
	autostore struct deployment_store store = DEPLOYMENT_STORE_CLOSED;

	return deployment_store_open(&store, name, false, err) ||
	       deployment_store_delete(&store, volumes, err) ? -1 : 0;
}

static const char *state_of(const struct applying *applying)
{
	if (!applying->settled)
		return "unsettled";
	return json_array_size(applying->drift) ? "drifted" : "applied";
}

json_t *deployment_status(const char *name, struct error *err)
{
	autoapplying struct applying applying = { .store = DEPLOYMENT_STORE_CLOSED };
	autojson json_t *previous = NULL;
	json_t *status;

	if (deployment_store_open(&applying.store, name, false, err) ||
	    deployment_slot_find(&applying.store, SLOT_CURRENT, &applying.current, err) ||
	    find_drift(&applying, err))
		return NULL;
	previous = deployment_store_record(&applying.store, SLOT_PREVIOUS, err);
	if (!previous && error_hides(err->code))
		return NULL;
	status = json_pack("{s:s, s:I, s:s, s:O?, s:O?, s:O?, s:s, s:O}", "name", name, "version",
			 (json_int_t)applying.current.deployment->version, "digest",
			 applying.current.deployment->digest, "key",
			 json_object_get(applying.current.record, "key"), "applied",
			 json_object_get(applying.current.record, "applied"), "previous",
			 json_object_get(previous, "version"), "state", state_of(&applying),
			 "drift", applying.drift);
	if (!status)
		error_set(err, ENOMEM, "out of memory");
	return status;
}
