// SPDX-License-Identifier: GPL-2.0
/* Who trusts the hub's CA, and by what. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "name.h"
#include "program.h"
#include "trust.h"

#define DIRECTORY	CA_DIRECTORY "/trust"
#define GROUPS		DIRECTORY "/groups"
#define STAMP		DIRECTORY "/stamp"
#define LOCK		DIRECTORY "/lock"
#define BUNDLE		"ca-certificates.crt"	/* the system's, in TRUST_SYSTEM */
#define OWN		"coppice-hub.pem"
#define DEPTH		2			/* of directories: Java's is the only one */

/* All but Node's replace what the program has otherwise, so they name the merged bundle. */
static char variables[TRUST_VARIABLES][96] = {
	"SSL_CERT_FILE=" TRUST_BUNDLE,
	"AWS_CA_BUNDLE=" TRUST_BUNDLE,
	"REQUESTS_CA_BUNDLE=" TRUST_BUNDLE,
	"CURL_CA_BUNDLE=" TRUST_BUNDLE,
	"GIT_SSL_CAINFO=" TRUST_BUNDLE,
	"PIP_CERT=" TRUST_BUNDLE,
	"CARGO_HTTP_CAINFO=" TRUST_BUNDLE,
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=" TRUST_BUNDLE,
	"HTTPLIB2_CA_CERTS=" TRUST_BUNDLE,
	"PERL_LWP_SSL_CA_FILE=" TRUST_BUNDLE,
	"NODE_EXTRA_CA_CERTS=" TRUST_CERTS "/" OWN,
	"DENO_CERT=" TRUST_CERTS "/" OWN,
};

/*
 * Groups.
 */

static int group_path(const char *group, char path[PATH_MAX], struct error *err)
{
	if (name_check("a group", group, err))
		return -1;
	snprintf(path, PATH_MAX, GROUPS "/%s", group);
	return 0;
}

int trust_give(const char *group, struct error *err)
{
	char path[PATH_MAX];

	if (group_path(group, path, err))
		return -1;
	if (!ca_exists())
		return error_set(err, ENOENT, "the hub has no CA to trust: make one with `coppice ca create`");
	return file_make_directory(GROUPS, 0755, err) || file_write(path, 0644, "", 0, err) ? -1 : 0;
}

int trust_take(const char *group, struct error *err)
{
	char path[PATH_MAX];

	return group_path(group, path, err) || file_remove(path, err) ? -1 : 0;
}

bool trust_has(const char *group)
{
	struct error ignored;
	char path[PATH_MAX];

	return !group_path(group, path, &ignored) && !access(path, F_OK) && ca_exists();
}

json_t *trust_groups(struct error *err)
{
	autoclosedir DIR *directory = opendir(GROUPS);
	struct dirent *entry;
	json_t *groups;

	if (!directory && errno != ENOENT) {
		error_set(err, errno, GROUPS " cannot be read: %s", strerror(errno));
		return NULL;
	}
	groups = json_array();
	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.' && !strstr(entry->d_name, ".new."))
			json_array_append_new(groups, json_string(entry->d_name));
	return groups;
}

/*
 * The copy of the system's certificates. Running tasks have this very directory mounted, so
 * it is brought up to date entry by entry and never put aside.
 */

static int copy_link(const char *from, const char *to, struct error *err)
{
	char target[PATH_MAX], part[PATH_MAX];
	ssize_t len = readlink(from, target, sizeof(target) - 1);

	target[len < 0 ? 0 : len] = '\0';
	snprintf(part, sizeof(part), "%.4000s.new.%d", to, getpid());
	unlink(part);
	if (len < 0 || symlink(target, part) || rename(part, to))
		return error_set(err, errno, "%.200s cannot be copied to %.200s: %s", from, to,
				 strerror(errno));
	return 0;
}

static int copy_file(const char *from, const char *to, struct error *err)
{
	size_t len = 0;
	autofree char *data = file_read(from, &len, err);

	return data ? file_write(to, 0644, data, len, err) : -1;
}

static int copy_directory(const char *from, const char *to, int depth, struct error *err);

static int copy_entry(const char *from, const char *to, int depth, struct error *err)
{
	struct stat st;

	if (lstat(from, &st))
		return errno == ENOENT ? 0 :
			error_set(err, errno, "%.200s cannot be read: %s", from, strerror(errno));
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, err);
	if (S_ISDIR(st.st_mode))
		return depth < DEPTH ? copy_directory(from, to, depth + 1, err) : 0;
	return S_ISREG(st.st_mode) ? copy_file(from, to, err) : 0;
}

/* What the system has no more. */
static void remove_stale(const char *from, const char *to)
{
	autoclosedir DIR *directory = opendir(to);
	char here[PATH_MAX], there[PATH_MAX];
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		snprintf(here, sizeof(here), "%.3000s/%s", to, entry->d_name);
		snprintf(there, sizeof(there), "%.3000s/%s", from, entry->d_name);
		if (entry->d_name[0] != '.' && faccessat(AT_FDCWD, there, F_OK, AT_SYMLINK_NOFOLLOW))
			unlink(here);
	}
}

