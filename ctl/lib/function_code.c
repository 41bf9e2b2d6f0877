// SPDX-License-Identifier: GPL-2.0
/* The code of functions: which files it is, their digest, and the copy that is deployed. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "digest.h"
#include "file.h"
#include "function_code.h"
#include "function_field.h"
#include "library_parts.h"
#include "user.h"

#define FILES_MAX	20000
#define BYTES_MAX	(512ULL << 20)

/*
 * Which files.
 */

struct listing {
	const struct function *function;
	char **files;
	size_t nr;
	uint64_t bytes;
};

static int add_file(struct listing *listing, const char *path, struct error *err)
{
	char **more;

	if (listing->nr == FILES_MAX)
		return error_set(err, E2BIG, "%.200s has more than %d files: deploy only what the function needs",
				 listing->function->directory, FILES_MAX);
	more = realloc(listing->files, (listing->nr + 2) * sizeof(*more));
	if (!more)
		return error_set(err, ENOMEM, "out of memory");
	listing->files = more;
	more[listing->nr] = strdup(path);
	more[listing->nr + 1] = NULL;
	return more[listing->nr++] ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int add_checked(struct listing *listing, const char *path, const struct stat *st,
		       struct error *err)
{
	if (!S_ISREG(st->st_mode))
		return error_set(err, EINVAL, "%.100s/%.200s is neither file nor directory: code has only these, and no links",
				 listing->function->directory, path);
	listing->bytes += st->st_size;
	if (listing->bytes > BYTES_MAX)
		return error_set(err, EFBIG, "the code in %.200s has more than %llu MiB: deploy only what the function needs",
				 listing->function->directory, BYTES_MAX >> 20);
	return add_file(listing, path, err);
}

static int add_named(struct listing *listing, const char *name, struct error *err)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", listing->function->directory, name);
	if (lstat(path, &st))
		return error_set(err, errno, "%.200s, which the manifest names, cannot be read: %s",
				 path, strerror(errno));
	return add_checked(listing, name, &st, err);
}

static const char *program_of(const struct function *function)
{
	const char *program = function->command[0];

	return program && program[0] != '/' ? program : NULL;
}

/* Also of a directory: they have to be there. */
static int add_all_named(struct listing *listing, struct error *err)
{
	const struct function *function = listing->function;
	const char *program = program_of(function);
	char *const *event;

	if ((function->file && add_named(listing, function->file, err)) ||
	    (program && add_named(listing, program, err)) ||
	    (function->base && add_named(listing, function->base, err)) ||
	    (function->placement && add_named(listing, function->placement, err)))
		return -1;
	for (event = function->warm; *event; event++)
		if (add_named(listing, *event, err))
			return -1;
	return 0;
}

/* "function.json", "orders.function.json": of several functions with one code, say. */
static bool is_manifest(const char *name)
{
	size_t len = strlen(name), end = strlen(FUNCTION_MANIFEST);

	if (len < end || strcmp(name + len - end, FUNCTION_MANIFEST))
		return false;
	return len == end || name[len - end - 1] == '.';
}

static bool is_left_out(const FTSENT *entry)
{
	if (entry->fts_level == FTS_ROOTLEVEL)
		return false;
	return entry->fts_name[0] == '.' || !strcmp(entry->fts_name, "__pycache__") ||
	       (entry->fts_level == 1 && is_manifest(entry->fts_name));
}

static int add_entry(struct listing *listing, const FTSENT *entry, struct error *err)
{
	const char *path = entry->fts_path + strlen(listing->function->directory);

	switch (entry->fts_info) {
	case FTS_D:
	case FTS_DP:
		return 0;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return error_set(err, entry->fts_errno, "%.200s cannot be read: %s", entry->fts_path,
				 strerror(entry->fts_errno));
	default:
		return add_checked(listing, path + 1, entry->fts_statp, err);
	}
}

static int walk(struct listing *listing, struct error *err)
{
	char *roots[] = { listing->function->directory, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;
	int ret = 0;

	if (!fts)
		return error_set(err, errno, "%.200s cannot be read: %s", roots[0], strerror(errno));
	while (!ret && (entry = fts_read(fts))) {
		if (is_left_out(entry))
			fts_set(fts, entry, FTS_SKIP);
		else
			ret = add_entry(listing, entry, err);
	}
	/* It says so with errno if there was more. */
	if (!ret && errno)
		ret = error_set(err, errno, "%.200s cannot be read: %s", roots[0], strerror(errno));
	fts_close(fts);
	return ret;
}

char **function_files(const struct function *function, struct error *err)
{
	struct listing listing = { .function = function, .files = texts_new() };

	if (!listing.files) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	if (add_all_named(&listing, err) || (function->whole && walk(&listing, err))) {
		texts_free(listing.files);
		return NULL;
	}
	texts_make_set(listing.files);
	return listing.files;
}

/*
 * Their digest.
 */

static int add_file_digest(struct digest *digest, const char *directory, const char *file,
			   struct error *err)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	if (stat(path, &st))
		return error_set(err, errno, "%.200s cannot be read: %s", path, strerror(errno));
	digest_text(digest, file);
	digest_text(digest, st.st_mode & 0111 ? "x" : "");
	return digest_file(digest, path, err);
}

/* A program outside of the code counts by its content. */
static int add_program(struct digest *digest, const struct function *function, struct error *err)
{
	if (!function->command[0] || function->command[0][0] != '/')
		return 0;
	return add_file_digest(digest, "", function->command[0], err);
}

