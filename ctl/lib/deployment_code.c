// SPDX-License-Identifier: GPL-2.0
/* Functions that a deployment carries; see deployment_code.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "beneath.h"
#include "cleanup.h"
#include "deployment_code.h"
#include "deployment_store.h"
#include "file.h"
#include "function_code.h"
#include "function_field.h"
#include "function_grants.h"
#include "json_text.h"
#include "tar.h"

#define FILES_MAX	20001	/* with the manifest */

/*
 * Packing.
 */

struct packing {
	const struct function *function;
	char **files;
	const char *manifest;
};

static int put(struct archive *archive, struct archive_entry *entry, const char *path, mode_t mode,
	       const void *data, size_t len)
{
	int ret;

	archive_entry_clear(entry);
	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, S_IFREG | mode);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_size(entry, len);
	ret = archive_write_header(archive, entry);
	if (ret == ARCHIVE_OK && archive_write_data(archive, data, len) != (la_ssize_t)len)
		ret = ARCHIVE_FATAL;
	return ret;
}

static int put_file(struct archive *archive, struct archive_entry *entry, const char *directory,
		    const char *file)
{
	struct error err;
	char path[PATH_MAX];
	struct stat st;
	size_t len;
	autofree char *data = NULL;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	data = file_read(path, &len, &err);
	if (data && !stat(path, &st))
		return put(archive, entry, file, st.st_mode & 0111 ? 0755 : 0644, data, len);
	archive_set_error(archive, EIO, "%s", err.text);
	return ARCHIVE_FATAL;
}

static int put_all(struct archive *archive, struct archive_entry *entry, void *data)
{
	const struct packing *packing = data;
	char *const *file;
	int ret;

	ret = put(archive, entry, FUNCTION_MANIFEST, 0644, packing->manifest,
		  strlen(packing->manifest));
	for (file = packing->files; ret == ARCHIVE_OK && *file; file++)
		ret = put_file(archive, entry, packing->function->directory, *file);
	return ret;
}

/* What the function has all said, and whose grants it has; its owner is not known before. */
static char *manifest_text(const struct deployment *deployment, const struct function *function)
{
	autojson json_t *manifest = function_json(function);

	if (!manifest)
		return NULL;
	json_object_del(manifest, "owner");
	json_object_set_new(manifest, "grants",
			    json_sprintf("%s/%s", deployment->name, function->name));
	return json_text(manifest, JSON_INDENT(2) | JSON_SORT_KEYS);
}

static int check_meant(const struct deployment_function *meant, const struct function *function,
		       struct error *err)
{
	if (strcmp(meant->name, function->name))
		return error_set(err, EINVAL, "the manifest is that of function %s: give both one name",
				 function->name);
	if (function->grants)
		return error_set(err, EINVAL, "grants are those of the deployment: leave them out");
	if (function->runtime == FUNCTION_BOOTSTRAP)
		return error_set(err, EINVAL, "grants confine tasks that enter an image, and runtime bootstrap has none: add it by coppice function add");
	return 0;
}

static char *pack(const struct deployment *deployment, const struct function *function,
		  size_t *len, struct error *err)
{
	autofree char *manifest = manifest_text(deployment, function);
	struct packing packing = { .function = function, .manifest = manifest };
	char *tar;

	if (!manifest) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	packing.files = function_files(function, err);
	if (!packing.files)
		return NULL;
	tar = tar_make("the code", put_all, &packing, len, err);
	texts_free(packing.files);
	return tar;
}

char *deployment_code_pack(const struct deployment *deployment,
			   const struct deployment_function *meant, size_t *len,
			   struct error *err)
{
	struct function function;
	char *tar = NULL;

	if (!function_read(meant->manifest, &function, err)) {
		if (!check_meant(meant, &function, err))
			tar = pack(deployment, &function, len, err);
		function_free(&function);
	}
	if (!tar)
		error_prefix(err, "function %s", meant->name);
	return tar;
}

/*
 * Unpacking. Only files, by their own names, into an empty directory of root's: there is nothing
 * that a link could lead to, and none is made.
 */

struct unpacking {
	struct archive *archive;
	int dir;
	size_t files, bytes;
	struct error *err;
};

static int refuse(const struct unpacking *unpacking, const char *path, const char *why)
{
	return error_set(unpacking->err, EBADMSG, "'%.120s' in the archive %s: compile the deployment again",
			 path ?: "", why);
}

static int make_parents(const struct unpacking *unpacking, const char *path)
{
	char parent[PATH_MAX];
	char *slash;
	int fd;

	snprintf(parent, sizeof(parent), "%s", path);
	for (slash = strchr(parent, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (!beneath_exists(unpacking->dir, parent)) {
			fd = beneath_make(unpacking->dir, parent, unpacking->err);
			if (fd < 0)
				return -1;
			cleanup_close(&fd);
		}
		*slash = '/';
	}
	return 0;
}

static int check_entry(struct unpacking *unpacking, struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);
	la_int64_t size = archive_entry_size(entry);

	if (!path || strlen(path) >= PATH_MAX / 2 || !field_is_inside(path))
		return refuse(unpacking, path, "is no path below the function's directory");
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
	    archive_entry_symlink(entry) || archive_entry_mode(entry) & 07000)
		return refuse(unpacking, path, "is no plain file");
	if (size < 0 || ++unpacking->files > FILES_MAX ||
	    (unpacking->bytes += size) > DEPLOYMENT_CODE_MAX)
		return refuse(unpacking, path, "is more than a function can have");
	return beneath_exists(unpacking->dir, path) ? refuse(unpacking, path, "is there twice") : 0;
}