static int copy_directory(const char *from, const char *to, int depth, struct error *err)
{
	autoclosedir DIR *directory = opendir(from);
	char here[PATH_MAX], there[PATH_MAX];
	struct dirent *entry;

	/* What is not there has nothing to copy; what cannot be read is not to be taken for that. */
	if (!directory && errno != ENOENT)
		return error_set(err, errno, "%.200s cannot be read: %s", from, strerror(errno));
	if (file_make_directory(to, 0755, err))
		return -1;
	remove_stale(from, to);
	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.' || (!depth && !strcmp(entry->d_name, BUNDLE)))
			continue;
		snprintf(here, sizeof(here), "%.3000s/%s", from, entry->d_name);
		snprintf(there, sizeof(there), "%.3000s/%s", to, entry->d_name);
		if (copy_entry(here, there, depth, err))
			return -1;
	}
	return 0;
}

/* Of a hub without certificates of its own, the bundle is the hub's CA alone. */
static int merge_bundle(const char *own, size_t own_len, struct error *err)
{
	autofree char *system = NULL, *merged = NULL;
	size_t len = 0;

	system = file_read(TRUST_SYSTEM "/" BUNDLE, &len, err);
	if (!system && err->code != ENOENT)
		return -1;
	merged = malloc(len + 1 + own_len);
	if (!merged)
		return error_set(err, ENOMEM, "out of memory");
	if (system)
		memcpy(merged, system, len);
	if (len && merged[len - 1] != '\n')
		merged[len++] = '\n';
	memcpy(merged + len, own, own_len);
	return file_write(TRUST_BUNDLE, 0644, merged, len + own_len, err);
}

/* OpenSSL looks a certificate up in a directory by HASH.N, the first that is free. */
static int link_hash(struct error *err)
{
	char path[64], hash[64], link[PATH_MAX];
	char *argv[] = { path, "x509", "-noout", "-subject_hash", "-in", CA_CERTIFICATE, NULL };
	int i;

	if (program_find("openssl", "openssl", path, sizeof(path), err) ||
	    program_run(argv, hash, sizeof(hash), err))
		return -1;
	for (i = 0; i < 10; i++) {
		snprintf(link, sizeof(link), TRUST_CERTS "/%.16s.%d", hash, i);
		if (!symlink(OWN, link))
			return 0;
	}
	return error_set(err, errno, "%s cannot be linked in " TRUST_CERTS ": %s", hash,
			 strerror(errno));
}

static int rebuild(struct error *err)
{
	autofree char *own = NULL;
	size_t len = 0;

	own = file_read(CA_CERTIFICATE, &len, err);
	return !own || copy_directory(TRUST_SYSTEM, TRUST_CERTS, 0, err) ||
	       merge_bundle(own, len, err) ||
	       file_write(TRUST_CERTS "/" OWN, 0644, own, len, err) || link_hash(err) ? -1 : 0;
}

/* By what it is seen whether the copy is still one. */
static void make_stamp(char stamp[256])
{
	static const char *const sources[] = { TRUST_SYSTEM, TRUST_SYSTEM "/" BUNDLE, CA_CERTIFICATE };
	size_t i, len = 0;

	for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct stat st = {};

		(void)!stat(sources[i], &st);
		len += snprintf(stamp + len, 256 - len, "%lu %ld %ld.%09ld\n", st.st_ino,
				st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	}
}

static bool is_current(const char *stamp)
{
	struct error ignored;
	size_t len;
	autofree char *found = file_read(STAMP, &len, &ignored);

	return found && !strcmp(found, stamp);
}

int trust_prepare(struct error *err)
{
	autoclose int lock = -1;
	char stamp[256];

	make_stamp(stamp);
	if (is_current(stamp))
		return 0;
	if (!ca_exists())
		return error_set(err, ENOENT, "the hub has no CA: make one with `coppice ca create`");
	if (file_make_directory(TRUST_CERTS, 0755, err))
		return -1;
	lock = file_lock(LOCK, err);
	return lock < 0 || rebuild(err) || file_write(STAMP, 0644, stamp, strlen(stamp), err) ? -1 : 0;
}

int trust_mounts(struct task_mounts *mounts, struct error *err)
{
	if (trust_prepare(err))
		return -1;
	/* A hub without such certificates has no programs that look there. */
	return access(TRUST_SYSTEM, F_OK) ? 0 :
		task_mounts_add(mounts, TRUST_CERTS, TRUST_SYSTEM, err);
}

static bool is_given(const char *variable, char *const *given, size_t nr)
{
	size_t i, len = strcspn(variable, "=") + 1;

	for (i = 0; i < nr; i++)
		if (!strncmp(given[i], variable, len))
			return true;
	return false;
}

size_t trust_variables(char *const *given, size_t nr_given, char **to)
{
	size_t i, nr = 0;

	for (i = 0; i < TRUST_VARIABLES; i++)
		if (!is_given(variables[i], given, nr_given))
			to[nr++] = variables[i];
	return nr;
}
