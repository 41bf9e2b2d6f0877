// SPDX-License-Identifier: GPL-2.0
/*
 * Images of what processes map.
 *
 * Files are opened as the processes have them, by /proc/PID/map_files, so that it does not matter what
 * lies at their path by now, or in which mount namespace it does. They may be the owner's, who may
 * have written into them what he likes: their number and size are bounded, and if they are no good,
 * the hub's own files are taken without them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "digest.h"
#include "file.h"
#include "group.h"
#include "hub.h"
#include "mapped.h"

#define PREFIX		"mapped-"
#define HEX		32
#define FILES_MAX	256
#define BYTES_MAX	(512ULL << 20)	/* of all files: it becomes memory of the kernel's */

struct mapped_elf {
	char path[PATH_MAX];	/* to open it by */
	uint8_t id[32], len;
	uint64_t size;
	bool root;		/* it is root's */
};

struct mapped {
	uid_t owner;
	struct mapped_elf files[FILES_MAX];
	size_t nr;
	uint64_t bytes;
};

bool mapped_is_image(const char *name)
{
	const char *hex = name + strlen(PREFIX);

	return !strncmp(name, PREFIX, strlen(PREFIX)) && strlen(hex) == HEX &&
	       strspn(hex, "0123456789abcdef") == HEX;
}

int mapped_lock(struct error *err)
{
	if (file_make_directory(RUN_DIRECTORY, 0755, err))
		return -1;
	return file_lock(RUN_DIRECTORY "/mapped.lock", err);
}

/*
 * Which files.
 */

static bool contains(const struct mapped *mapped, const uint8_t *id, uint8_t len)
{
	size_t i;

	for (i = 0; i < mapped->nr; i++)
		if (mapped->files[i].len == len && !memcmp(mapped->files[i].id, id, len))
			return true;
	return false;
}

/* A deleted file has no place that an image could name. */
static bool has_place(const char *path)
{
	autofree char *place = realpath(path, NULL);

	return place;
}

/* One that does not fit is left out: its pages are shared no less than without an image. */
static void add_file(struct mapped *mapped, const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct mapped_elf *file = &mapped->files[mapped->nr];
	struct stat st;

	if (fd < 0 || mapped->nr == FILES_MAX || strlen(path) >= sizeof(file->path) ||
	    fstat(fd, &st) || !S_ISREG(st.st_mode) || (st.st_uid && st.st_uid != mapped->owner) ||
	    (uint64_t)st.st_size > BYTES_MAX - mapped->bytes)
		return;
	if (hub_build_id_fd(fd, file->id, &file->len) || !file->len ||
	    contains(mapped, file->id, file->len) || !has_place(path))
		return;
	strcpy(file->path, path);
	file->size = st.st_size;
	file->root = !st.st_uid;
	mapped->bytes += file->size;
	mapped->nr++;
}

/* What is executed has its other parts mapped beside it. */
static void add_process(struct mapped *mapped, pid_t pid)
{
	autofclose FILE *maps = NULL;
	autofree char *line = NULL;
	uint64_t start, end, inode;
	char path[96], perms[5];
	size_t room = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && getline(&line, &room, maps) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*s %" SCNu64, &start, &end, perms,
			   &inode) != 4 || !inode || strcmp(perms, "r-xp"))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, start, end);
		add_file(mapped, path);
	}
}

static bool has_all(const struct image *image, const struct mapped *mapped)
{
	const struct image_library *library = image->libraries;
	size_t i, j;

	for (i = 0; i < mapped->nr; i++) {
		for (j = 0; j < image->nr_libraries; j++)
			if (library[j].build_id_len == mapped->files[i].len &&
			    !memcmp(library[j].build_id, mapped->files[i].id, library[j].build_id_len))
				break;
		if (j == image->nr_libraries)
			return false;
	}
	return true;
}

/* Processes of other moments had them. Of one that was replaced since, that is what lies there now. */
static void add_former(struct mapped *mapped, const struct image *image)
{
	size_t i;

	for (i = 0; i < image->nr_libraries; i++)
		add_file(mapped, image->libraries[i].path);
}

static void keep_roots(struct mapped *mapped)
{
	size_t i, kept = 0;

	for (i = 0; i < mapped->nr; i++)
		if (mapped->files[i].root)
			mapped->files[kept++] = mapped->files[i];
	mapped->nr = kept;
}

/*
 * Their image.
 */

static int by_id(const void *a, const void *b)
{
	const struct mapped_elf *left = a, *right = b;

	return left->len != right->len ? left->len - right->len : memcmp(left->id, right->id, left->len);
}

