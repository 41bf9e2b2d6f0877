// SPDX-License-Identifier: GPL-2.0
/*
 * Attaching the redirect programs to the cgroups of groups.
 *
 * Every operation holds the lock of the pins and may be killed anywhere in it. What
 * makes that harmless is the order: a group is entered in "groups" before it has
 * anything else, and leaves it last, so that a half-made one can be listed,
 * completed by the next attach and removed by a detach.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cleanup.h"
#include "redirect.h"
#include "redirect_pins.h"
#include "redirect_table.h"
#include "redirect.skel.h"
#include "redirect_unix.skel.h"

#define EFFECTIVE_MAX	256	/* programs of one type that a cgroup can have: 64 a level */

/*
 * The storage that tells the group to the programs of the ways out is made when the first
 * one is attached. What shows tasks the endpoint comes before, so that nothing is
 * redirected whose task would then be shown the handler.
 */
enum hook {
	HOOK_RELEASE, HOOK_PEER4, HOOK_PEER6, HOOK_RECV4, HOOK_RECV6,
	HOOK_CONN4, HOOK_CONN6, HOOK_SEND4, HOOK_SEND6,
	HOOK_RECV_UNIX, HOOK_CONN_UNIX, HOOK_SEND_UNIX,
	NR_HOOKS
};

#define FIRST_UNIX	HOOK_RECV_UNIX

/* Newer than the headers of Debian 12: enum bpf_attach_type of Linux 6.7. */
#define CGROUP_UNIX_CONNECT	((enum bpf_attach_type)49)
#define CGROUP_UNIX_SENDMSG	((enum bpf_attach_type)50)
#define CGROUP_UNIX_RECVMSG	((enum bpf_attach_type)51)

static const struct {
	const char *pin;
	enum bpf_attach_type type;
	const char *program;
} hooks[NR_HOOKS] = {
	[HOOK_RELEASE] = { "sock_release", BPF_CGROUP_INET_SOCK_RELEASE, "coppice_release" },
	[HOOK_PEER4] = { "getpeername4", BPF_CGROUP_INET4_GETPEERNAME, "coppice_peer4" },
	[HOOK_PEER6] = { "getpeername6", BPF_CGROUP_INET6_GETPEERNAME, "coppice_peer6" },
	[HOOK_RECV4] = { "recvmsg4", BPF_CGROUP_UDP4_RECVMSG, "coppice_recv4" },
	[HOOK_RECV6] = { "recvmsg6", BPF_CGROUP_UDP6_RECVMSG, "coppice_recv6" },
	[HOOK_CONN4] = { "connect4", BPF_CGROUP_INET4_CONNECT, "coppice_conn4" },
	[HOOK_CONN6] = { "connect6", BPF_CGROUP_INET6_CONNECT, "coppice_conn6" },
	[HOOK_SEND4] = { "sendmsg4", BPF_CGROUP_UDP4_SENDMSG, "coppice_send4" },
	[HOOK_SEND6] = { "sendmsg6", BPF_CGROUP_UDP6_SENDMSG, "coppice_send6" },
	[HOOK_RECV_UNIX] = { "recvmsg_unix", CGROUP_UNIX_RECVMSG, "coppice_recvun" },
	[HOOK_CONN_UNIX] = { "connect_unix", CGROUP_UNIX_CONNECT, "coppice_connun" },
	[HOOK_SEND_UNIX] = { "sendmsg_unix", CGROUP_UNIX_SENDMSG, "coppice_sendun" },
};

/*
 * A kernel that does not know the type says so before it looks at the descriptor. The
 * programs also need its BTF.
 */
bool redirect_has_unix(void)
{
	__u32 nr = 0;

	return bpf_prog_query(-1, CGROUP_UNIX_CONNECT, 0, NULL, NULL, &nr) && errno == EBADF &&
	       !access("/sys/kernel/btf/vmlinux", R_OK);
}

static int nr_hooks(void)
{
	return redirect_has_unix() ? NR_HOOKS : FIRST_UNIX;
}

/* What an operation on one group works with. */
struct target {
	const char *group;
	const char *place;	/* of its links below PIN_GROUPS: the group, or GROUP@CONTAINER */
	__u32 number;		/* 0: not in "groups" */
	int cgroup;		/* descriptor, or -1 */
	__u64 cgroup_id;
};