static int unpack_entry(struct unpacking *unpacking, struct archive_entry *entry)
{
	const char *path = archive_entry_pathname(entry);
	size_t size = archive_entry_size(entry);
	autofree char *data = NULL;
	autoclose int fd = -1;

	if (check_entry(unpacking, entry) || make_parents(unpacking, path))
		return -1;
	data = malloc(size + 1);
	if (!data)
		return error_set(unpacking->err, ENOMEM, "out of memory");
	if (archive_read_data(unpacking->archive, data, size) != (la_ssize_t)size)
		return refuse(unpacking, path, "is cut off");
	fd = beneath_write(unpacking->dir, path, data, size, unpacking->err);
	if (fd < 0)
		return -1;
	if (fchmod(fd, archive_entry_mode(entry) & 0111 ? 0755 : 0644))
		return error_set(unpacking->err, errno, "%.200s cannot be written: %s", path,
				 strerror(errno));
	return 0;
}

static int unpack_all(struct unpacking *unpacking)
{
	struct archive_entry *entry;
	int ret;

	while ((ret = archive_read_next_header(unpacking->archive, &entry)) == ARCHIVE_OK)
		if (unpack_entry(unpacking, entry))
			return -1;
	return ret == ARCHIVE_EOF ? 0 : refuse(unpacking, NULL, "cannot be read");
}

/* As if it were added by hand: who signed is trusted with data, not with the controller's memory. */
static int check_unpacked(int dir, const struct deployment *deployment,
			  const struct deployment_function *meant, struct error *err)
{
	struct function function;
	char path[64];
	int ret = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	if (function_read(path, &function, err))
		return -1;
	/* All that it names is there, too. */
	if (function_digest(&function, err))
		ret = -1;
	else if (strcmp(function.name, meant->name) ||
	    !function_grants_are_of(&function, deployment->name) ||
	    strcmp(strchr(function.grants, '/') + 1, meant->name))
		ret = error_set(err, EBADMSG, "the manifest is that of another function or has other grants: compile the deployment again");
	function_free(&function);
	return ret;
}

static int unpack(int functions, const struct deployment *deployment,
		  const struct deployment_function *function, struct error *err)
{
	autoclose int dir = beneath_make(functions, function->name, err);
	struct unpacking unpacking = { .dir = dir, .err = err };
	int ret;

	if (dir < 0)
		return -1;
	unpacking.archive = tar_open("the code", function->tar, function->tar_len, err);
	if (!unpacking.archive)
		return -1;
	ret = unpack_all(&unpacking) || check_unpacked(dir, deployment, function, err) ? -1 : 0;
	archive_read_free(unpacking.archive);
	return ret;
}

int deployment_code_unpack(int dir, const struct deployment *deployment, struct error *err)
{
	autoclose int functions = beneath_make(dir, SLOT_FUNCTIONS, err);
	size_t i;

	if (functions < 0)
		return -1;
	for (i = 0; i < deployment->nr_functions; i++)
		if (deployment->functions[i].tar &&
		    unpack(functions, deployment, &deployment->functions[i], err))
			return error_prefix(err, "function %s", deployment->functions[i].name);
	return 0;
}

/*
 * On the hub.
 */

static int check_one(const struct deployment *deployment, const char *name, struct error *err)
{
	struct function function;
	bool ours;

	if (function_get(name, &function, err))
		return err->code == ENOENT ? 0 : -1;
	ours = function.deployment && !strcmp(function.deployment, deployment->name);
	function_free(&function);
	if (ours)
		return 0;
	return error_set(err, EEXIST, "there is a function %s that is not of deployment %s: delete it, or give another name",
			 name, deployment->name);
}

int deployment_code_check(const struct deployment *deployment, struct error *err)
{
	size_t i;

	for (i = 0; i < deployment->nr_functions; i++)
		if (deployment->functions[i].code[0] &&
		    check_one(deployment, deployment->functions[i].name, err))
			return -1;
	return 0;
}

int deployment_code_read(const char *deployment, const char *name, struct function *function,
			 struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEPLOYMENTS_DIRECTORY "/%s/" SLOT_CURRENT "/" SLOT_FUNCTIONS "/%s",
		 deployment, name);
	if (function_read(path, function, err))
		return -1;
	function->deployment = strdup(deployment);
	if (!function->deployment)
		error_set(err, ENOMEM, "out of memory");
	else if (!function_digest(function, err) && !function_grants_own(function, err))
		return 0;
	function_free(function);
	return -1;
}
