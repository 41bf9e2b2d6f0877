// SPDX-License-Identifier: GPL-2.0
/* The cgroups of groups: where they are, how they are made. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cgroup.h"
#include "cleanup.h"

/* In mountinfo a space is \040 and so on. */
static void unescape(char *text)
{
	unsigned int code;
	char *to = text;

	while (*text) {
		if (*text == '\\' && sscanf(text + 1, "%3o", &code) == 1) {
			*to++ = code;
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* "36 31 0:41 ROOT MOUNT options optional… - TYPE source options" */
static bool is_cgroup2(const char *line, char path[PATH_MAX])
{
	const char *type = strstr(line, " - ");

	if (!type || strncmp(type + 3, "cgroup2 ", 8))
		return false;
	if (sscanf(line, "%*s %*s %*s %*s %4095s", path) != 1)
		return false;
	unescape(path);
	return true;
}

static int find_mount(char path[PATH_MAX], struct error *err)
{
	autofclose FILE *mounts = fopen("/proc/self/mountinfo", "re");
	autofree char *line = NULL;
	size_t room = 0;

	if (!mounts)
		return error_set(err, errno, "/proc/self/mountinfo cannot be read: %s: mount /proc",
				 strerror(errno));
	while (getline(&line, &room, mounts) > 0)
		if (is_cgroup2(line, path))
			return 0;
	return error_set(err, ENOENT, "cgroup v2 is not mounted: mount -t cgroup2 none /sys/fs/cgroup, or boot without systemd.unified_cgroup_hierarchy=0");
}

/* It stays where it is, and who starts a task asks for it several times. */
int cgroup_mount(char path[PATH_MAX], struct error *err)
{
	static char found[PATH_MAX];

	if (!found[0] && find_mount(found, err))
		return -1;
	strcpy(path, found);
	return 0;
}

static bool climbs(const char *cgroup)
{
	const char *part = strstr(cgroup, "/..");

	return part && (!part[3] || part[3] == '/');
}

int cgroup_path(const char *cgroup, char path[PATH_MAX], struct error *err)
{
	char mount[PATH_MAX];

	if (cgroup[0] != '/' || !cgroup[1] || climbs(cgroup))
		return error_set(err, EINVAL, "'%.80s' is no path of a cgroup below the cgroup v2 mount: it begins with / and has a name, like /coppice/web",
				 cgroup);
	if (cgroup_mount(mount, err))
		return -1;
	if (snprintf(path, PATH_MAX, "%s%s", mount, cgroup) >= PATH_MAX)
		return error_set(err, ENAMETOOLONG, "the path of the cgroup %.80s… is too long",
				 cgroup);
	return 0;
}

int cgroup_of(pid_t pid, char path[PATH_MAX], struct error *err)
{
	autofclose FILE *file = NULL;
	char line[PATH_MAX];

	snprintf(line, sizeof(line), "/proc/%d/cgroup", pid);
	file = fopen(line, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "0::", 3))
			return cgroup_path(line + 3, path, err);
	}
	return error_set(err, ESRCH, "process %d has ended", pid);
}

int cgroup_lock(struct error *err)
{
	char path[PATH_MAX];
	int fd;

	if (cgroup_path(CGROUP_PARENT, path, err))
		return -1;
	if (mkdir(path, 0755) && errno != EEXIST)
		return error_set(err, errno, "the cgroup %s cannot be made: %s: run as root",
				 path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX)) {
		error_set(err, errno, "the cgroup %s cannot be locked: %s", path, strerror(errno));
		cleanup_close(&fd);
		return -1;
	}
	return fd;
}

/* All of them, in words; they are what they are from the boot on. */
static const char *controllers(void)
{
	static char found[256];
	static bool known;	/* there may be none */
	char path[PATH_MAX];
	struct error ignored;
	autoclose int fd = -1;
	ssize_t len;

	if (known || cgroup_mount(path, &ignored))
		return found;
	strncat(path, "/cgroup.controllers", sizeof(path) - strlen(path) - 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, found, sizeof(found) - 1);
	known = len >= 0;
	found[len > 0 ? len : 0] = '\0';
	return found;
}

bool cgroup_has_controller(const char *name)
{
	const char *at = controllers();
	size_t len = strlen(name), word;

	for (; *at; at += word + strspn(at + word, " \n")) {
		word = strcspn(at, " \n");
		if (word == len && !strncmp(at, name, len))
			return true;
	}
	return false;
}

static int write_file(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	autoclose int fd = -1;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	return write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

/* In every cgroup from the mount down to the parent of @path. */
static int enable(const char *path, const char *controller, struct error *err)
{
	char mount[PATH_MAX], dir[PATH_MAX], text[32];
	char *slash;

	if (cgroup_mount(mount, err))
		return -1;
	snprintf(text, sizeof(text), "+%s", controller);
	snprintf(dir, sizeof(dir), "%s", path);
	for (slash = dir + strlen(mount); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (write_file(dir, "cgroup.subtree_control", text))
			return error_set(err, errno, "the %s controller cannot be enabled in %s: %s: a cgroup with processes of its own can have none below",
					 controller, dir, strerror(errno));
		*slash = '/';
	}
	return 0;
}

static int set_limit(const char *path, const char *controller, uint64_t limit,
		     struct error *err)
{
	char file[32], text[32];

	if (!limit)
		return 0;
	if (!cgroup_has_controller(controller))
		return error_set(err, EOPNOTSUPP, "this hub's cgroup v2 has no %s controller (cgroup v1 may have it): leave --%s-max out, or boot with systemd.unified_cgroup_hierarchy=1 cgroup_enable=%s",
				 controller, controller, controller);
	snprintf(file, sizeof(file), "%s.max", controller);
	snprintf(text, sizeof(text), "%" PRIu64, limit);
	/* To enable what is enabled already takes the kernel through all cgroups there are. */
	if (!write_file(path, file, text))
		return 0;
	if (errno == ENOENT && enable(path, controller, err))
		return -1;
	if (write_file(path, file, text))
		return error_set(err, errno, "%s/%s cannot be set to %s: %s", path, file, text,
				 strerror(errno));
	return 0;
}

/* mkdir -p, but for the mount itself. */
static int make_dirs(char *path, const char *mount, bool *made, struct error *err)
{
	char *slash = path + strlen(mount);

	do {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		*made = !mkdir(path, 0755);
		if (!*made && errno != EEXIST)
			return error_set(err, errno, "the cgroup %s cannot be made: %s: run as root",
					 path, strerror(errno));
		if (slash)
			*slash = '/';
	} while (slash);
	return 0;
}

int cgroup_make(const char *cgroup, const struct cgroup_limits *limits, bool *made,
		struct error *err)
{
	char path[PATH_MAX], mount[PATH_MAX];

	if (cgroup_path(cgroup, path, err) || cgroup_mount(mount, err) ||
	    make_dirs(path, mount, made, err))
		return -1;
	if (!set_limit(path, "memory", limits->memory_max, err) &&
	    !set_limit(path, "pids", limits->pids_max, err))
		return 0;
	if (*made)
		rmdir(path);
	return -1;
}

int cgroup_open(const char *cgroup, struct error *err)
{
	char path[PATH_MAX];
	int fd;

	if (cgroup_path(cgroup, path, err))
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, errno, "the cgroup %s cannot be opened: %s: delete its group and add it again",
				 path, strerror(errno));
	return fd;
}
