// SPDX-License-Identifier: GPL-2.0
/*
 * Landlock's rules of an enclosure, from the same grants as its mounts. A rule is about an inode,
 * wherever that is mounted: it holds for what the hub has there, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "enclosure.h"

#define SYSTEM		(LANDLOCK_READ | LANDLOCK_EXECUTE)
#define DEVICE		(LANDLOCK_READ_FILE | LANDLOCK_WRITE_FILE | LANDLOCK_IOCTL_DEV)
/* What is a process's own to write there is told by the files' modes. */
#define PROC		(LANDLOCK_READ | LANDLOCK_WRITE_FILE)

static int add(struct enclosure *enclosure, int fd, uint64_t access, struct error *err)
{
	struct stat st;

	if (enclosure->nr_rules == ENCLOSURE_RULES || fstat(fd, &st)) {
		close(fd);
		return error_set(err, E2BIG, "there is no room for the rules of so many grants");
	}
	enclosure->rules[enclosure->nr_rules++] = (struct landlock_rule) {
		.fd = fd, .is_directory = S_ISDIR(st.st_mode), .access = access,
	};
	return 0;
}

/* What a hub does not have needs no rule. */
static int add_path(struct enclosure *enclosure, const char *path, uint64_t access,
		    struct error *err)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return error_set(err, errno, "%.200s cannot be opened: %s", path, strerror(errno));
	return add(enclosure, fd, access, err);
}

/* Links lead to where another rule is about. */
static bool is_link(const char *path)
{
	struct stat st;

	return !strchr(path + 1, '/') && !lstat(path, &st) && S_ISLNK(st.st_mode);
}

static int add_system(struct enclosure *enclosure, bool by_target, struct error *err)
{
	const char *const *path;

	for (path = enclosure_system; *path; path++) {
		/* All that tasks see in /etc is granted: one rule will do. */
		if (by_target && !strncmp(*path, "/etc/", 5))
			continue;
		if (!is_link(*path) && add_path(enclosure, *path, SYSTEM, err))
			return -1;
	}
	return by_target ? add_path(enclosure, "/etc", SYSTEM, err) : 0;
}

uint64_t enclosure_access(const struct grant *grant)
{
	uint64_t access = 0;

	if (grant->rights & GRANT_READ)
		access |= LANDLOCK_READ;
	if (grant->rights & GRANT_WRITE)
		access |= LANDLOCK_CHANGE;
	if (grant->rights & GRANT_APPEND)
		access |= LANDLOCK_ADD;
	if (grant->kind == GRANT_CODE && grant->rights & GRANT_READ)
		access |= LANDLOCK_EXECUTE;
	if (grant->kind == GRANT_DEVICE)
		access = (access & LANDLOCK_OF_FILES) | LANDLOCK_IOCTL_DEV;
	return access;
}

static int add_grant(struct enclosure *enclosure, const struct grant *grant, bool by_target,
		     struct error *err)
{
	int fd;

	if (by_target)
		return add_path(enclosure, grant->target, enclosure_access(grant), err);
	fd = enclosure_open_source(grant, err);
	return fd < 0 ? -1 : add(enclosure, fd, enclosure_access(grant), err);
}

int enclosure_make_rules(const struct grants *grants, bool by_target,
			 struct enclosure *enclosure, struct error *err)
{
	const char *const *device;
	size_t i;

	if (add_system(enclosure, by_target, err) || add_path(enclosure, "/proc", PROC, err))
		return -1;
	for (device = enclosure_devices; *device; device++)
		if (add_path(enclosure, *device, DEVICE, err))
			return -1;
	for (i = 0; i < grants->nr; i++)
		if (add_grant(enclosure, &grants->list[i], by_target, err))
			return -1;
	return 0;
}
