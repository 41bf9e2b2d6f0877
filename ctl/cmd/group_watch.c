// SPDX-License-Identifier: GPL-2.0
/* coppice group watch [GROUP]: have groups give memory back, and adopt, as they are told to. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/newcomers.h"

#define PRESSURE	"/proc/pressure/memory"
/* Some task stalled for 100 ms in any 2 s: Documentation/accounting/psi.rst. */
#define TRIGGER		"some 100000 2000000"
#define GROUPS_MAX	1024

/* When a group was served last, by its number. */
struct served {
	uint32_t id;
	time_t at;
};

/* What there is to do for a group in this round. */
struct due {
	struct group_info group;
	bool reshare;
};

struct watch {
	struct context *ctx;
	const char *only;	/* NULL: all groups */
	int pressure;		/* trigger's descriptor, or -1 */
	bool short_of_memory;	/* in this round */
	struct due due[GROUPS_MAX];
	size_t nr_due;
	struct newcomers newcomers;
	struct served served[GROUPS_MAX];
	size_t nr_served;
	bool wants_pressure;
	struct error *err;
};

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static struct served *served_of(struct watch *watch, uint32_t id)
{
	size_t i;

	for (i = 0; i < watch->nr_served; i++)
		if (watch->served[i].id == id)
			return &watch->served[i];
	/* The oldest makes room: it is served a little early, once. */
	i = watch->nr_served < GROUPS_MAX ? watch->nr_served++ : id % GROUPS_MAX;
	watch->served[i] = (struct served) { .id = id, .at = now() };
	return &watch->served[i];
}

static bool is_due(struct watch *watch, const struct group_info *group)
{
	struct policy policy;
	struct served *served;
	struct error ignored;

	if (policy_parse(group->reshare, &policy, &ignored))
		return false;
	if (policy.when == POLICY_PRESSURE) {
		watch->wants_pressure = true;
		return watch->short_of_memory;
	}
	if (policy.when != POLICY_EVERY)
		return false;
	served = served_of(watch, group->id);
	if (now() - served->at < (time_t)policy.seconds)
		return false;
	served->at = now();
	return true;
}

static int note_due(const struct group_info *group, void *data)
{
	struct watch *watch = data;
	bool reshare;

	if (watch->only && strcmp(watch->only, group->name))
		return 0;
	reshare = is_due(watch, group);
	if (watch->nr_due < GROUPS_MAX && (reshare || group->adopt))
		watch->due[watch->nr_due++] = (struct due) { *group, reshare };
	return 0;
}

struct sum {
	struct watch *watch;
	uint64_t tasks, compared, given_back;
};

/* A task may have ended since it was listed; another one's trouble is not the group's. */
static int reshare_task(const struct task_info *task, void *data)
{
	const struct sum *from = data;
	struct reshare_info info;
	struct sum *sum = data;
	struct error ignored;

	if (from->watch->ctx->backend->task_reshare(task->id, &info, &ignored))
		return 0;
	sum->tasks++;
	sum->compared += info.compared;
	sum->given_back += info.given_back;
	return 0;
}

static int print(const struct watch *watch, const struct group_info *group, const struct sum *sum)
{
	autojson json_t *line = json_pack("{s:s, s:s, s:I, s:I, s:I}", "group", group->name,
					  "policy", group->reshare,
					  "tasks", (json_int_t)sum->tasks,
					  "compared", (json_int_t)sum->compared,
					  "given_back", (json_int_t)sum->given_back);

	if (watch->ctx->json)
		return output_line(line, watch->err);
	printf("%s: %llu pages of %llu given back by %llu tasks", group->name,
	       (unsigned long long)sum->given_back, (unsigned long long)sum->compared,
	       (unsigned long long)sum->tasks);
	return output_end_line(watch->err);
}

