// SPDX-License-Identifier: GPL-2.0
/* What attaches the programs to one cgroup: a link a hook, pinned. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "redirect_groups.h"
#include "redirect_links.h"

static void link_path(const char *place, enum hook_number hook, char path[PATH_MAX])
{
	pins_group_path(place, path);
	strcat(strcat(path, "/"), hook_table[hook].pin);
}

__u32 links_program(const struct target *target, enum hook_number hook)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	cleanup_fd int link = -1;
	char path[PATH_MAX];

	link_path(target->place, hook, path);
	link = bpf_obj_get(path);
	if (link < 0 || bpf_obj_get_info_by_fd(link, &info, &len))
		return 0;
	/* The kernel clears the id when the cgroup goes. */
	if (info.type != BPF_LINK_TYPE_CGROUP ||
	    info.cgroup.attach_type != hook_table[hook].type ||
	    info.cgroup.cgroup_id != target->cgroup_id)
		return 0;
	return info.prog_id;
}

static bool is_effective(const struct target *target, enum hook_number hook, __u32 program)
{
	__u32 programs[EFFECTIVE_MAX], nr = EFFECTIVE_MAX, i;

	if (!program || bpf_prog_query(target->cgroup, hook_table[hook].type,
				       BPF_F_QUERY_EFFECTIVE, NULL, programs, &nr))
		return false;
	for (i = 0; i < nr; i++)
		if (programs[i] == program)
			return true;
	return false;
}

bool links_attached(const struct pins *pins, const struct target *target)
{
	struct cgroup_value value;
	int nr = redirect_nr_hooks(), hook;

	if (!target->number ||
	    bpf_map_lookup_elem(pins->map[MAP_CGROUPS], &target->cgroup_id, &value) ||
	    value.group != target->number)
		return false;
	for (hook = 0; hook < nr; hook++)
		if (!is_effective(target, hook, links_program(target, hook)))
			return false;
	return true;
}

/* Detach explicitly: unpinning alone would wait for others that hold the link. */
static void remove_link(const char *place, enum hook_number hook)
{
	cleanup_fd int link = -1;
	char path[PATH_MAX];

	link_path(place, hook, path);
	link = bpf_obj_get(path);
	if (link >= 0)
		(void)!bpf_link_detach(link);
	unlink(path);
}

static int make_link(const struct target *target, enum hook_number hook, int program,
		     struct error *err)
{
	cleanup_fd int link = -1;
	char path[PATH_MAX];

	if (is_effective(target, hook, links_program(target, hook)))
		return 0;
	remove_link(target->place, hook);
	link = bpf_link_create(program, target->cgroup, hook_table[hook].type, NULL);
	if (link < 0 && errno == EPERM)
		return error_set(err, EPERM, "the %s program cannot be attached to the cgroup of group %s: the caller lacks CAP_NET_ADMIN, or a cgroup above has a program that admits no others: detach that one (see bpftool cgroup tree)",
				 hook_table[hook].pin, target->group);
	if (link < 0)
		return error_set(err, errno, "the %s program cannot be attached to the cgroup of group %s: %s",
				 hook_table[hook].pin, target->group, strerror(errno));
	link_path(target->place, hook, path);
	if (bpf_obj_pin(link, path))
		return error_set(err, errno, "%s cannot be pinned: %s", path, strerror(errno));
	return 0;
}

static int make_place(const char *place, struct error *err)
{
	char path[PATH_MAX];

	pins_group_path(place, path);
	if (!mkdir(path, 0700) || errno == EEXIST)
		return 0;
	return error_set(err, errno, "%s cannot be made: %s", path, strerror(errno));
}

int links_make(const struct pins *pins, const struct target *target,
	       const struct programs *programs, struct error *err)
{
	int nr = redirect_nr_hooks(), hook;

	if (make_place(target->place, err))
		return -1;
	for (hook = 0; hook < nr; hook++) {
		if (make_link(target, hook, programs_fd(programs, hook), err))
			return -1;
		if (hook == HOOK_CONN4 && groups_set_cgroup(pins, target->cgroup_id, target->number))
			return error_set(err, errno, "the programs of group %s cannot be told its number: %s",
					 target->group, strerror(errno));
	}
	return 0;
}

void links_remove(const char *place)
{
	char path[PATH_MAX];
	int hook;

	/* Connects first: nobody is then redirected and shown the handler. */
	for (hook = NR_HOOKS - 1; hook >= 0; hook--)
		remove_link(place, hook);
	pins_group_path(place, path);
	rmdir(path);
}

bool links_pinned(const char *place)
{
	char path[PATH_MAX];

	link_path(place, HOOK_CONN4, path);
	return !access(path, F_OK);
}

bool links_gone(const char *place)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	cleanup_fd int link = -1;
	char path[PATH_MAX];

	link_path(place, HOOK_CONN4, path);
	link = bpf_obj_get(path);
	/* The kernel clears the id when the cgroup goes. */
	return link < 0 || bpf_obj_get_info_by_fd(link, &info, &len) || !info.cgroup.cgroup_id;
}
