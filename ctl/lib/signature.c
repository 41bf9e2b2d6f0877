// SPDX-License-Identifier: GPL-2.0
/* Ed25519 signatures of bundles, by GnuTLS. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "cleanup.h"
#include "file.h"
#include "oci.h"
#include "signature.h"

#define SIGNATURE_TYPE		"application/vnd.coppice.signature.v1"
#define SIGNATURE_CONFIG_TYPE	"application/vnd.coppice.signature.v1+json"
#define SIGNATURE_LAYER_TYPE	"application/vnd.coppice.signature.v1.ed25519"
#define STATEMENT		"coppice deployment %s\n"
#define STATEMENT_SIZE		128
#define SIGNATURE_BYTES		64
#define CONFIG_MAX		4096
#define KEY_FILE_MAX		16384

/* One key; private is NULL where only the public part is known. */
struct key {
	gnutls_privkey_t private;
	gnutls_pubkey_t public;
	char id[SIGNATURE_KEY_ID_SIZE];
};

static void key_free(struct key *key)
{
	if (key->private)
		gnutls_privkey_deinit(key->private);
	if (key->public)
		gnutls_pubkey_deinit(key->public);
	*key = (struct key){};
}

#define autokey __attribute__((cleanup(key_free)))

static void datum_free(gnutls_datum_t *datum)
{
	if (datum->data)
		gnutls_memset(datum->data, 0, datum->size);
	gnutls_free(datum->data);
}

#define autodatum __attribute__((cleanup(datum_free)))

static int failed(const char *what, int status, struct error *err)
{
	return error_set(err, EIO, "%.200s: %s", what, gnutls_strerror(status));
}

/* SHA-256 of the public key as X.509 has it. */
static int find_id(struct key *key, struct error *err)
{
	autodatum gnutls_datum_t der = {};
	char digest[OCI_DIGEST_SIZE];
	int status = gnutls_pubkey_export2(key->public, GNUTLS_X509_FMT_DER, &der);

	if (status < 0)
		return failed("the public key cannot be exported", status, err);
	if (oci_digest(der.data, der.size, digest, err))
		return -1;
	strcpy(key->id, strchr(digest, ':') + 1);
	return 0;
}

static int import_private(struct key *key, const gnutls_datum_t *pem)
{
	int status = gnutls_privkey_init(&key->private);

	if (status >= 0)
		status = gnutls_privkey_import_x509_raw(key->private, pem, GNUTLS_X509_FMT_PEM,
							NULL, 0);
	return status < 0 ? status : gnutls_pubkey_import_privkey(key->public, key->private, 0, 0);
}

static int import(struct key *key, const char *path, const gnutls_datum_t *pem,
		  struct error *err)
{
	bool is_private = strstr((char *)pem->data, "PRIVATE KEY-----");
	int status = gnutls_pubkey_init(&key->public);

	if (status >= 0)
		status = is_private ? import_private(key, pem) :
			 gnutls_pubkey_import(key->public, pem, GNUTLS_X509_FMT_PEM);
	if (status < 0)
		return failed(path, status, err);
	if (gnutls_pubkey_get_pk_algorithm(key->public, NULL) != GNUTLS_PK_EDDSA_ED25519)
		return error_set(err, EKEYREJECTED, "%.200s is no Ed25519 key: make one with `coppice deployment key generate`",
				 path);
	return find_id(key, err);
}

/* A private key that others can read is no secret any more. */
static int check_mode(const char *path, const struct key *key, struct error *err)
{
	struct stat st;

	if (!key->private || stat(path, &st) || !(st.st_mode & 077))
		return 0;
	return error_set(err, EKEYREJECTED, "%.200s can be read by others: take their rights away with chmod 600, or better make a new key",
			 path);
}

static int load(struct key *key, const char *path, struct error *err)
{
	size_t len;
	autofree char *text = file_read(path, &len, err);
	gnutls_datum_t pem = { .data = (void *)text, .size = len };

	if (!text)
		return -1;
	if (len > KEY_FILE_MAX)
		return error_set(err, EFBIG, "%.200s is too long for a key", path);
	return import(key, path, &pem, err) || check_mode(path, key, err) ? -1 : 0;
}

