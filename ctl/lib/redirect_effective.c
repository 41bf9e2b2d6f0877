// SPDX-License-Identifier: GPL-2.0
/* What the kernel has: which programs run at the hooks of a group's cgroup. */
#include <errno.h>
#include <bpf/bpf.h>

#include "redirect.h"
#include "redirect_groups.h"
#include "redirect_hook.h"
#include "redirect_links.h"
#include "redirect_pins.h"
#include "redirect_target.h"

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
	if (!target_open(&target, cgroup_path, err))
		*attached = links_attached(&pins, &target);
	else if (err->code != ENOENT)
		result = -1;
	redirect_close_fd(&target.cgroup);
	return result;
}

/* Where the group's program stands among all that run at a hook of the cgroup @at. */
static struct redirect_hook look_at(const struct target *target, int at, enum hook_number hook)
{
	__u32 ours = links_program(target, hook), programs[EFFECTIVE_MAX], nr = EFFECTIVE_MAX, i;
	struct redirect_hook found = { .name = hook_table[hook].pin };

	if (bpf_prog_query(at, hook_table[hook].type, BPF_F_QUERY_EFFECTIVE, NULL, programs, &nr))
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
	int nr = redirect_nr_hooks(), hook, result = 0;

	if (redirect_check_group(group, err) || pins_open(&pins, PINS_READ, err) ||
	    target_open(&target, cgroup_path, err) || target_open(&at, at_path, err))
		result = -1;
	for (hook = 0; hook < nr && !result; hook++) {
		found = look_at(&target, at.cgroup, hook);
		result = fn(&found, data);
	}
	redirect_close_fd(&target.cgroup);
	redirect_close_fd(&at.cgroup);
	return result;
}
