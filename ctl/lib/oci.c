// SPDX-License-Identifier: GPL-2.0
/* Directories in the OCI image layout. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <gnutls/crypto.h>

#include "cleanup.h"
#include "file.h"
#include "json_read.h"
#include "json_text.h"
#include "oci.h"

#define HASH_BYTES	32
#define PREFIX		"sha256:"
#define MANIFEST_MAX	(1 << 20)
#define LAYOUT		"{\"imageLayoutVersion\":\"1.0.0\"}"

int oci_digest(const void *data, size_t len, char digest[OCI_DIGEST_SIZE], struct error *err)
{
	unsigned char hash[HASH_BYTES];
	size_t i;
	int ret;

	ret = gnutls_hash_fast(GNUTLS_DIG_SHA256, data, len, hash);
	if (ret)
		return error_set(err, EIO, "SHA-256 cannot be computed: %s", gnutls_strerror(ret));
	strcpy(digest, PREFIX);
	for (i = 0; i < HASH_BYTES; i++)
		sprintf(digest + strlen(PREFIX) + 2 * i, "%02x", hash[i]);
	return 0;
}

/* Nothing else is a file name. */
static int check_digest(const char *digest, struct error *err)
{
	if (digest && !strncmp(digest, PREFIX, strlen(PREFIX)) &&
	    strlen(digest) == OCI_DIGEST_SIZE - 1 &&
	    strspn(digest + strlen(PREFIX), "0123456789abcdef") == 2 * HASH_BYTES)
		return 0;
	return error_set(err, EBADMSG, "'%.80s' is no SHA-256 digest", digest ? digest : "");
}

static void blob_path(const char *path, const char *digest, char blob[PATH_MAX])
{
	snprintf(blob, PATH_MAX, "%.3900s/blobs/sha256/%s", path, digest + strlen(PREFIX));
}

static void member(const char *path, const char *name, char full[PATH_MAX])
{
	snprintf(full, PATH_MAX, "%.3900s/%s", path, name);
}

int oci_create(const char *path, struct error *err)
{
	static const char *const directories[] = { "", "blobs", "blobs/sha256" };
	char full[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		member(path, directories[i], full);
		if (mkdir(full, 0777) && (i || errno != EEXIST))
			return error_set(err, errno, "%.200s cannot be made: %s", full,
					 strerror(errno));
	}
	member(path, "oci-layout", full);
	return file_write(full, 0644, LAYOUT, strlen(LAYOUT), err);
}

int oci_exists(const char *path)
{
	char full[PATH_MAX];

	member(path, "oci-layout", full);
	return !access(full, F_OK);
}

static void remove_blobs(const char *directory)
{
	autoclosedir DIR *blobs = opendir(directory);
	struct dirent *entry;

	while (blobs && (entry = readdir(blobs)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(blobs), entry->d_name, 0);
}

void oci_remove(const char *path)
{
	char full[PATH_MAX];

	member(path, "blobs/sha256", full);
	remove_blobs(full);
	rmdir(full);
	member(path, "blobs", full);
	rmdir(full);
	member(path, "index.json", full);
	unlink(full);
	member(path, "oci-layout", full);
	unlink(full);
	rmdir(path);
}

json_t *oci_put(const char *path, const char *media_type, const void *data, size_t len,
		struct error *err)
{
	char digest[OCI_DIGEST_SIZE], blob[PATH_MAX];
	json_t *descriptor;

	if (oci_digest(data, len, digest, err))
		return NULL;
	blob_path(path, digest, blob);
	if (file_write(blob, 0644, data, len, err))
		return NULL;
	descriptor = json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", digest, "size",
			       (json_int_t)len);
	if (!descriptor)
		error_set(err, ENOMEM, "out of memory");
	return descriptor;
}

