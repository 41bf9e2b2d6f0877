// SPDX-License-Identifier: GPL-2.0
/* Devices of groups. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cleanup.h"
#include "coppice/devices.h"
#include "device_grants.h"
#include "devices.skel.h"
#include "enclosure.h"
#include "redirect_pins.h"

#define PIN_DEVICES	PIN_DIR "/devices"

/* What is to be in the map. */
struct list {
	struct device_key keys[DEVICES_MAX];
	__u32 access[DEVICES_MAX];
	size_t nr;
};

_Static_assert(GRANTS_MAX + 16 <= DEVICES_MAX, "all devices fit the map");

static void make_path(const char *group, const char *file, char path[PATH_MAX])
{
	pins_encode(PIN_DEVICES, group, path);
	if (file)
		strcat(strcat(path, "/"), file);
}

/* A device under two names has the rights of both. */
static void add(struct list *list, const struct stat *st, __u32 access)
{
	const struct device_key key = {
		.type = S_ISBLK(st->st_mode) ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR,
		.major = major(st->st_rdev), .minor = minor(st->st_rdev),
	};
	size_t i;

	for (i = 0; i < list->nr && memcmp(&list->keys[i], &key, sizeof(key)); i++)
		;
	if (i == list->nr)
		list->keys[list->nr++] = key;
	list->access[i] |= access;
}

static int add_grant(struct list *list, const struct grant *grant, struct error *err)
{
	struct stat st;

	if (enclosure_stat_source(grant, &st, err))
		return -1;
	add(list, &st, (grant->rights & GRANT_READ ? BPF_DEVCG_ACC_READ : 0) |
		       (grant->rights & GRANT_WRITE ? BPF_DEVCG_ACC_WRITE : 0));
	return 0;
}

static int make_list(const struct grants *grants, struct list *list, struct error *err)
{
	const char *const *device;
	struct stat st;
	size_t i;

	for (device = enclosure_devices; *device; device++)
		if (!stat(*device, &st) && S_ISCHR(st.st_mode))
			add(list, &st, BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE);
	for (i = 0; i < grants->nr; i++)
		if (grants->list[i].kind == GRANT_DEVICE && add_grant(list, &grants->list[i], err))
			return -1;
	return 0;
}

static bool is_listed(const struct list *list, const struct device_key *key)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		if (!memcmp(&list->keys[i], key, sizeof(*key)))
			return true;
	return false;
}

/* What is taken away goes first. */
static int fill(int map, const struct list *list, struct error *err)
{
	struct device_key key, next;
	bool more = !bpf_map_get_next_key(map, NULL, &next);
	size_t i;

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		if (!is_listed(list, &key))
			(void)!bpf_map_delete_elem(map, &key);
	}
	for (i = 0; i < list->nr; i++)
		if (bpf_map_update_elem(map, &list->keys[i], &list->access[i], BPF_ANY))
			return error_set(err, errno, "the devices of the group cannot be noted: %s", strerror(errno));
	return 0;
}

/* libbpf explains on stderr; our callers get one sentence instead. */
static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int pin(int fd, const char *group, const char *file, struct error *err)
{
	char path[PATH_MAX];

	make_path(group, file, path);
	unlink(path);
	return bpf_obj_pin(fd, path) ? error_set(err, errno, "%s cannot be pinned: %s", path, strerror(errno)) : 0;
}

static int make_directories(const char *group, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	char path[PATH_MAX];

	make_path(group, NULL, path);
	if (pins_open(&pins, PINS_CREATE, err))
		return -1;
	if ((mkdir(PIN_DEVICES, 0700) && errno != EEXIST) || (mkdir(path, 0700) && errno != EEXIST))
		return error_set(err, errno, "%s cannot be made: %s: run as root", path, strerror(errno));
	return 0;
}

/* The map is full before the program is attached, and its pin is last: it says that all is there. */
static int attach(const char *group, int cgroup, const struct list *list,
		  const struct devices_bpf *programs, struct error *err)
{
	int map = bpf_map__fd(programs->maps.devices);
	autoclose int link = -1;

	if (fill(map, list, err) || pin(map, group, "allowed", err))
		return -1;
	link = bpf_link_create(bpf_program__fd(programs->progs.coppice_device), cgroup,
			       BPF_CGROUP_DEVICE, NULL);
	if (link < 0)
		return error_set(err, errno, "the devices of group %s cannot be restricted in its cgroup: %s",
				 group, strerror(errno));
	return pin(link, group, "program", err);
}

static int load_and_attach(const char *group, int cgroup, const struct list *list,
			   struct error *err)
{
	struct devices_bpf *programs;
	int ret;

	libbpf_set_print(quiet);
	programs = devices_bpf__open_and_load();
	if (!programs)
		return error_set(err, errno, "the program that restricts devices cannot be loaded: %s: it needs root and a kernel with CONFIG_CGROUP_BPF",
				 strerror(errno));
	ret = attach(group, cgroup, list, programs, err);
	devices_bpf__destroy(programs);
	return ret;
}

/* The pinned map of a program that is attached where it should be, or -1. */
static int attached_map(const char *group)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	autoclose int link = -1;
	char path[PATH_MAX];

	make_path(group, "program", path);
	link = bpf_obj_get(path);
	/* The kernel clears the id when the cgroup goes. */
	if (link < 0 || bpf_obj_get_info_by_fd(link, &info, &len) || !info.cgroup.cgroup_id)
		return -1;
	make_path(group, "allowed", path);
	return bpf_obj_get(path);
}

bool device_grants_attached(const char *group)
{
	autoclose int map = attached_map(group);

	return map >= 0;
}

int device_grants_set(const char *group, const char *path, const struct grants *grants,
		struct error *err)
{
	autofree struct list *list = calloc(1, sizeof(*list));
	autoclose int cgroup = -1;
	autoclose int map = -1;

	if (!list)
		return error_set(err, ENOMEM, "out of memory");
	if (make_list(grants, list, err))
		return -1;
	map = attached_map(group);
	if (map >= 0)
		return fill(map, list, err);
	cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		return error_set(err, errno, "the cgroup %.200s cannot be opened: %s", path, strerror(errno));
	return make_directories(group, err) ? -1 : load_and_attach(group, cgroup, list, err);
}

/* Detach explicitly: unpinning alone would wait for others that hold the link. */
int device_grants_forget(const char *group, struct error *err)
{
	char path[PATH_MAX];
	autoclose int link = -1;

	make_path(group, "program", path);
	link = bpf_obj_get(path);
	if (link >= 0)
		(void)!bpf_link_detach(link);
	unlink(path);
	make_path(group, "allowed", path);
	unlink(path);
	make_path(group, NULL, path);
	if (rmdir(path) && errno != ENOENT)
		return error_set(err, errno, "%s cannot be removed: %s", path, strerror(errno));
	return 0;
}
