// SPDX-License-Identifier: GPL-2.0
/*
 * Entering an image, in a forked child of the controller.
 *
 * Placement first, in the parent: arguments (and the restorer, without the module) go where
 * neither this process nor the image has anything. The vDSO is mapped anew where the image expects it; where
 * the kernel can't do that, it moves out of the image's way, and the resumed task moves it to the
 * image's address. Then either ENTER or the restorer replaces the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <unistd.h>

#include <linux/coppice_dev.h>

#include "arch.h"
#include "launch_args.h"
#include "place.h"
#include "runtime/special.h"

#define RSEQ_UNREGISTER 1
#define PAGE 4096
#define RESTORER_STACK PAGE

/* vvar and vDSO lie next to each other and move together. */
static struct coppice_span special(const struct coppice_span *vvar, const struct coppice_span *vdso)
{
	if (!vvar->len)
		return *vdso;
	return (struct coppice_span){ vvar->start, vdso->start + vdso->len - vvar->start };
}

static int survey(struct place *place, struct launch *launch, struct error *err)
{
	struct coppice_span here, there = special(&launch->vvar, &launch->vdso);
	struct launch_plan *plan = &launch->plan;
	size_t i;

	if (place_add_self(place, &plan->vvar, &plan->vdso, err))
		return -1;
	if (plan->vdso.len != launch->vdso.len || plan->vvar.len != launch->vvar.len)
		return error_set(err, ENOEXEC, "the image was built for another kernel's vDSO: rebuild it on this one");
	here = special(&plan->vvar, &plan->vdso);
	if (place_add(place, here.start, here.len, err) ||
	    place_add(place, there.start, there.len, err))
		return -1;
	for (i = 0; i < launch->nr_segments; i++)
		if (place_add(place, launch->segments[i].start, launch->segments[i].len, err))
			return -1;
	place_sort(place);
	return 0;
}

/* Is the vDSO in the way of a segment, or of its own new place? */
static bool special_in_way(const struct coppice_span *here, const struct launch *launch)
{
	struct coppice_span there = special(&launch->vvar, &launch->vdso);
	size_t i;

	if (here->start == there.start)
		return false;
	if (span_overlaps(here, &there))
		return true;
	for (i = 0; i < launch->nr_segments; i++) {
		struct coppice_span seg = { launch->segments[i].start, launch->segments[i].len };

		if (span_overlaps(here, &seg))
			return true;
	}
	return false;
}

/* Asked of the kernel once for all launches. */
static bool can_map_special(const struct coppice_span *there)
{
	static int can = -1;

	if (can < 0)
		can = arch_can_map_vdso();
	return can && place_is_clear(there);
}

static bool take(struct place *place, struct coppice_span *span, uint64_t len)
{
	span->len = len;
	span->start = place_take(place, len);
	return span->start;
}

static int take_all(struct place *place, struct launch *launch, struct error *err)
{
	struct launch_plan *plan = &launch->plan;
	struct coppice_span here = special(&plan->vvar, &plan->vdso), way = {};
	struct coppice_span there = special(&launch->vvar, &launch->vdso);
	size_t table = sizeof(struct restore_table) + launch->nr_segments * sizeof(struct launch_segment);
	size_t code = __stop_coppice_restorer_text - __start_coppice_restorer_text;
	bool ok = take(place, &plan->args, launch_args_size(launch));

	plan->special_anew = here.start != there.start && can_map_special(&there);
	if (special_in_way(&here, launch))
		ok = ok && take(place, &way, here.len);
	plan->special_to = way.start;
	if (!launch->module)
		ok = ok && take(place, &plan->code, PAGE_UP(code)) &&
		     take(place, &plan->table, PAGE_UP(table) + RESTORER_STACK);
	if (ok)
		return 0;
	return error_set(err, ENOMEM, "no free addresses beside the image for the task's arguments: make the image smaller");
}

int launch_plan(struct launch *launch, struct error *err)
{
	struct place place = {};
	int ret = survey(&place, launch, err) || take_all(&place, launch, err) ? -1 : 0;

	place_free(&place);
	return ret;
}

static int map(const struct coppice_span *span, struct error *err)
{
	void *at = mmap((void *)span->start, span->len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at == (void *)span->start)
		return 0;
	return error_set(err, errno, "no memory for the task's arguments (%s): raise the group's memory limit", strerror(errno));
}

/* Of each page it can be asked without changing anything; of several, only if all are mapped. */
static bool is_free(const struct coppice_span *span)
{
	uint64_t at;

	for (at = span->start; at < span->start + span->len; at += PAGE)
		if (raw_call(SYS_msync, at, PAGE, MS_ASYNC) != -ENOMEM)
			return false;
	return true;
}

static bool is_mapped(const struct coppice_span *span)
{
	return !raw_call(SYS_msync, span->start, span->len, MS_ASYNC);
}

/* The kernel takes another place where something is in the way, and does not say so. */
static int special_map(struct launch_plan *plan, const struct launch *launch,
		       const struct coppice_span *there, struct error *err)
{
	struct coppice_span here = special(&plan->vvar, &plan->vdso);

	if (raw_call(SYS_munmap, here.start, here.len) || !arch_map_vdso(there->start) || !is_mapped(there))
		return error_set(err, ENOMEM, "the vDSO could not be mapped where the image expects it: free memory and start the task again");
	plan->vvar = launch->vvar;
	plan->vdso = launch->vdso;
	return 0;
}

