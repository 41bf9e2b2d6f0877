// SPDX-License-Identifier: GPL-2.0
/* The eBPF programs, loaded upon the pinned maps. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/libbpf.h>

#include "redirect_pins.h"
#include "redirect_programs.h"
#include "redirect.skel.h"
#include "redirect_unix.skel.h"

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
							   hook_table[hook].program);
		bpf_program__set_type(program, BPF_PROG_TYPE_CGROUP_SOCK_ADDR);
		bpf_program__set_expected_attach_type(program, hook_table[hook].type);
	}
	if (set_pin_paths(programs->unix_->obj) || redirect_unix_bpf__load(programs->unix_))
		return refuse_load(err);
	return 0;
}

int programs_load(struct programs *programs, struct error *err)
{
	libbpf_set_print(quiet);
	if (load_inet(programs, err))
		return -1;
	return redirect_has_unix() ? load_unix(programs, err) : 0;
}

int programs_fd(const struct programs *programs, enum hook_number hook)
{
	const struct bpf_object *object = hook < FIRST_UNIX ? programs->inet->obj :
							      programs->unix_->obj;

	return bpf_program__fd(bpf_object__find_program_by_name(object,
								hook_table[hook].program));
}

void programs_free(struct programs *programs)
{
	redirect_bpf__destroy(programs->inet);
	redirect_unix_bpf__destroy(programs->unix_);
}
