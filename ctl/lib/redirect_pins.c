// SPDX-License-Identifier: GPL-2.0
/*
 * The directory of pins in bpffs: what is there is the whole state of redirection.
 *
 * Controllers serialise on a flock() of the directory itself, which the kernel
 * drops when its holder dies. The directory is never removed, so that the lock
 * cannot be taken on one that somebody else has just replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "cleanup.h"
#include "redirect_pins.h"

const char *const pin_map_names[NR_PIN_MAPS] = {
	[MAP_RULES] = "rules",
	[MAP_RULES_0] = "rules_0",
	[MAP_RULES_1] = "rules_1",
	[MAP_EXACT] = "exact",
	[MAP_ACTIVE] = "active",
	[MAP_PORTS] = "ports",
	[MAP_OVERRIDES] = "overrides",
	[MAP_HANDLERS] = "handlers",
	[MAP_PATHS] = "paths",
	[MAP_NAMES] = "names",
	[MAP_LABELS] = "labels",
	[MAP_STATS] = "stats",
	[MAP_GROUPS] = "groups",
	[MAP_CGROUPS] = "cgroups",
	[MAP_ORIGIN] = "origin",
	[MAP_ORIGIN_KEPT] = "origin_kept",
	[MAP_UNIX_ORIGIN] = "unix_origin",
	[MAP_FLOWS] = "udp_reverse",
	[MAP_EVENTS] = "events",
};

/* What this controller reads and writes: the kernel copies as much as the map says. */
static const struct {
	size_t key, value;
} pin_map_sizes[NR_PIN_MAPS] = {
	[MAP_RULES] = { sizeof(__u32), sizeof(__u32) },
	[MAP_RULES_0] = { sizeof(struct rule_key), sizeof(struct rule_value) },
	[MAP_RULES_1] = { sizeof(struct rule_key), sizeof(struct rule_value) },
	[MAP_EXACT] = { sizeof(struct exact_key), sizeof(struct rule_value) },
	[MAP_ACTIVE] = { sizeof(__u32), sizeof(struct active_value) },
	[MAP_PORTS] = { sizeof(__u32), sizeof(struct ports_value) },
	[MAP_OVERRIDES] = { sizeof(__u32), sizeof(struct override_value) },
	[MAP_HANDLERS] = { sizeof(__u32), sizeof(struct handler_value) },
	[MAP_PATHS] = { sizeof(__u32), sizeof(struct path_value) },
	[MAP_NAMES] = { sizeof(struct name_key), sizeof(struct name_value) },
	[MAP_LABELS] = { sizeof(__u32), sizeof(struct label_value) },
	[MAP_STATS] = { sizeof(__u32), sizeof(struct stats_value) },
	[MAP_GROUPS] = { sizeof(__u32), sizeof(struct group_value) },
	[MAP_CGROUPS] = { sizeof(__u64), sizeof(struct cgroup_value) },
	[MAP_ORIGIN] = { sizeof(__u32), sizeof(struct origin_value) },
	[MAP_ORIGIN_KEPT] = { sizeof(int), sizeof(struct origin_value) },
	[MAP_UNIX_ORIGIN] = { sizeof(int), sizeof(struct unix_origin_value) },
	[MAP_FLOWS] = { sizeof(struct flow_key), sizeof(struct flow_value) },
	[MAP_EVENTS] = { 0, 0 },
};

void redirect_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool is_bpffs(void)
{
	struct statfs fs;

	return !statfs(BPFFS, &fs) && (__u32)fs.f_type == BPF_FS_MAGIC;
}

/*
 * Under a lock of the directory that is mounted upon: a second bpffs mounted over
 * the first would hide the pins of whoever was faster.
 */
static int mount_bpffs(struct error *err)
{
	cleanup_fd int lock = -1;

	if (is_bpffs())
		return 0;
	lock = open(BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0)
		return error_set(err, errno, "%s cannot be opened: %s: redirects need root and a kernel with CONFIG_BPF_SYSCALL and sysfs mounted",
				 BPFFS, strerror(errno));
	if (flock(lock, LOCK_EX))
		return error_set(err, errno, "%s cannot be locked: %s", BPFFS, strerror(errno));
	if (is_bpffs())
		return 0;
	if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700"))
		return error_set(err, errno, "bpffs cannot be mounted at %s: %s: mount it there in the hub's own mount namespace, redirects are kept in it",
				 BPFFS, strerror(errno));
	return 0;
}

static int make_dir(const char *path, struct error *err)
{
	if (!mkdir(path, 0700) || errno == EEXIST)
		return 0;
	return error_set(err, errno, "%s cannot be made: %s: redirects need root",
			 path, strerror(errno));
}

/* Under the lock: a last detach takes them away again. */
static int make_subdirs(struct error *err)
{
	return make_dir(PIN_MAPS, err) ? -1 : make_dir(PIN_GROUPS, err);
}