/* Never over what is there: a key that is lost cannot be had back. */
static int write_new(const char *path, mode_t mode, const gnutls_datum_t *pem, struct error *err)
{
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd >= 0 && !fchmod(fd, mode) && write(fd, pem->data, pem->size) == pem->size &&
	    !fsync(fd))
		return 0;
	return error_set(err, errno, "%.200s cannot be written: %s", path, strerror(errno));
}

static int export(gnutls_x509_privkey_t made, gnutls_datum_t *private, gnutls_datum_t *public)
{
	gnutls_pubkey_t pubkey = NULL;
	gnutls_privkey_t privkey = NULL;
	int status;

	if ((status = gnutls_privkey_init(&privkey)) >= 0 &&
	    (status = gnutls_pubkey_init(&pubkey)) >= 0 &&
	    (status = gnutls_x509_privkey_generate(made, GNUTLS_PK_EDDSA_ED25519, 0, 0)) >= 0 &&
	    (status = gnutls_privkey_import_x509(privkey, made, 0)) >= 0 &&
	    (status = gnutls_pubkey_import_privkey(pubkey, privkey, 0, 0)) >= 0 &&
	    (status = gnutls_pubkey_export2(pubkey, GNUTLS_X509_FMT_PEM, public)) >= 0)
		status = gnutls_x509_privkey_export2_pkcs8(made, GNUTLS_X509_FMT_PEM, NULL,
							   GNUTLS_PKCS_PLAIN, private);
	if (pubkey)
		gnutls_pubkey_deinit(pubkey);
	if (privkey)
		gnutls_privkey_deinit(privkey);
	return status;
}

int signature_key_generate(const char *path, struct error *err)
{
	autodatum gnutls_datum_t private = {}, public = {};
	gnutls_x509_privkey_t made = NULL;
	char beside[PATH_MAX];
	int status = gnutls_x509_privkey_init(&made);

	snprintf(beside, sizeof(beside), "%.4000s.pub", path);
	if (status >= 0)
		status = export(made, &private, &public);
	if (made)
		gnutls_x509_privkey_deinit(made);
	if (status < 0)
		return failed("no key can be made", status, err);
	return write_new(path, 0600, &private, err) ||
	       write_new(beside, 0644, &public, err) ? -1 : 0;
}

json_t *signature_key_describe(const char *path, struct error *err)
{
	autodatum gnutls_datum_t pem = {};
	autokey struct key key = {};
	int status;

	if (load(&key, path, err))
		return NULL;
	status = gnutls_pubkey_export2(key.public, GNUTLS_X509_FMT_PEM, &pem);
	if (status < 0) {
		failed(path, status, err);
		return NULL;
	}
	return json_pack("{s:s, s:s%, s:b}", "id", key.id, "public", pem.data, (size_t)pem.size,
			 "private", !!key.private);
}

/*
 * Signatures in a bundle.
 */

static void make_statement(const char *digest, char statement[STATEMENT_SIZE])
{
	snprintf(statement, STATEMENT_SIZE, STATEMENT, digest);
}

static json_t *make_manifest(const char *bundle, const struct key *key, const json_t *subject,
			     const char *statement, const gnutls_datum_t *signature,
			     struct error *err)
{
	autojson json_t *content = json_pack("{s:s, s:s}", "key", key->id, "statement", statement);
	autojson json_t *config = oci_put_json(bundle, SIGNATURE_CONFIG_TYPE, content, err);
	autojson json_t *layer = config ? oci_put(bundle, SIGNATURE_LAYER_TYPE, signature->data,
						  signature->size, err) : NULL;

	if (!layer)
		return NULL;
	return json_pack("{s:i, s:s, s:s, s:O, s:[O], s:{s:O, s:O, s:O}}", "schemaVersion", 2,
			 "mediaType", OCI_MANIFEST_TYPE, "artifactType", SIGNATURE_TYPE,
			 "config", config, "layers", layer, "subject",
			 "mediaType", json_object_get(subject, "mediaType"),
			 "digest", json_object_get(subject, "digest"),
			 "size", json_object_get(subject, "size"));
}