static int name_of(struct mapped *mapped, char name[IMAGE_NAME_MAX + 1], struct error *err)
{
	char text[DIGEST_SIZE];
	struct digest digest;
	size_t i;

	if (digest_open(&digest, err))
		return -1;
	qsort(mapped->files, mapped->nr, sizeof(mapped->files[0]), by_id);
	digest_add(&digest, &mapped->owner, sizeof(mapped->owner));
	for (i = 0; i < mapped->nr; i++)
		digest_add(&digest, mapped->files[i].id, mapped->files[i].len);
	digest_close(&digest, text);
	snprintf(name, IMAGE_NAME_MAX + 1, PREFIX "%.*s", HEX, text);
	return 0;
}

static int load(const struct backend *backend, const struct mapped *mapped, const char *name,
		struct error *err)
{
	const char *paths[FILES_MAX];
	struct image image;
	size_t i;
	int ret;

	for (i = 0; i < mapped->nr; i++)
		paths[i] = mapped->files[i].path;
	if (image_from_elf(&image, paths, mapped->nr, err))
		return -1;
	ret = backend->image_load(name, mapped->owner, &image, err);
	image_free(&image);
	return ret;
}

static int make(const struct backend *backend, struct mapped *mapped, char name[IMAGE_NAME_MAX + 1],
		struct error *err)
{
	struct image_info info;

	if (!mapped->nr)
		return error_set(err, ENOEXEC, "no file of it can be in an image, for which it has to be an ELF file with a build-id, of root or of the owner");
	if (name_of(mapped, name, err))
		return -1;
	if (backend->image_get(name, &info, err))
		return err->code == ENOENT ? load(backend, mapped, name, err) : -1;
	if (info.owner == mapped->owner)
		return 0;
	return error_set(err, EEXIST, "an image %s exists, which is of another owner: delete it first", name);
}

/* Where it was found is where processes find it. */
static const char *c_library(void)
{
	Dl_info info;

	return dladdr((void *)(uintptr_t)&printf, &info) ? info.dli_fname : "";
}

int mapped_make(const struct backend *backend, uid_t owner, const char *program,
		char name[IMAGE_NAME_MAX + 1], struct error *err)
{
	autofree struct mapped *mapped = calloc(1, sizeof(*mapped));

	if (!mapped)
		return error_set(err, ENOMEM, "out of memory");
	mapped->owner = owner;
	add_file(mapped, program);
	if (mapped->nr && !make(backend, mapped, name, err))
		return 0;
	mapped->nr = mapped->bytes = 0;
	add_file(mapped, c_library());
	return make(backend, mapped, name, err);
}

/*
 * Of a group.
 */

static int collect(const struct backend *backend, const struct group_info *group, const pid_t *pids,
		   size_t nr, struct mapped *mapped, struct image *image, struct error *err)
{
	size_t i;

	mapped->owner = group->owner;
	if (backend->image_open(group->image, image, err))
		return -1;
	for (i = 0; i < nr; i++)
		add_process(mapped, pids[i]);
	return 0;
}

static int make_some(const struct backend *backend, struct mapped *mapped,
		     char name[IMAGE_NAME_MAX + 1], struct error *err)
{
	if (!make(backend, mapped, name, err))
		return 0;
	keep_roots(mapped);
	return make(backend, mapped, name, err);
}

static int give(const struct backend *backend, const struct group_info *group,
		struct mapped *mapped, struct error *err)
{
	char name[IMAGE_NAME_MAX + 1];
	autoclose int lock = mapped_lock(err);
	struct error second;
	int ret;

	if (lock < 0 || make_some(backend, mapped, name, err))
		return -1;
	if (!strcmp(name, group->image))
		return 0;
	ret = group_move(backend, group->name, group->image, name, err);
	(void)!mapped_prune(backend, &second);
	return ret ? -1 : 1;
}

int mapped_learn(const struct backend *backend, const struct group_info *group, const pid_t *pids,
		 size_t nr, struct error *err)
{
	autofree struct mapped *mapped = calloc(1, sizeof(*mapped));
	struct image image = {};
	int ret;

	if (!mapped)
		return error_set(err, ENOMEM, "out of memory");
	ret = collect(backend, group, pids, nr, mapped, &image, err);
	if (!ret && !has_all(&image, mapped)) {
		add_former(mapped, &image);
		ret = give(backend, group, mapped, err);
	}
	image_free(&image);
	return ret;
}

static int delete_unused(const struct image_info *info, void *data)
{
	const struct backend *backend = data;
	struct error ignored;

	if (mapped_is_image(info->name) && !info->groups)
		(void)!backend->image_delete(info->name, &ignored);
	return 0;
}

int mapped_prune(const struct backend *backend, struct error *err)
{
	return backend->image_each(delete_unused, (void *)backend, err);
}