int redirect_check_group(const char *group, struct error *err)
{
	size_t len = strlen(group), i;

	if (!strcmp(group, REDIRECT_HUB_NAME))
		return 0;
	if (!len || len >= REDIRECT_GROUP_NAME || group[0] == '.' || group[0] == '-')
		return error_set(err, EINVAL, "'%.80s' cannot name a group: use 1 to %d letters, digits, '.', '_' and '-', beginning with a letter, digit or '_'",
				 group, REDIRECT_GROUP_NAME - 1);
	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)group[i]) && !strchr("._-", group[i]))
			return error_set(err, EINVAL, "'%.80s' cannot name a group: '%c' is not a letter, digit, '.', '_' or '-'",
					 group, group[i]);
	return 0;
}

static int cgroup_id(int fd, __u64 *id)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + sizeof(*id)];
	} u = { .handle.handle_bytes = sizeof(*id) };
	int mount;

	if (name_to_handle_at(fd, "", &u.handle, &mount, AT_EMPTY_PATH))
		return -1;
	memcpy(id, u.handle.f_handle, sizeof(*id));
	return 0;
}

static int open_cgroup(struct target *target, const char *path, struct error *err)
{
	struct statfs fs;

	target->cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target->cgroup < 0)
		return error_set(err, errno, "the cgroup %s of group %s cannot be opened: %s",
				 path, target->group, strerror(errno));
	if (fstatfs(target->cgroup, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC)
		return error_set(err, EINVAL, "%s is no directory of the cgroup v2 file system: redirects need one for the group's tasks",
				 path);
	/* Only the root lacks this file. Attached there, the handlers would be redirected too. */
	if (faccessat(target->cgroup, "cgroup.type", F_OK, 0))
		return error_set(err, EINVAL, "%s is the root of the cgroups: give the group a cgroup of its own",
				 path);
	if (cgroup_id(target->cgroup, &target->cgroup_id))
		return error_set(err, errno, "the id of the cgroup %s cannot be read: %s",
				 path, strerror(errno));
	return 0;
}

/*
 * Groups: number ↔ name.
 */

/* The next group after @number (0: the first); false at the end. */
static bool next_group(const struct pins *pins, __u32 *number, struct group_value *value)
{
	int groups = pins->map[MAP_GROUPS];

	while (!bpf_map_get_next_key(groups, *number ? number : NULL, number))
		if (!bpf_map_lookup_elem(groups, number, value))
			return true;
	return false;
}

__u32 redirect_find_group(const struct pins *pins, const char *group)
{
	struct group_value value;
	__u32 number = 0;

	while (next_group(pins, &number, &value))
		if (!strncmp(value.name, group, sizeof(value.name)))
			return number;
	return 0;
}

bool redirect_group_number(const struct pins *pins, const char *group, __u32 *number)
{
	if (!strcmp(group, REDIRECT_HUB_NAME)) {
		*number = REDIRECT_HUB;
		return true;
	}
	*number = redirect_find_group(pins, group);
	return *number;
}

static bool is_of_hub(const struct rule_set *set)
{
	size_t i;

	for (i = 0; i < set->nr; i++)
		if (set->entries[i].key.group == REDIRECT_HUB)
			return true;
	return false;
}

/* Is there anything that the maps are needed for? */
static bool is_in_use(const struct pins *pins)
{
	cleanup_rules struct rule_set set = {};
	struct error ignored;
	__u32 number;

	if (!bpf_map_get_next_key(pins->map[MAP_GROUPS], NULL, &number))
		return true;
	return rules_read(pins, &set, &ignored) || is_of_hub(&set);
}

static __u32 free_number(const struct pins *pins)
{
	struct group_value value;
	__u32 number = 1;

	while (number <= REDIRECT_GROUPS_MAX &&
	       !bpf_map_lookup_elem(pins->map[MAP_GROUPS], &number, &value))
		number++;
	return number;
}

/* What the programs attached to cgroup @id take as their group; it must be attached. */
static int set_cgroup(const struct pins *pins, __u64 id, __u32 number)
{
	struct cgroup_value value = { .group = number };

	return bpf_map_update_elem(pins->map[MAP_CGROUPS], &id, &value, BPF_EXIST);
}