/* In the index, unless it is there: Ed25519 gives the same signature again. */
static int enter(const char *bundle, json_t *manifests, json_t *descriptor, struct error *err)
{
	json_t *there;
	size_t i;

	json_array_foreach(manifests, i, there)
		if (json_equal(json_object_get(there, "digest"),
			       json_object_get(descriptor, "digest")))
			return 0;
	json_array_append(manifests, descriptor);
	return oci_write_index(bundle, manifests, err);
}

/* No colon is allowed in it. */
void signature_tag(const char *digest, const char *id, char *tag, size_t size)
{
	snprintf(tag, size, "sha256-%s.%.16s.sig", strchr(digest, ':') + 1, id);
}

static int sign(const char *bundle, const struct key *key, json_t *manifests,
		const json_t *subject, struct error *err)
{
	const char *digest = json_string_value(json_object_get(subject, "digest"));
	autojson json_t *manifest = NULL, *descriptor = NULL;
	autodatum gnutls_datum_t signature = {};
	char statement[STATEMENT_SIZE], tag[160];
	gnutls_datum_t data = { .data = (void *)statement };
	int status;

	make_statement(digest, statement);
	data.size = strlen(statement);
	status = gnutls_privkey_sign_data2(key->private, GNUTLS_SIGN_EDDSA_ED25519, 0, &data,
					   &signature);
	if (status < 0)
		return failed("the bundle cannot be signed", status, err);
	manifest = make_manifest(bundle, key, subject, statement, &signature, err);
	if (!manifest)
		return -1;
	signature_tag(digest, key->id, tag, sizeof(tag));
	descriptor = oci_put_manifest(bundle, manifest, tag, err);
	return descriptor ? enter(bundle, manifests, descriptor, err) : -1;
}

/* What is signed: the one manifest that is no signature itself. */
static const json_t *find_subject(const char *bundle, const json_t *manifests, struct error *err)
{
	const json_t *descriptor, *found = NULL;
	size_t i;

	json_array_foreach(manifests, i, descriptor) {
		autojson json_t *manifest = oci_get_manifest(bundle, descriptor, err);

		if (!manifest)
			return NULL;
		if (!strcmp(oci_artifact_type(manifest), SIGNATURE_TYPE))
			continue;
		if (found) {
			error_set(err, EBADMSG, "%.200s has several manifests: which is to be signed?",
				  bundle);
			return NULL;
		}
		found = descriptor;
	}
	if (!found)
		error_set(err, ENOENT, "%.200s has nothing to sign", bundle);
	return found;
}

int signature_add(const char *bundle, const char *path, struct error *err)
{
	autojson json_t *manifests = NULL;
	autokey struct key key = {};
	const json_t *subject;

	if (load(&key, path, err))
		return -1;
	if (!key.private)
		return error_set(err, ENOKEY, "%.200s is a public key: signing takes the private one",
				 path);
	manifests = oci_index(bundle, err);
	subject = manifests ? find_subject(bundle, manifests, err) : NULL;
	return subject ? sign(bundle, &key, manifests, subject, err) : -1;
}

/*
 * Checking.
 */

/* The trusted keys: those of a directory, or one file. */
struct keys {
	struct key *list;
	size_t nr;
};

static void keys_free(struct keys *keys)
{
	size_t i;

	for (i = 0; i < keys->nr; i++)
		key_free(&keys->list[i]);
	free(keys->list);
}

#define autokeys __attribute__((cleanup(keys_free)))

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);

	return len > tail && !strcmp(name + len - tail, suffix);
}

static int load_trusted(struct keys *keys, const char *path, struct error *err)
{
	struct key *list = realloc(keys->list, (keys->nr + 1) * sizeof(*list));

	if (!list)
		return error_set(err, ENOMEM, "out of memory");
	keys->list = list;
	list[keys->nr] = (struct key){};
	return load(&list[keys->nr++], path, err);
}