static int lock_dir(struct pins *pins, enum pins_mode mode, struct error *err)
{
	pins->lock = open(PIN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pins->lock < 0 && errno == ENOENT && mode != PINS_CREATE)
		return 0;
	if (pins->lock < 0)
		return error_set(err, errno, "%s cannot be opened: %s: redirects need root",
				 PIN_DIR, strerror(errno));
	if (flock(pins->lock, mode == PINS_READ ? LOCK_SH : LOCK_EX))
		return error_set(err, errno, "%s cannot be locked: %s", PIN_DIR, strerror(errno));
	return 0;
}

static int check_layout(enum pin_map map, int fd, struct error *err)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (!bpf_obj_get_info_by_fd(fd, &info, &len) &&
	    info.key_size == pin_map_sizes[map].key &&
	    info.value_size == pin_map_sizes[map].value)
		return 0;
	return error_set(err, EPROTO, "%s/%s was made by another version of Coppice: delete all groups with that one, or remove %s, then add them again",
			 PIN_MAPS, pin_map_names[map], PIN_DIR);
}

static void close_maps(struct pins *pins)
{
	int i;

	for (i = 0; i < NR_PIN_MAPS; i++)
		redirect_close_fd(&pins->map[i]);
	pins->ready = false;
}

static int open_map(struct pins *pins, enum pin_map map, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", PIN_MAPS, pin_map_names[map]);
	pins->map[map] = bpf_obj_get(path);
	if (pins->map[map] >= 0)
		return check_layout(map, pins->map[map], err);
	if (errno == ENOENT)
		return 0;
	return error_set(err, errno, "%s cannot be opened: %s: redirects need root",
			 path, strerror(errno));
}

/*
 * All or none: an attach that was killed while it made the maps leaves some. No
 * group exists then, and the next attach makes the others.
 */
int pins_open_maps(struct pins *pins, struct error *err)
{
	int i;

	close_maps(pins);
	for (i = 0; i < NR_PIN_MAPS; i++) {
		if (open_map(pins, i, err))
			return -1;
		if (pins->map[i] >= 0)
			continue;
		close_maps(pins);
		return 0;
	}
	pins->ready = true;
	return 0;
}

int pins_open(struct pins *pins, enum pins_mode mode, struct error *err)
{
	*pins = (struct pins)PINS_CLOSED;
	if (mode == PINS_CREATE && (mount_bpffs(err) || make_dir(PIN_DIR, err)))
		return -1;
	if (lock_dir(pins, mode, err))
		return -1;
	if (mode == PINS_CREATE && make_subdirs(err))
		return -1;
	return pins->lock < 0 ? 0 : pins_open_maps(pins, err);
}

void pins_close(struct pins *pins)
{
	close_maps(pins);
	redirect_close_fd(&pins->lock);
}

static int refuse_read(enum pin_map map, struct error *err)
{
	return error_set(err, errno, "%s/%s cannot be read: %s", PIN_MAPS, pin_map_names[map],
			 strerror(errno));
}

int pins_read_array(const struct pins *pins, enum pin_map map, void *values, __u32 nr,
		    struct error *err)
{
	autofree __u32 *keys = calloc(nr, sizeof(*keys));
	__u32 next;

	if (!keys)
		return error_set(err, ENOMEM, "out of memory");
	if (bpf_map_lookup_batch(pins->map[map], NULL, &next, keys, values, &nr, NULL) &&
	    errno != ENOENT)
		return refuse_read(map, err);
	return 0;
}

#define ORIGINS_SIZE	(REDIRECT_ORIGINS_MAX * sizeof(struct origin_value))

struct origin_value *pins_map_origins(const struct pins *pins, struct error *err)
{
	void *origins = mmap(NULL, ORIGINS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			     pins->map[MAP_ORIGIN], 0);

	if (origins != MAP_FAILED)
		return origins;
	(void)!refuse_read(MAP_ORIGIN, err);
	return NULL;
}

void redirect_unmap_origins(struct origin_value **origins)
{
	if (*origins)
		munmap(*origins, ORIGINS_SIZE);
}

void pins_prune(void)
{
	char path[PATH_MAX];
	int i;

	for (i = 0; i < NR_PIN_MAPS; i++) {
		snprintf(path, sizeof(path), "%s/%s", PIN_MAPS, pin_map_names[i]);
		unlink(path);
	}
	rmdir(PIN_MAPS);
	rmdir(PIN_GROUPS);
}

/* bpffs reserves names with a dot, which names of groups may have. */
void pins_encode(const char *directory, const char *group, char path[PATH_MAX])
{
	char *to = path + snprintf(path, PATH_MAX, "%s/", directory);

	for (; *group; group++) {
		if (*group == '.')
			to = stpcpy(to, "%2e");
		else
			*to++ = *group;
	}
	*to = '\0';
}

void pins_group_path(const char *group, char path[PATH_MAX])
{
	pins_encode(PIN_GROUPS, group, path);
}