/* Enter the group, or the new cgroup of one that is there. */
static int enter_group(const struct pins *pins, struct target *target, struct error *err)
{
	struct group_value value = {};

	if (!target->number)
		target->number = free_number(pins);
	else if (!bpf_map_lookup_elem(pins->map[MAP_GROUPS], &target->number, &value) &&
		 value.cgroup != target->cgroup_id)
		(void)!set_cgroup(pins, value.cgroup, 0);	/* likely gone */
	value = (struct group_value){ .cgroup = target->cgroup_id };
	snprintf(value.name, sizeof(value.name), "%s", target->group);
	if (!bpf_map_update_elem(pins->map[MAP_GROUPS], &target->number, &value, BPF_ANY))
		return 0;
	if (errno == E2BIG)
		return error_set(err, ENOSPC, "all %d groups that can have overrides are in use: delete one first",
				 REDIRECT_GROUPS_MAX);
	return error_set(err, errno, "group %s cannot be entered in %s/groups: %s",
			 target->group, PIN_MAPS, strerror(errno));
}

/*
 * Links: one a hook, pinned.
 */

static void link_path(const char *place, enum hook hook, char path[PATH_MAX])
{
	pins_group_path(place, path);
	strcat(strcat(path, "/"), hooks[hook].pin);
}

/* The program of a pinned link if it is attached where it should be, else 0. */
static __u32 linked_program(const struct target *target, enum hook hook)
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
	if (info.type != BPF_LINK_TYPE_CGROUP || info.cgroup.attach_type != hooks[hook].type ||
	    info.cgroup.cgroup_id != target->cgroup_id)
		return 0;
	return info.prog_id;
}

static bool is_effective(const struct target *target, enum hook hook, __u32 program)
{
	__u32 programs[EFFECTIVE_MAX], nr = EFFECTIVE_MAX, i;

	if (!program || bpf_prog_query(target->cgroup, hooks[hook].type,
				       BPF_F_QUERY_EFFECTIVE, NULL, programs, &nr))
		return false;
	for (i = 0; i < nr; i++)
		if (programs[i] == program)
			return true;
	return false;
}

static bool is_attached(const struct pins *pins, const struct target *target)
{
	struct cgroup_value value;
	int nr = nr_hooks(), hook;

	if (!target->number ||
	    bpf_map_lookup_elem(pins->map[MAP_CGROUPS], &target->cgroup_id, &value) ||
	    value.group != target->number)
		return false;
	for (hook = 0; hook < nr; hook++)
		if (!is_effective(target, hook, linked_program(target, hook)))
			return false;
	return true;
}

/* Detach explicitly: unpinning alone would wait for others that hold the link. */
static void remove_link(const char *place, enum hook hook)
{
	cleanup_fd int link = -1;
	char path[PATH_MAX];

	link_path(place, hook, path);
	link = bpf_obj_get(path);
	if (link >= 0)
		(void)!bpf_link_detach(link);
	unlink(path);
}

static int make_link(const struct target *target, enum hook hook, int program,
		     struct error *err)
{
	cleanup_fd int link = -1;
	char path[PATH_MAX];