static int load_all(struct keys *keys, const char *directory, struct error *err)
{
	autoclosedir DIR *files = opendir(directory);
	struct dirent *entry;
	char path[PATH_MAX];

	if (!files && errno == ENOTDIR)
		return load_trusted(keys, directory, err);
	if (!files && errno != ENOENT)
		return error_set(err, errno, "%.200s cannot be read: %s", directory,
				 strerror(errno));
	while (files && (entry = readdir(files))) {
		if (entry->d_name[0] == '.' || !has_suffix(entry->d_name, ".pub"))
			continue;
		snprintf(path, sizeof(path), "%.3800s/%s", directory, entry->d_name);
		if (load_trusted(keys, path, err))
			return -1;
	}
	if (keys->nr)
		return 0;
	return error_set(err, ENOKEY, "no key is trusted: put the public keys of those who may deploy into %.200s, named *.pub",
			 directory);
}

json_t *signature_key_ids(const char *directory, struct error *err)
{
	autokeys struct keys keys = {};
	json_t *ids;
	size_t i;

	if (load_all(&keys, directory ?: SIGNATURE_KEYS, err))
		return NULL;
	ids = json_array();
	for (i = 0; i < keys.nr; i++)
		json_array_append_new(ids, json_string(keys.list[i].id));
	return ids;
}

static const struct key *find_key(const struct keys *keys, const char *id)
{
	size_t i;

	for (i = 0; id && i < keys->nr; i++)
		if (!strcmp(keys->list[i].id, id))
			return &keys->list[i];
	return NULL;
}

static bool verifies(const struct key *key, const char *digest, const char *signature, size_t len)
{
	char statement[STATEMENT_SIZE];
	gnutls_datum_t data = { .data = (void *)statement };
	gnutls_datum_t bytes = { .data = (void *)signature, .size = len };

	make_statement(digest, statement);
	data.size = strlen(statement);
	return len == SIGNATURE_BYTES &&
	       gnutls_pubkey_verify_data2(key->public, GNUTLS_SIGN_EDDSA_ED25519, 0, &data,
					  &bytes) >= 0;
}

/* Whose signature the manifest has, if it is a good one over @digest; else NULL, and maybe why in @err. */
static const struct key *check_one(const char *bundle, const json_t *manifest,
				   const char *digest, const struct keys *keys, struct error *err)
{
	autojson json_t *config = oci_get_json(bundle, json_object_get(manifest, "config"),
					       SIGNATURE_CONFIG_TYPE, CONFIG_MAX, err);
	const json_t *layers = json_object_get(manifest, "layers");
	const struct key *key;
	autofree char *signature = NULL;
	size_t len;

	key = find_key(keys, json_string_value(json_object_get(config, "key")));
	if (!key || json_array_size(layers) != 1)
		return NULL;
	signature = oci_get(bundle, json_array_get(layers, 0), SIGNATURE_LAYER_TYPE, CONFIG_MAX,
			    &len, err);
	return signature && verifies(key, digest, signature, len) ? key : NULL;
}

int signature_check(const char *bundle, const char *digest, const char *directory,
		    char id[SIGNATURE_KEY_ID_SIZE], struct error *err)
{
	autojson json_t *manifests = oci_index(bundle, err);
	autokeys struct keys keys = {};
	const struct key *key = NULL;
	const json_t *descriptor;
	size_t i;

	directory = directory ? directory : SIGNATURE_KEYS;
	if (!manifests || load_all(&keys, directory, err))
		return -1;
	json_array_foreach(manifests, i, descriptor) {
		autojson json_t *manifest = oci_get_manifest(bundle, descriptor, err);

		if (!manifest)
			return -1;
		if (key || strcmp(oci_artifact_type(manifest), SIGNATURE_TYPE))
			continue;
		err->code = 0;
		key = check_one(bundle, manifest, digest, &keys, err);
		if (!key && error_hides(err->code))
			return -1;
	}
	if (!key)
		return error_set(err, EKEYREJECTED, "%.200s has no valid signature by a key in %.100s: sign it with `coppice deployment compile --key`, or add the signer's public key",
				 bundle, directory);
	strcpy(id, key->id);
	return 0;
}