static int print_adopted(const struct watch *watch, const struct group_info *group,
			 const struct newcomers_result *result)
{
	const char *refusal = result->refused ? result->first.text : NULL;
	autojson json_t *line = json_pack("{s:s, s:I, s:I, s:I, s:s?, s:b}", "group", group->name,
					  "processes", (json_int_t)result->processes,
					  "adopted", (json_int_t)result->pages,
					  "refused", (json_int_t)result->refused,
					  "refusal", refusal, "learned", result->learned);

	if (watch->ctx->json)
		return output_line(line, watch->err);
	printf("%s: %llu pages of %llu processes adopted", group->name,
	       (unsigned long long)result->pages, (unsigned long long)result->processes);
	if (result->learned)
		printf(", with an image of what they map");
	if (refusal)
		printf(", %llu processes refused: %s", (unsigned long long)result->refused,
		       refusal);
	return output_end_line(watch->err);
}

/* The group or its image may have been deleted meanwhile; that is no reason to end. */
static int adopt_newcomers(struct watch *watch, const struct group_info *group)
{
	struct newcomers_result result;
	struct error ignored;

	if (newcomers_adopt(&watch->newcomers, watch->ctx->backend, group, &result, &ignored))
		return 0;
	return result.pages || result.refused || result.learned ? print_adopted(watch, group, &result) : 0;
}

static int reshare_group(struct watch *watch, const struct group_info *group)
{
	struct sum sum = { .watch = watch };
	struct error ignored;

	/* It may have been deleted meanwhile. */
	if (watch->ctx->backend->task_each(group->name, reshare_task, &sum, &ignored) || !sum.tasks)
		return 0;
	return print(watch, group, &sum);
}

static int serve(struct watch *watch, const struct due *due)
{
	if (due->reshare && reshare_group(watch, &due->group))
		return -1;
	return due->group.adopt ? adopt_newcomers(watch, &due->group) : 0;
}

static int open_pressure(struct watch *watch)
{
	watch->pressure = open(PRESSURE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (watch->pressure >= 0 &&
	    write(watch->pressure, TRIGGER, sizeof(TRIGGER)) == (ssize_t)sizeof(TRIGGER))
		return 0;
	return error_set(watch->err, errno, "the kernel does not report pressure on memory (%s: %s): boot it with psi=1, or use every=SECONDS",
			 PRESSURE, strerror(errno));
}

/* Up to a second, or until memory gets short. */
static void wait_a_while(struct watch *watch)
{
	struct pollfd poll_for = { .fd = watch->pressure, .events = POLLPRI };

	watch->short_of_memory = poll(&poll_for, 1, 1000) > 0 && poll_for.revents & POLLPRI;
}

static int watch_round(struct watch *watch)
{
	size_t i;

	watch->nr_due = 0;
	if (watch->ctx->backend->group_each(note_due, watch, watch->err))
		return -1;
	if (watch->wants_pressure && watch->pressure < 0 && open_pressure(watch))
		return -1;
	for (i = 0; i < watch->nr_due; i++)
		if (serve(watch, &watch->due[i]))
			return -1;
	wait_a_while(watch);
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	struct group_info group;

	if (!watch)
		return error_set(err, ENOMEM, "out of memory");
	*watch = (struct watch) { .ctx = ctx, .pressure = -1, .err = err };
	if (cmd_parse_word(&cmd_group_watch, argc, argv, &watch->only, err) ||
	    (watch->only && ctx->backend->group_get(watch->only, &group, err)))
		goto out;
	if (!ctx->backend->task_reshare) {
		error_set(err, EOPNOTSUPP, "the %s backend cannot reshare a task from outside: load the module",
			  ctx->backend->name);
		goto out;
	}
	while (!watch_round(watch))
		;
out:
	newcomers_free(&watch->newcomers);
	free(watch);
	return -1;
}

const struct command cmd_group_watch = {
	.object = "group",
	.verb = "watch",
	.args = "[GROUP]",
	.summary = "Have groups give memory back and adopt as they are told to, until interrupted",
	.help = "Follows every=SECONDS, and pressure: when tasks of the hub have waited for memory for more "
		"than 100 ms in 2 s (/proc/pressure/memory). For groups with --adopt it looks every second "
		"which processes have appeared in the group's cgroup, or map other files than before, and "
		"adopts them; a function's group gets an image of what its processes map before. Prints what each "
		"group gave back or adopted, and why a process was not.",
	.needs_backend = true,
	.run = run,
};