	if (is_effective(target, hook, linked_program(target, hook)))
		return 0;
	remove_link(target->place, hook);
	link = bpf_link_create(program, target->cgroup, hooks[hook].type, NULL);
	if (link < 0 && errno == EPERM)
		return error_set(err, EPERM, "the %s program cannot be attached to the cgroup of group %s: the caller lacks CAP_NET_ADMIN, or a cgroup above has a program that admits no others: detach that one (see bpftool cgroup tree)",
				 hooks[hook].pin, target->group);
	if (link < 0)
		return error_set(err, errno, "the %s program cannot be attached to the cgroup of group %s: %s",
				 hooks[hook].pin, target->group, strerror(errno));
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

/* The loaded programs: the second object only where the kernel can load it. */
struct programs {
	struct redirect_bpf *inet;
	struct redirect_unix_bpf *unix_;
};

static int make_links(const struct pins *pins, const struct target *target,
		      const struct programs *programs, struct error *err)
{
	const struct bpf_program *program;
	const struct bpf_object *object;
	int hook;

	if (make_place(target->place, err))
		return -1;
	for (hook = 0; hook < (programs->unix_ ? NR_HOOKS : FIRST_UNIX); hook++) {
		object = hook < FIRST_UNIX ? programs->inet->obj : programs->unix_->obj;
		program = bpf_object__find_program_by_name(object, hooks[hook].program);
		if (make_link(target, hook, bpf_program__fd(program), err))
			return -1;
		if (hook == HOOK_CONN4 && set_cgroup(pins, target->cgroup_id, target->number))
			return error_set(err, errno, "the programs of group %s cannot be told its number: %s",
					 target->group, strerror(errno));
	}
	return 0;
}

static void remove_links(const char *place)
{
	char path[PATH_MAX];
	int hook;

	/* Connects first: nobody is then redirected and shown the handler. */
	for (hook = NR_HOOKS - 1; hook >= 0; hook--)
		remove_link(place, hook);
	pins_group_path(place, path);
	rmdir(path);
}

/*
 * Containers: cgroups that are somewhere else, with links of their own to the group's programs.
 */

static bool is_gone(const char *place)
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

/* Of the group: all, or those whose cgroup has gone without that anybody told. */
static void remove_containers(const char *group, bool all)
{
	char prefix[PATH_MAX], place[PATH_MAX];
	autoclosedir DIR *list = opendir(PIN_GROUPS);
	struct dirent *entry;
	size_t len;

	pins_group_path(group, prefix);
	len = strlen(strcat(prefix, "@")) - strlen(PIN_GROUPS "/");
	while (list && (entry = readdir(list))) {
		if (strncmp(entry->d_name, prefix + strlen(PIN_GROUPS "/"), len))
			continue;
		/* What is encoded once is not encoded again: it has no dots. */
		snprintf(place, sizeof(place), "%s", entry->d_name);
		if (all || is_gone(place))
			remove_links(place);
	}
}

/*
 * Loading.
 */

/* libbpf explains on stderr; our callers get one sentence instead. */
static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int set_pin_paths(struct bpf_object *object)
{
	char path[PATH_MAX];
	int i;

	for (i = 0; i < NR_PIN_MAPS; i++) {
		snprintf(path, sizeof(path), "%s/%s", PIN_MAPS, pin_map_names[i]);
		if (bpf_map__set_pin_path(bpf_object__find_map_by_name(object, pin_map_names[i]),
					  path))
			return -1;
	}
	return 0;
}

static int refuse_load(struct error *err)
{
	if (errno == EPERM)
		return error_set(err, EPERM, "the kernel lets this caller load no eBPF programs: redirects need root (CAP_BPF and CAP_NET_ADMIN) and no lockdown");
	return error_set(err, errno, "the redirect programs cannot be loaded: %s: they need Linux 6.1 or later with CONFIG_CGROUP_BPF, and maps of the same version in %s",
			 strerror(errno), PIN_MAPS);
}

static int load_inet(struct programs *programs, struct error *err)
{
	programs->inet = redirect_bpf__open();
	if (!programs->inet)
		return refuse_load(err);
	programs->inet->rodata->has_mptcp = !access("/proc/sys/net/mptcp", F_OK);
	if (set_pin_paths(programs->inet->obj) || redirect_bpf__load(programs->inet))
		return refuse_load(err);
	return 0;
}

/* The library does not know these hooks by the names of their sections. */
static int load_unix(struct programs *programs, struct error *err)
{
	struct bpf_program *program;
	int hook;

	programs->unix_ = redirect_unix_bpf__open();
	if (!programs->unix_)
		return refuse_load(err);
	for (hook = FIRST_UNIX; hook < NR_HOOKS; hook++) {
		program = bpf_object__find_program_by_name(programs->unix_->obj,
							   hooks[hook].program);
		bpf_program__set_type(program, BPF_PROG_TYPE_CGROUP_SOCK_ADDR);
		bpf_program__set_expected_attach_type(program, hooks[hook].type);
	}
	if (set_pin_paths(programs->unix_->obj) || redirect_unix_bpf__load(programs->unix_))
		return refuse_load(err);
	return 0;
}

/* Load the programs upon the pinned maps, making and pinning those that are missing. */
static int load_programs(struct programs *programs, struct error *err)
{
	libbpf_set_print(quiet);
	if (load_inet(programs, err))
		return -1;
	return redirect_has_unix() ? load_unix(programs, err) : 0;
}

static void destroy_programs(struct programs *programs)
{
	redirect_bpf__destroy(programs->inet);
	redirect_unix_bpf__destroy(programs->unix_);
}

/*
 * Attaching and detaching.
 */

static bool is_of_group(const struct table *table, const struct rule_entry *entry,
			const void *data)
{
	(void)table;
	return entry->key.group == *(const __u32 *)data;
}

static int drop_rules(const struct pins *pins, __u32 number, struct error *err)
{
	cleanup_table struct table table = {};

	if (table_read(&table, pins, err) || table_keep(&table, is_of_group, &number, err))
		return -1;
	return table.new.nr == table.old.nr ? 0 : table_commit(&table, pins, err);
}

/* The number may be given to another group, which has not these names. */
static void drop_names(const struct pins *pins, __u32 number)
{
	int names = pins->map[MAP_NAMES];
	struct name_key key, next;
	bool more = !bpf_map_get_next_key(names, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(names, &key, &next);
		if (key.group == number)
			(void)!bpf_map_delete_elem(names, &key);
	}
}

/* Nor has it these sockets, whose end no program of the group sees any more. */
static void drop_origins(const struct pins *pins, __u32 number)
{
	struct error ignored;
	cleanup_origins struct origin_value *origins = pins_map_origins(pins, &ignored);
	size_t i;

	for (i = 0; origins && i < REDIRECT_ORIGINS_MAX; i++) {
		__u64 cookie = origins[i].cookie;

		/* Not if it has become another socket's: the programs of other groups go on. */
		if (origins[i].group == number)
			(void)__sync_bool_compare_and_swap(&origins[i].cookie, cookie, 0);
	}
}

static int remove_group(const struct pins *pins, const char *group, struct error *err)
{
	struct group_value value;
	__u32 number = pins->ready ? redirect_find_group(pins, group) : 0;

	if (number && drop_rules(pins, number, err))
		return -1;
	remove_containers(group, true);
	remove_links(group);
	if (number && !bpf_map_lookup_elem(pins->map[MAP_GROUPS], &number, &value))
		(void)!set_cgroup(pins, value.cgroup, 0);
	if (number) {
		drop_names(pins, number);
		drop_origins(pins, number);
	}
	if (number && bpf_map_delete_elem(pins->map[MAP_GROUPS], &number))
		return error_set(err, errno, "group %s cannot be removed from %s/groups: %s",
				 group, PIN_MAPS, strerror(errno));
	if (!pins->ready || !is_in_use(pins))
		pins_prune();
	return 0;
}

/* It has rules only: programs are the groups'. */
static int remove_hub(const struct pins *pins, struct error *err)
{
	if (pins->ready && drop_rules(pins, REDIRECT_HUB, err))
		return -1;
	if (!pins->ready || !is_in_use(pins))
		pins_prune();
	return 0;
}

static int attach(struct pins *pins, struct target *target, struct error *err)
{
	__attribute__((cleanup(destroy_programs))) struct programs programs = {};
	struct error ignored;
	bool is_new;

	if (load_programs(&programs, err) || pins_open_maps(pins, err))
		return -1;
	if (!pins->ready)
		return error_set(err, ENOENT, "the maps in %s are not complete: somebody removes them: try again",
				 PIN_MAPS);
	is_new = !target->number;
	if (!enter_group(pins, target, err) && !make_links(pins, target, &programs, err))
		return 0;
	/* Refused, with nothing changed: but one that was there before keeps its rules. */
	if (is_new)
		(void)!remove_group(pins, target->group, &ignored);
	return -1;
}

int redirect_attach(const char *group, const char *cgroup_path, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	struct target target = { .group = group, .place = group, .cgroup = -1 };
	int result = -1;

	if (redirect_check_group(group, err) || open_cgroup(&target, cgroup_path, err))
		goto out;
	if (!strcmp(group, REDIRECT_HUB_NAME)) {
		error_set(err, EINVAL, "%s is no group: programs are attached to groups", group);
		goto out;
	}
	if (pins_open(&pins, PINS_CREATE, err))
		goto out;
	if (pins.ready)
		target.number = redirect_find_group(&pins, group);
	result = pins.ready && is_attached(&pins, &target) ? 0 : attach(&pins, &target, err);
out:
	redirect_close_fd(&target.cgroup);
	return result;
}

int redirect_check_container(const char *id, struct error *err)
{
	const char *c;

	for (c = id; isalnum((unsigned char)*c) || strchr("._+-", *c); c++)
		if (!*c)
			break;
	if (*id && !*c && strlen(id) < REDIRECT_CONTAINER)
		return 0;
	return error_set(err, EINVAL, "'%.160s' is no container's id: use up to %d letters, digits, '.', '_', '+' and '-'",
			 id, REDIRECT_CONTAINER - 1);
}

static void container_place(const char *group, const char *id, char place[PATH_MAX])
{
	snprintf(place, PATH_MAX, "%s@%s", group, id);
}

static int attach_container(struct pins *pins, struct target *target, struct error *err)
{
	__attribute__((cleanup(destroy_programs))) struct programs programs = {};

	if (load_programs(&programs, err) || pins_open_maps(pins, err))
		return -1;
	if (!make_links(pins, target, &programs, err))
		return 0;
	remove_links(target->place);
	return -1;
}

int redirect_attach_container(const char *group, const char *id, const char *cgroup_path,
			      struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	char place[PATH_MAX];
	struct target target = { .group = group, .place = place, .cgroup = -1 };
	int result = -1;

	if (redirect_check_group(group, err) || redirect_check_container(id, err) ||
	    open_cgroup(&target, cgroup_path, err))
		goto out;
	container_place(group, id, place);
	if (pins_open(&pins, PINS_WRITE, err))
		goto out;
	target.number = pins.ready ? redirect_find_group(&pins, group) : 0;
	if (!target.number) {
		error_set(err, ENOENT, "group %s has no overrides that a container could have", group);
		goto out;
	}
	remove_containers(group, false);
	result = attach_container(&pins, &target, err);
out:
	redirect_close_fd(&target.cgroup);
	return result;
}

int redirect_detach_container(const char *group, const char *id, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	char place[PATH_MAX];

	if (redirect_check_group(group, err) || redirect_check_container(id, err) ||
	    pins_open(&pins, PINS_WRITE, err))
		return -1;
	container_place(group, id, place);
	if (pins.lock >= 0)
		remove_links(place);
	return 0;
}

int redirect_prepare(struct error *err)
{
	__attribute__((cleanup(destroy_programs))) struct programs programs = {};
	cleanup_pins struct pins pins = PINS_CLOSED;

	if (pins_open(&pins, PINS_CREATE, err))
		return -1;
	if (pins.ready)
		return 0;
	return load_programs(&programs, err);
}

int redirect_detach(const char *group, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;

	if (redirect_check_group(group, err) || pins_open(&pins, PINS_WRITE, err))
		return -1;
	if (pins.lock < 0)
		return 0;
	return strcmp(group, REDIRECT_HUB_NAME) ? remove_group(&pins, group, err) :
						  remove_hub(&pins, err);
}

bool redirect_is_attached(const char *group)
{
	char path[PATH_MAX];

	link_path(group, HOOK_CONN4, path);
	return !access(path, F_OK);
}

int redirect_verify(const char *group, const char *cgroup_path, bool *attached,
		    struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	struct target target = { .group = group, .place = group, .cgroup = -1 };
	int result = 0;

	*attached = false;
	if (redirect_check_group(group, err) || pins_open(&pins, PINS_READ, err))
		return -1;
	if (!pins.ready)
		return 0;
	target.number = redirect_find_group(&pins, group);
	if (!open_cgroup(&target, cgroup_path, err))
		*attached = is_attached(&pins, &target);
	else if (err->code != ENOENT)
		result = -1;
	redirect_close_fd(&target.cgroup);
	return result;
}

/* Where the group's program stands among all that run at a hook of the cgroup @at. */
static struct redirect_hook look_at(const struct target *target, int at, enum hook hook)
{
	__u32 ours = linked_program(target, hook), programs[EFFECTIVE_MAX], nr = EFFECTIVE_MAX, i;
	struct redirect_hook found = { .name = hooks[hook].pin };

	if (bpf_prog_query(at, hooks[hook].type, BPF_F_QUERY_EFFECTIVE, NULL, programs, &nr))
		return found;
	for (i = 0; i < nr; i++) {
		if (ours && programs[i] == ours)
			found.program = ours;
		else if (found.program)
			found.after++;
		else
			found.before++;
	}
	return found;
}

int redirect_hooks(const char *group, const char *cgroup_path, const char *at_path, hook_fn fn,
		   void *data, struct error *err)
{
	cleanup_pins struct pins pins = PINS_CLOSED;
	struct target target = { .group = group, .place = group, .cgroup = -1 };
	struct target at = { .group = group, .place = group, .cgroup = -1 };
	struct redirect_hook found;
	int nr = nr_hooks(), hook, result = 0;

	if (redirect_check_group(group, err) || pins_open(&pins, PINS_READ, err) ||
	    open_cgroup(&target, cgroup_path, err) || open_cgroup(&at, at_path, err))
		result = -1;
	for (hook = 0; hook < nr && !result; hook++) {
		found = look_at(&target, at.cgroup, hook);
		result = fn(&found, data);
	}
	redirect_close_fd(&target.cgroup);
	redirect_close_fd(&at.cgroup);
	return result;
}
