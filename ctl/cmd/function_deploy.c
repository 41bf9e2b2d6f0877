// SPDX-License-Identifier: GPL-2.0
/* Functions onto the hub and off it; see function_deploy.h. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "function_deploy.h"
#include "lib/function_code.h"
#include "lib/function_grants.h"
#include "lib/function_group.h"
#include "lib/function_store.h"
#include "lib/late.h"

#define POLL_NS	(50 * 1000 * 1000)
#define IDLE_TRIES	50	/* until what was idle has ended: it is looked for once a second */

static int refuse_existing(const char *name, struct error *err)
{
	struct function other;

	if (!function_get(name, &other, err)) {
		function_free(&other);
		return error_set(err, EEXIST, "there is a function %s already: delete it first, or give another name",
				 name);
	}
	return err->code == ENOENT ? 0 : -1;
}

static int is_together(const struct function *other, void *data)
{
	return function_apart(other, data) == FUNCTION_TOGETHER;
}

/* Unless a function that stays has it. */
static void undo(struct context *ctx, const struct function *function)
{
	struct error ignored;

	if (!function_each(is_together, (void *)function, &ignored))
		(void)!function_take_down(ctx, function, false, &ignored);
}

static int set_up_and_put(struct context *ctx, struct function *function, struct error *err)
{
	if (function_set_up(ctx, function, err))
		return -1;
	if (!function_limit(function, function, err) && !function_put(function, err))
		return 0;
	undo(ctx, function);
	return -1;
}

static int bring(struct context *ctx, struct function *function, struct error *err)
{
	struct error second;

	late_need_groups();
	if (function_grants_own(function, err) || function_copy(function, err))
		return -1;
	if (!set_up_and_put(ctx, function, err))
		return 0;
	(void)!function_drop_code(function, &second);
	return -1;
}

int function_deploy(struct context *ctx, struct function *function, struct error *err)
{
	struct error second;

	if (refuse_existing(function->name, err))
		return -1;
	if (!bring(ctx, function, err))
		return 0;
	(void)!function_remove(function->name, &second);
	return -1;
}

static const struct timespec pause = { .tv_nsec = POLL_NS };

/*
 * Who serves the function ends its idle tasks when its manifest changes, and the others after their
 * events. One may be started until that is seen: with RUNNING_END it is killed, too.
 */
static int take_down(struct context *ctx, const struct function *function,
		     enum group_running running, struct error *err)
{
	while (function_take_down(ctx, function, running == RUNNING_END, err)) {
		if (running == RUNNING_KEEP || err->code != EBUSY)
			return -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Without what is at work: idle tasks, and one that waits for whoever asks first, are ended. */
static int take_down_idle(struct context *ctx, const struct function *function, struct error *err)
{
	int tries = IDLE_TRIES;

	while (function_take_down(ctx, function, false, err)) {
		if (err->code != EBUSY || !tries ||
		    (tries == IDLE_TRIES && !function_touch(function->name)))
			return -1;
		tries--;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Code and group of one that is no longer @function's own; others may still need them. */
static int release(struct context *ctx, const struct function *function,
		   enum group_running running, struct error *err)
{
	int others = function_each(is_together, (void *)function, err);

	if (others < 0 || (!others && take_down(ctx, function, running, err)))
		return -1;
	return function_drop_code(function, err) ||
	       (others && function_limit(function, NULL, err)) ? -1 : 0;
}

/* It is known as the former one until nothing of it is left. */
static int leave_behind(struct context *ctx, const struct function *function,
			enum group_running running, struct error *err)
{
	return release(ctx, function, running, err) || function_forget_former(function->name, err) ?
	       -1 : 0;
}

struct finishing {
	struct context *ctx;
	const char *name;	/* or NULL: all */
	enum group_running running;
	struct error *err;
	size_t nr;		/* that were there */
};

static int finish(const struct function *function, void *data)
{
	struct finishing *finishing = data;

	if (finishing->name && strcmp(finishing->name, function->name))
		return 0;
	finishing->nr++;
	return leave_behind(finishing->ctx, function, finishing->running, finishing->err);
}

int function_finish(struct context *ctx, enum group_running running, struct error *err)
{
	struct finishing finishing = { .ctx = ctx, .running = running, .err = err };

	return function_each_former(finish, &finishing, err);
}

int function_withdraw_rest(struct context *ctx, const char *name, enum group_running running,
			   struct error *err)
{
	struct finishing finishing = { .ctx = ctx, .name = name, .running = running, .err = err };
	struct error missing = *err;

	if (function_each_former(finish, &finishing, err))
		return -1;
	if (!finishing.nr)
		*err = missing;
	return finishing.nr ? 0 : -1;
}

int function_replace(struct context *ctx, const struct function *old, struct function *new,
		     enum group_running running, struct error *err)
{
	return function_put_former(old, err) || bring(ctx, new, err) ||
	       leave_behind(ctx, old, running, err) ? -1 : 0;
}

static int is_other(const struct function *other, void *data)
{
	const struct function *function = data;

	return strcmp(other->name, function->name) &&
	       function_apart(other, function) == FUNCTION_TOGETHER;
}

/*
 * Where tasks may be refused for, the group goes first, so that the function stays then; else
 * the manifest does, so that no new ones come, as events that wait would have.
 */
int function_withdraw(struct context *ctx, const struct function *function,
		      enum group_running running, struct error *err)
{
	int others = function_each(is_other, (void *)function, err);

	if (others < 0 || (!others && running == RUNNING_KEEP && take_down_idle(ctx, function, err)))
		return -1;
	return function_put_former(function, err) || function_remove(function->name, err) ||
	       leave_behind(ctx, function, running, err) ? -1 : 0;
}
