// SPDX-License-Identifier: GPL-2.0
/* The hub's certificate authority. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ca.h"
#include "cleanup.h"
#include "host.h"
#include "name.h"

#define LOCK		CA_DIRECTORY "/lock"
#define DAY		86400

static void cleanup_keypair(struct keypair *pair)
{
	keypair_free(pair);
}

#define autokeypair __attribute__((cleanup(cleanup_keypair)))

bool ca_exists(void)
{
	return !access(CA_CERTIFICATE, F_OK);
}

static int lock(struct error *err)
{
	if (file_make_directory(CA_DIRECTORY, 0755, err) ||
	    file_make_directory(CA_LEAVES, 0700, err))
		return -1;
	return file_lock(LOCK, err);
}

/* "coppice hub NAME": so that one hub's is told from another's in a list. */
static void make_name(char name[64])
{
	char host[40] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(name, 64, "coppice hub %s", host);
}

/* The certificate last: with it the CA exists, and without it no key stays. */
static int write_authority(const struct keypair *made, struct error *err)
{
	if (file_write(CA_KEY, 0600, made->key.data, made->key.size, err))
		return -1;
	if (!file_write(CA_CERTIFICATE, 0644, made->certificate.data, made->certificate.size, err))
		return 0;
	unlink(CA_KEY);
	return -1;
}

int ca_create(const char *const *domains, size_t nr, unsigned int days, struct error *err)
{
	autokeypair struct keypair made = {};
	autoclose int held = lock(err);
	char name[64];
	struct certificate_request request = {
		.name = name, .hosts = domains, .nr_hosts = nr, .days = days,
	};

	make_name(name);
	if (held < 0)
		return -1;
	if (ca_exists())
		return error_set(err, EEXIST, "there is a CA in " CA_DIRECTORY " already: delete it first, and restart what trusts it");
	return certificate_make_authority(&request, &made, err) ||
	       write_authority(&made, err) ? -1 : 0;
}

static int read_file(const char *path, gnutls_datum_t *data, struct error *err)
{
	size_t len = 0;
	char *text = file_read(path, &len, err);

	/* gnutls_free() is free(). */
	*data = (gnutls_datum_t){ .data = (unsigned char *)text, .size = len };
	return text ? 0 : -1;
}

static int refuse_missing(struct error *err)
{
	if (ca_exists())
		return 0;
	return error_set(err, ENOENT, "the hub has no CA: make one with `coppice ca create`");
}

static int read_authority(struct keypair *authority, struct error *err)
{
	if (refuse_missing(err) || read_file(CA_CERTIFICATE, &authority->certificate, err) ||
	    read_file(CA_KEY, &authority->key, err))
		return -1;
	if (certificate_expiry(&authority->certificate) <= time(NULL))
		return error_set(err, EKEYEXPIRED, "the hub's CA has expired, or the hub's clock is wrong: delete it and create another");
	return 0;
}

/*
 * Leaves.
 */

static void leaf_path(const char *name, const char *suffix, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, CA_LEAVES "/%s.%s", name, suffix);
}

static bool is_permitted(const char *host, const json_t *domains)
{
	const json_t *domain;
	size_t i;

	json_array_foreach(domains, i, domain)
		if (host_is_within(host, json_string_value(domain)))
			return true;
	return false;
}

static int check_permitted(const struct keypair *authority, const char *const *hosts, size_t nr,
			   struct error *err)
{
	autojson json_t *described = certificate_describe(&authority->certificate, err);
	size_t i;

	if (!described)
		return -1;
	for (i = 0; i < nr; i++)
		if (!is_permitted(hosts[i], json_object_get(described, "permitted")))
			return error_set(err, EPERM, "the hub's CA may not sign for %s: create one with --permit of its domain",
					 hosts[i]);
	return 0;
}

/* Each host and, unless it is one, the wildcard below it. */
static size_t expand(const char *const *hosts, size_t nr, char (*room)[HOST_MAX + 3],
		     const char **names)
{
	size_t i, count = 0;

	for (i = 0; i < nr; i++) {
		names[count++] = hosts[i];
		if (host_is_wildcard(hosts[i]) || strlen(hosts[i]) + 2 > HOST_MAX)
			continue;
		snprintf(room[i], sizeof(room[i]), "*.%s", hosts[i]);
		names[count++] = room[i];
	}
	return count;
}

static json_t *list(const char *const *hosts, size_t nr)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < nr; i++)
		json_array_append_new(array, json_string(hosts[i]));
	return array;
}

/* Is what lies there of this CA, for these hosts, and in the first half of its time? -1 where that cannot be told. */
static int is_current(const char *name, const json_t *record, struct error *err)
{
	char path[PATH_MAX];
	autojson json_t *found = NULL;
	autokeypair struct keypair leaf = {};
	json_t *wanted, *there;

	leaf_path(name, "json", path);
	found = file_read_json(path, err);
	leaf_path(name, "pem", path);
	if (!found || read_file(path, &leaf.certificate, err))
		return error_hides(err->code) ? -1 : 0;
	wanted = json_object_get(record, "hosts");
	there = json_object_get(found, "hosts");
	return json_equal(wanted, there) &&
	       json_equal(json_object_get(record, "authority"), json_object_get(found, "authority")) &&
	       certificate_expiry(&leaf.certificate) - time(NULL) > LEAF_DAYS * DAY / 2;
}