static int add_all(struct digest *digest, const struct function *function, char *const *files,
		   struct error *err)
{
	digest_text(digest, function_runtimes[function->runtime]);
	digest_text(digest, function->file);
	digest_text(digest, function->handler);
	digest_texts(digest, function->command);
	digest_text(digest, function->on_stdin ? "stdin" : "");
	digest_text(digest, function->base);
	if (function->placement)
		digest_text(digest, function->placement);
	digest_texts(digest, function->warm);
	for (; *files; files++)
		if (add_file_digest(digest, function->directory, *files, err))
			return -1;
	return add_program(digest, function, err);
}

int function_digest(struct function *function, struct error *err)
{
	char **files = function_files(function, err);
	struct digest digest;
	int ret;

	if (!files)
		return -1;
	ret = digest_open(&digest, err);
	if (!ret) {
		ret = add_all(&digest, function, files, err);
		digest_close(&digest, function->digest);
	}
	texts_free(files);
	if (ret)
		function->digest[0] = '\0';
	return ret;
}

/*
 * The copy: root's, so that tasks can't change the code of others, and of the owner's group, so
 * that no other owner reads it.
 */

void function_code_path(uid_t owner, const char *digest, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, FUNCTION_CODE "/%u/%s", owner, digest);
}

static int remove_tree(const char *path, struct error *err)
{
	char *roots[] = { (char *)path, NULL };
	FTS *fts;
	FTSENT *entry;
	int failed = 0;

	if (access(path, F_OK))
		return 0;
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (fts && (entry = fts_read(fts)))
		if (entry->fts_info != FTS_D && remove(entry->fts_accpath))
			failed = errno;
	if (!failed)
		failed = errno;
	if (fts)
		fts_close(fts);
	if (!failed)
		return 0;
	return error_set(err, failed, "%.200s cannot be removed: %s", path, strerror(failed));
}

static int make_parents(const char *path, struct error *err)
{
	char parent[PATH_MAX];

	snprintf(parent, sizeof(parent), "%s", path);
	*strrchr(parent, '/') = '\0';
	return file_make_directory(parent, 0755, err);
}

static int copy_files(const struct function *function, char *const *files, const char *to,
		      struct error *err)
{
	char source[PATH_MAX], target[PATH_MAX];

	for (; *files; files++) {
		snprintf(source, sizeof(source), "%s/%s", function->directory, *files);
		if (snprintf(target, sizeof(target), "%s/%s", to, *files) >= (int)sizeof(target))
			return error_set(err, ENAMETOOLONG, "%.200s is too deep to be copied", source);
		if (make_parents(target, err) || library_copy(source, target, err))
			return -1;
	}
	return 0;
}

/* On the disk before anything refers to it. */
static int sync_tree(const char *path, struct error *err)
{
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && !syncfs(fd))
		return 0;
	return error_set(err, errno, "%.200s cannot be written: %s", path, strerror(errno));
}

static int give_to_owner(const char *path, uid_t owner, struct error *err)
{
	struct user user;

	if (user_by_uid(owner, &user, err))
		return -1;
	if (chown(path, 0, user.gid) || chmod(path, 0750))
		return error_set(err, errno, "%.200s cannot be given to user %s: %s", path, user.name,
				 strerror(errno));
	return 0;
}

/* What was there before, of the same digest, is as good. */
static int move_in(const char *part, const char *path, struct error *err)
{
	if (!rename(part, path))
		return 0;
	if (errno == EEXIST || errno == ENOTEMPTY)
		return remove_tree(part, err);
	return error_set(err, errno, "%.200s cannot be made: %s", path, strerror(errno));
}

static int copy_to(struct function *function, const char *part, struct error *err)
{
	char **files = function_files(function, err), *directory = strdup(part);
	int ret = -1;

	if (files && directory && !file_make_directory(part, 0700, err) &&
	    !copy_files(function, files, part, err))
		ret = 0;
	else if (files && !directory)
		error_set(err, ENOMEM, "out of memory");
	texts_free(files);
	if (ret) {
		free(directory);
		return -1;
	}
	free(function->directory);
	function->directory = directory;
	function->whole = true;
	return function_digest(function, err) || give_to_owner(part, function->owner, err) ||
	       sync_tree(part, err) ? -1 : 0;
}

/* The directories that code was in, if it was the last. */
static void remove_empty(char path[PATH_MAX])
{
	*strrchr(path, '/') = '\0';
	rmdir(path);
	rmdir(FUNCTION_CODE);
}

int function_copy(struct function *function, struct error *err)
{
	char part[PATH_MAX], path[PATH_MAX], *directory = NULL;
	struct error second;

	digest_need();
	/* The caller holds the lock: what is there is of a controller that was killed. */
	snprintf(part, sizeof(part), FUNCTION_CODE "/%u/.new", function->owner);
	if (remove_tree(part, err))
		return -1;
	if (!copy_to(function, part, err)) {
		function_code_path(function->owner, function->digest, path);
		directory = strdup(path);
		if (directory && !move_in(part, path, err)) {
			free(function->directory);
			function->directory = directory;
			return 0;
		}
		if (!directory)
			error_set(err, ENOMEM, "out of memory");
	}
	free(directory);
	(void)!remove_tree(part, &second);
	remove_empty(part);
	return -1;
}

static int has_code(const struct function *function, void *data)
{
	const struct function *other = data;

	return function->owner == other->owner && !strcmp(function->digest, other->digest);
}

int function_drop_code(const struct function *function, struct error *err)
{
	char path[PATH_MAX];
	int used = function_each(has_code, (void *)function, err);

	if (used)
		return used < 0 ? -1 : 0;
	function_code_path(function->owner, function->digest, path);
	if (remove_tree(path, err))
		return -1;
	remove_empty(path);
	return 0;
}