json_t *oci_put_json(const char *path, const char *media_type, const json_t *value,
		     struct error *err)
{
	autofree char *text = json_text(value, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	return oci_put(path, media_type, text, strlen(text), err);
}

/* Of a file that is one, has that size, and is no link to elsewhere. */
static char *read_blob(const char *blob, size_t len, struct error *err)
{
	autoclose int fd = open(blob, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *data = malloc(len + 1);
	struct stat st = {};
	size_t have = 0;
	ssize_t got = 1;

	if (fd < 0)
		error_set(err, errno, "%.200s cannot be opened: %s", blob, strerror(errno));
	else if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (size_t)st.st_size != len)
		error_set(err, EBADMSG, "%.200s is no file of %zu bytes, which is its size by what refers to it",
			  blob, len);
	else if (!data)
		error_set(err, ENOMEM, "out of memory");
	else
		for (; got > 0 && have < len; have += got > 0 ? got : 0)
			got = read(fd, data + have, len - have);
	if (have == len && data && fd >= 0 && (size_t)st.st_size == len) {
		data[len] = '\0';
		return data;
	}
	free(data);
	return NULL;
}

char *oci_get(const char *path, const json_t *descriptor, const char *media_type, size_t max,
	      size_t *len, struct error *err)
{
	const char *type = json_string_value(json_object_get(descriptor, "mediaType"));
	const char *digest = json_string_value(json_object_get(descriptor, "digest"));
	json_int_t size = json_integer_value(json_object_get(descriptor, "size"));
	char blob[PATH_MAX], found[OCI_DIGEST_SIZE];
	char *data;

	if (check_digest(digest, err))
		return NULL;
	if (!type || strcmp(type, media_type)) {
		error_set(err, EBADMSG, "blob %s is no %s", digest, media_type);
		return NULL;
	}
	if (size < 0 || (size_t)size > max) {
		error_set(err, EFBIG, "blob %s has more than %zu bytes", digest, max);
		return NULL;
	}
	blob_path(path, digest, blob);
	data = read_blob(blob, size, err);
	if (!data)
		return NULL;
	if (!oci_digest(data, size, found, err)) {
		if (!strcmp(found, digest)) {
			*len = size;
			return data;
		}
		error_set(err, EBADMSG, "blob %s has been changed: its digest is %s", digest, found);
	}
	free(data);
	return NULL;
}

/* Nothing behind it, no key twice. */
static json_t *parse(const char *data, size_t len, const char *what, struct error *err)
{
	json_error_t why;
	json_t *value = json_read_text(data, len, JSON_REJECT_DUPLICATES, &why);

	if (json_is_object(value))
		return value;
	json_decref(value);
	if (!json_read_starved(what, err))
		error_set(err, EBADMSG, "%.100s is no JSON object: %.160s", what, why.text);
	return NULL;
}

json_t *oci_get_json(const char *path, const json_t *descriptor, const char *media_type,
		     size_t max, struct error *err)
{
	size_t len;
	autofree char *data = oci_get(path, descriptor, media_type, max, &len, err);

	return data ? parse(data, len, json_string_value(json_object_get(descriptor, "digest")),
			    err) : NULL;
}

/* Nothing says how long it is but itself. */
static char *read_index(const char *full, size_t *len, struct error *err)
{
	struct stat st;

	if (lstat(full, &st)) {
		error_set(err, errno, "%.200s cannot be read: %s", full, strerror(errno));
		return NULL;
	}
	*len = st.st_size;
	if (S_ISREG(st.st_mode) && st.st_size <= MANIFEST_MAX)
		return read_blob(full, st.st_size, err);
	error_set(err, EFBIG, "%.200s is no file of at most %d bytes", full, MANIFEST_MAX);
	return NULL;
}

json_t *oci_index(const char *path, struct error *err)
{
	char full[PATH_MAX];
	size_t len;
	autofree char *data = NULL;
	autojson json_t *index = NULL;
	json_t *manifests;

	member(path, "index.json", full);
	data = read_index(full, &len, err);
	index = data ? parse(data, len, full, err) : NULL;
	if (!index)
		return NULL;
	manifests = json_object_get(index, "manifests");
	if (json_integer_value(json_object_get(index, "schemaVersion")) == 2 &&
	    json_is_array(manifests) && json_array_size(manifests) <= OCI_MANIFESTS_MAX)
		return json_incref(manifests);
	error_set(err, EBADMSG, "%.200s is no OCI index of at most %d manifests", full,
		  OCI_MANIFESTS_MAX);
	return NULL;
}

int oci_write_index(const char *path, json_t *manifests, struct error *err)
{
	autojson json_t *index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
					   OCI_INDEX_TYPE, "manifests", manifests);
	autofree char *text = json_text(index, JSON_COMPACT | JSON_SORT_KEYS);
	char full[PATH_MAX];

	if (!text)
		return error_set(err, ENOMEM, "out of memory");
	member(path, "index.json", full);
	return file_write(full, 0644, text, strlen(text), err);
}

json_t *oci_put_manifest(const char *path, const json_t *manifest, const char *reference,
			 struct error *err)
{
	json_t *descriptor = oci_put_json(path, OCI_MANIFEST_TYPE, manifest, err);

	if (descriptor)
		json_object_set_new(descriptor, "annotations",
				    json_pack("{s:s}", OCI_REFERENCE, reference));
	return descriptor;
}

json_t *oci_get_manifest(const char *path, const json_t *descriptor, struct error *err)
{
	return oci_get_json(path, descriptor, OCI_MANIFEST_TYPE, MANIFEST_MAX, err);
}

const char *oci_artifact_type(const json_t *manifest)
{
	const char *type = json_string_value(json_object_get(manifest, "artifactType"));

	return type ? type : "";
}