/* One file, as terminators want it: the certificate, its authority's, the key. */
static int write_leaf(const char *name, const struct keypair *authority,
		      const struct keypair *leaf, char path[PATH_MAX], struct error *err)
{
	autofree char *text = NULL;

	leaf_path(name, "pem", path);
	if (asprintf(&text, "%.*s%.*s%.*s", leaf->certificate.size, leaf->certificate.data,
		     authority->certificate.size, authority->certificate.data,
		     leaf->key.size, leaf->key.data) < 0) {
		text = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	return file_write(path, 0600, text, strlen(text), err);
}

static int issue(const char *name, const char *const *hosts, size_t nr,
		 const struct keypair *authority, char path[PATH_MAX], struct error *err)
{
	char (*room)[HOST_MAX + 3] = calloc(nr + 1, sizeof(*room));
	const char **names = calloc(2 * nr + 1, sizeof(*names));
	struct certificate_request request = { .name = name, .hosts = names, .days = LEAF_DAYS };
	autokeypair struct keypair leaf = {};
	int ret = -1;

	if (!room || !names) {
		error_set(err, ENOMEM, "out of memory");
	} else {
		request.nr_hosts = expand(hosts, nr, room, names);
		ret = certificate_issue(&request, authority, &leaf, err) ||
		      write_leaf(name, authority, &leaf, path, err) ? -1 : 0;
	}
	free(names);
	free(room);
	return ret;
}

/* The record last: without a matching one the file is made again. */
static int renew(const char *name, const char *const *hosts, size_t nr,
		 const struct keypair *authority, const json_t *record, char path[PATH_MAX],
		 struct error *err)
{
	char beside[PATH_MAX];

	leaf_path(name, "json", beside);
	return issue(name, hosts, nr, authority, path, err) ||
	       file_write_json(beside, 0600, record, err) ? -1 : 0;
}

int ca_leaf(const char *name, const char *const *hosts, size_t nr, char path[PATH_MAX],
	    bool *made, struct error *err)
{
	autokeypair struct keypair authority = {};
	autojson json_t *record = NULL;
	autoclose int held = -1;
	int current;

	if (name_check("a certificate", name, err))
		return -1;
	held = lock(err);
	if (held < 0 || read_authority(&authority, err) ||
	    check_permitted(&authority, hosts, nr, err))
		return -1;
	record = json_pack("{s:o, s:s%}", "hosts", list(hosts, nr), "authority",
			   authority.certificate.data, (size_t)authority.certificate.size);
	if (!record)
		return error_set(err, ENOMEM, "out of memory");
	leaf_path(name, "pem", path);
	current = is_current(name, record, err);
	if (current < 0)
		return -1;
	*made = !current;
	return *made ? renew(name, hosts, nr, &authority, record, path, err) : 0;
}

int ca_leaf_remove(const char *name, struct error *err)
{
	char pem[PATH_MAX], json[PATH_MAX];

	leaf_path(name, "pem", pem);
	leaf_path(name, "json", json);
	return file_remove(json, err) || file_remove(pem, err) ? -1 : 0;
}

/*
 * The whole.
 */

/* Calls @fn with the name of every leaf. */
static int each_leaf(int (*fn)(const char *name, void *data, struct error *err), void *data,
		     struct error *err)
{
	autoclosedir DIR *directory = opendir(CA_LEAVES);
	struct dirent *entry;
	int ret = 0;

	if (!directory && errno != ENOENT)
		return error_set(err, errno, CA_LEAVES " cannot be read: %s", strerror(errno));
	while (!ret && directory && (entry = readdir(directory))) {
		char *dot = strrchr(entry->d_name, '.');

		if (!dot || strcmp(dot, ".pem") || dot == entry->d_name)
			continue;
		*dot = '\0';
		ret = fn(entry->d_name, data, err);
	}
	return ret;
}

static int remove_leaf(const char *name, void *data, struct error *err)
{
	(void)data;
	return ca_leaf_remove(name, err);
}

int ca_delete(struct error *err)
{
	autoclose int held = -1;

	if (refuse_missing(err))
		return -1;
	held = lock(err);
	return held < 0 || each_leaf(remove_leaf, NULL, err) || file_remove(CA_KEY, err) ||
	       file_remove(CA_CERTIFICATE, err) ? -1 : 0;
}

static int describe_leaf(const char *name, void *data, struct error *err)
{
	autokeypair struct keypair leaf = {};
	char path[PATH_MAX];
	json_t *object;

	leaf_path(name, "pem", path);
	if (read_file(path, &leaf.certificate, err))
		return -1;
	object = certificate_describe(&leaf.certificate, err);
	if (!object)
		return -1;
	json_object_del(object, "permitted");
	json_object_set_new(object, "file", json_string(path));
	return json_array_append_new(data, object) ? error_set(err, ENOMEM, "out of memory") : 0;
}

json_t *ca_describe(struct error *err)
{
	autokeypair struct keypair authority = {};
	json_t *object, *leaves = json_array();

	if (refuse_missing(err) || read_file(CA_CERTIFICATE, &authority.certificate, err) ||
	    each_leaf(describe_leaf, leaves, err))
		object = NULL;
	else
		object = certificate_describe(&authority.certificate, err);
	if (!object) {
		json_decref(leaves);
		return NULL;
	}
	json_object_del(object, "hosts");
	json_object_set_new(object, "file", json_string(CA_CERTIFICATE));
	json_object_set_new(object, "certificates", leaves);
	return object;
}
