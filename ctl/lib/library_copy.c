// SPDX-License-Identifier: GPL-2.0
/* Copies of libraries: a local one may change later, its override may not. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "library_parts.h"

#define SIZE_MAX_ALL	(1ULL << 30)
#define PIECE		(1UL << 20)

static int copy_content(int from, int to)
{
	ssize_t done;

	while ((done = copy_file_range(from, NULL, to, NULL, PIECE, 0)) > 0)
		;
	/* Not between all file systems. */
	if (done < 0)
		while ((done = sendfile(to, from, NULL, PIECE)) > 0)
			;
	return done;
}

/* Times are kept, since interpreters compare them with those of what they have compiled. */
static int copy_file(const char *from, const char *to, struct error *err)
{
	autoclose int source = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	autoclose int target = -1;
	struct timespec times[2];
	struct stat st;

	if (source < 0 || fstat(source, &st))
		return error_set(err, errno, "%.200s cannot be read: %s", from, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "%.200s is no regular file: a library has only files and directories", from);
	target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (target < 0 || copy_content(source, target) || futimens(target, times) ||
	    fchmod(target, st.st_mode & 0111 ? 0755 : 0644))
		return error_set(err, errno, "%.200s cannot be copied to %.200s: %s", from, to,
				 strerror(errno));
	return 0;
}

/* Within the library its links are followed, so that the copy has none. */
static int check_inside(const char *root, const char *path, struct error *err)
{
	char *found = realpath(path, NULL);
	size_t len = strlen(root);
	bool inside = found && !strncmp(found, root, len) && (found[len] == '/' || !found[len]);

	free(found);
	if (inside)
		return 0;
	return error_set(err, EXDEV, "%.200s is a link to what is outside of the local library: copy that into it", path);
}

static int copy_entry(const FTSENT *entry, const char *root, const char *to, struct error *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s%s", to, entry->fts_path + strlen(root)) >=
	    (int)sizeof(path))
		return error_set(err, ENAMETOOLONG, "%.200s is too deep to be copied", entry->fts_path);
	if (check_inside(root, entry->fts_path, err))
		return -1;
	switch (entry->fts_info) {
	case FTS_D:
		if (mkdir(path, 0755) && errno != EEXIST)
			return error_set(err, errno, "%.200s cannot be made: %s", path, strerror(errno));
		return 0;
	case FTS_DP:
		return 0;
	case FTS_F:
		return copy_file(entry->fts_path, path, err);
	case FTS_DC:
		return error_set(err, ELOOP, "%.200s is a link to a directory that it lies in", entry->fts_path);
	default:
		return error_set(err, entry->fts_errno ? entry->fts_errno : EINVAL,
				 "%.200s cannot be copied: a library has only files and directories that can be read",
				 entry->fts_path);
	}
}

static int copy_tree(const char *from, const char *to, struct error *err)
{
	char *roots[] = { (char *)from, NULL };
	FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
	unsigned long long size = 0;
	FTSENT *entry;
	int ret = 0;

	if (!tree)
		return error_set(err, errno, "%.200s cannot be read: %s", from, strerror(errno));
	while (!ret && (entry = fts_read(tree))) {
		/* What interpreters have compiled is of other paths. */
		if (!strcmp(entry->fts_name, "__pycache__")) {
			fts_set(tree, entry, FTS_SKIP);
			continue;
		}
		if (entry->fts_info == FTS_F)
			size += entry->fts_statp->st_size;
		ret = size > SIZE_MAX_ALL ?
			error_set(err, EFBIG, "%.200s has more than %llu MiB: leave out what is no code", from, SIZE_MAX_ALL >> 20) :
			copy_entry(entry, from, to, err);
	}
	/* It says so with errno if there was more. */
	if (!ret && errno)
		ret = error_set(err, errno, "%.200s cannot be read: %s", from, strerror(errno));
	fts_close(tree);
	return ret;
}

int library_copy(const char *from, const char *to, struct error *err)
{
	struct stat st;

	if (stat(from, &st))
		return error_set(err, errno, "%.200s cannot be read: %s", from, strerror(errno));
	return S_ISDIR(st.st_mode) ? copy_tree(from, to, err) : copy_file(from, to, err);
}