/* After this libc must not be asked for the time: it would call the old place. */
static int special_clear(struct launch_plan *plan, const struct launch *launch, struct error *err)
{
	struct coppice_span here = special(&plan->vvar, &plan->vdso);
	struct coppice_span there = special(&launch->vvar, &launch->vdso);

	if (plan->special_anew && is_free(&there))
		return special_map(plan, launch, &there, err);
	if (!plan->special_to)
		return 0;
	if (special_move(here.start, here.len, plan->special_to))
		return error_set(err, ENOMEM, "the vDSO is in the image's way and could not be moved: report this as a defect");
	plan->vvar.start = plan->special_to;
	plan->vdso.start = plan->special_to + (here.len - plan->vdso.len);
	return 0;
}

/* The kernel would go on writing to an area that is no longer ours. */
static void rseq_unregister(void)
{
	if (__rseq_size)
		raw_call(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset,
			 __rseq_size < 32 ? 32 : __rseq_size, RSEQ_UNREGISTER, RSEQ_SIG);
}

static void keep_sort(struct coppice_span *keep, size_t nr)
{
	struct place place = { .spans = keep, .nr = nr };

	place_sort(&place);
}

/* In order. Each function of the C library that a child calls first is another fault: it has none of its code mapped. */
static void ranges_fill(struct coppice_range *ranges, const struct coppice_span *one,
			const struct coppice_span *other)
{
	bool swap = other->start < one->start;

	ranges[swap] = (struct coppice_range){ one->start, one->len };
	ranges[!swap] = (struct coppice_range){ other->start, other->len };
}

static int enter_module(const struct launch_plan *plan, const struct launch *launch, struct error *err)
{
	struct coppice_span here = special(&plan->vvar, &plan->vdso);
	struct coppice_span there = special(&launch->vvar, &launch->vdso);
	struct coppice_enter enter = {
		.reason = { .text = (uint64_t)err->text, .len = sizeof(err->text) },
		.flags = launch->no_premap ? COPPICE_ENTER_NO_PREMAP : 0,
		.nr_keep = 2,
		.cookie = plan->args.start,
		.nr_home = 2,
		.reset_cookie = plan->args.start + sizeof(struct coppice_task_args),
		.saved = plan->args.start,
		.saved_len = ((struct coppice_task_args *)plan->args.start)->env_end - plan->args.start,
	};

	ranges_fill(enter.keep, &plan->args, &here);
	ranges_fill(enter.home, &plan->args, &there);
	*err = (struct error){ .status = EXIT_REFUSED };
	ioctl(launch->fd, COPPICE_IOC_ENTER, &enter);
	err->code = errno;
	if (err->text[0])
		return -1;
	return error_set(err, errno, "the module refused to enter the image (%s)", strerror(errno));
}

static void table_fill(struct restore_table *table, const struct launch_plan *plan,
		       const struct launch *launch)
{
	*table = (struct restore_table){
		.fd = launch->fd,
		.entry = launch->entry, .stack = launch->stack, .cookie = plan->args.start,
		.keep = { plan->args, plan->code, plan->table, special(&plan->vvar, &plan->vdso) },
		.nr_keep = 4,
		.table = plan->table,
		.nr_segments = launch->nr_segments,
	};
	keep_sort(table->keep, 4);
	memcpy(table->segments, launch->segments, launch->nr_segments * sizeof(*launch->segments));
}

static int enter_memfd(const struct launch_plan *plan, const struct launch *launch, struct error *err)
{
	struct restore_table *table = (struct restore_table *)plan->table.start;
	size_t len = __stop_coppice_restorer_text - __start_coppice_restorer_text;
	size_t offset = (const char *)coppice_restorer - __start_coppice_restorer_text;

	table_fill(table, plan, launch);
	memcpy((void *)plan->code.start, __start_coppice_restorer_text, len);
	if (mprotect((void *)plan->code.start, plan->code.len, PROT_READ | PROT_EXEC))
		return error_set(err, errno, "the restorer could not be made executable (%s)", strerror(errno));
	__builtin___clear_cache((char *)plan->code.start, (char *)plan->code.start + len);
	/* The stack of this process goes too: the restorer has its own, behind its table. */
	arch_jump(plan->code.start + offset, plan->table.start + plan->table.len, table);
}

int launch_enter(const struct launch *launch, struct error *err)
{
	struct launch_plan plan = launch->plan;
	struct coppice_task_args *args = (struct coppice_task_args *)plan.args.start;

	if (map(&plan.args, err) ||
	    (!launch->module && (map(&plan.code, err) || map(&plan.table, err))) ||
	    special_clear(&plan, launch, err))
		return -1;
	launch_args_fill(args, launch);
	args->vvar = plan.vvar;
	args->vdso = plan.vdso;
	rseq_unregister();
	return launch->module ? enter_module(&plan, launch, err) : enter_memfd(&plan, launch, err);
}
