// SPDX-License-Identifier: GPL-2.0
/* coppice run GROUP: start tasks. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "cmd.h"
#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "lib/entry.h"
#include "lib/event.h"
#include "lib/late.h"
#include "lib/name.h"
#include "lib/place.h"
#include "lib/spawn.h"
#include "lib/trust.h"

#define COUNT_MAX	100000
#define WORDS_MAX	1024	/* arguments, and variables */
#define WORDS_ROOM	(WORDS_MAX + 4 + TRUST_VARIABLES)

extern char **environ;

enum {
	OPTION_EVENT = 256, OPTION_COUNT, OPTION_PARALLEL, OPTION_DETACH, OPTION_ENV,
	OPTION_NO_PREMAP, OPTION_REUSE,
};

static const struct argp_option options[] = {
	{ .name = "event", .key = OPTION_EVENT, .arg = "FILE",
	  .doc = "hand each task the content of FILE (-: standard input) at the descriptor in "
		 "COPPICE_EVENT_FD" },
	{ .name = "count", .key = OPTION_COUNT, .arg = "N", .doc = "start N tasks (default: 1)" },
	{ .name = "parallel", .key = OPTION_PARALLEL, .arg = "N",
	  .doc = "let at most N of them run at a time (default: all)" },
	{ .name = "detach", .key = OPTION_DETACH,
	  .doc = "print the tasks' process ids once they have entered, and do not wait for them" },
	{ .name = "env", .key = OPTION_ENV, .arg = "NAME=VALUE",
	  .doc = "set a variable in the tasks' environment; may be repeated" },
	{ .name = "reuse", .key = OPTION_REUSE, .arg = "HOW",
	  .doc = "each line of the event's FILE is an event, and each task handles them all, one after the "
		 "other: \"reset\" in between to what it was at its start, or \"keep\" what the last one left" },
	{ .name = "no-premap", .key = OPTION_NO_PREMAP,
	  .doc = "map no pages ahead, for comparison (kernel backend)" },
	{}
};

struct arguments {
	const char *group, *event, *reuse;
	uint64_t count, parallel;	/* parallel: 0 is no limit */
	bool detach, no_premap;
	char *words[WORDS_ROOM];	/* the task's argv, argv[0] being the group */
	size_t nr_words;
	char *variables[WORDS_ROOM];
	size_t nr_variables;
};

/* What all tasks of this call have in common. */
struct batch {
	const struct context *ctx;
	const struct arguments *arguments;
	struct entry entry;
	int cgroup, event;	/* descriptors, or -1 */
	pid_t *pids;
	size_t nr;		/* started */
	char request[64];	/* COPPICE_REQUEST_NS of the next task */
};

static int add_word(char **words, size_t *nr, char *word, struct error *err)
{
	if (*nr == WORDS_MAX)
		return error_usage(err, "there are more than %d arguments or variables", WORDS_MAX);
	words[(*nr)++] = word;
	return 0;
}

static int add_variable(struct arguments *arguments, char *text, struct error *err)
{
	if (text[0] == '=' || !strchr(text, '='))
		return error_usage(err, "'%.80s' is no variable: give NAME=VALUE", text);
	return add_word(arguments->variables, &arguments->nr_variables, text, err);
}

static int parse_reuse(struct arguments *arguments, const char *how, struct error *err)
{
	if (strcmp(how, "reset") && strcmp(how, "keep"))
		return error_usage(err, "'%.80s' is no way to reuse a task: give reset or keep", how);
	arguments->reuse = how;
	return 0;
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	switch (key) {
	case OPTION_EVENT:
		arguments->event = arg;
		return 0;
	case OPTION_COUNT:
		return number_parse("a number of tasks", arg, COUNT_MAX, &arguments->count, err);
	case OPTION_PARALLEL:
		return number_parse("a number of tasks", arg, COUNT_MAX, &arguments->parallel, err);
	case OPTION_DETACH:
		arguments->detach = true;
		return 0;
	case OPTION_ENV:
		return add_variable(arguments, arg, err);
	case OPTION_NO_PREMAP:
		arguments->no_premap = true;
		return 0;
	case OPTION_REUSE:
		return parse_reuse(arguments, arg, err);
	}
	if (!arguments->group)
		arguments->group = arg;
	return add_word(arguments->words, &arguments->nr_words, arg, err);
}

/*
 * Starting.
 */

/* Room for these variables is left by add_word(). */
static char **make_environment(struct batch *batch, struct arguments *arguments)
{
	static char event[32], reuse[32];
	size_t nr = arguments->nr_variables;

	arguments->variables[nr++] = batch->request;
	if (arguments->event) {
		snprintf(event, sizeof(event), COPPICE_ENV_EVENT "=%d", TASK_EVENT_FD);
		arguments->variables[nr++] = event;
	}
	if (arguments->reuse) {
		snprintf(reuse, sizeof(reuse), COPPICE_ENV_REUSE "=%s", arguments->reuse);
		arguments->variables[nr++] = reuse;
	}
	if (trust_has(batch->entry.group.name))
		trust_variables(arguments->variables, nr, arguments->variables + nr);
	return spawn_environment(environ, &batch->entry.confinement.user, arguments->variables);
}

/* Each child has its own copy of the text. */
static void note_request(struct batch *batch)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(batch->request, sizeof(batch->request), COPPICE_ENV_REQUEST "=%lld%09ld",
		 (long long)now.tv_sec, now.tv_nsec);
}

static int open_batch(struct batch *batch, struct arguments *arguments, struct error *err)
{
	struct launch *launch = &batch->entry.launch;

	if (place_look_at_self(err) || entry_open(batch->ctx->backend, arguments->group, &batch->entry, err))
		return -1;
	batch->cgroup = cgroup_open(batch->entry.group.cgroup, err);
	if (batch->cgroup < 0)
		return -1;
	if (arguments->event) {
		batch->event = event_read(arguments->event, err);
		if (batch->event < 0)
			return -1;
	}
	launch->no_premap = arguments->no_premap;
	launch->argv = arguments->words;
	note_request(batch);
	launch->envp = make_environment(batch, arguments);
	batch->pids = calloc(arguments->count + 1, sizeof(*batch->pids));
	if (!launch->envp || !batch->pids)
		return error_set(err, ENOMEM, "out of memory");
	late_keep_from_children();
	return launch_plan(launch, err);
}

static void close_batch(struct batch *batch)
{
	spawn_environment_free((char **)batch->entry.launch.envp);
	entry_close(&batch->entry);
	cleanup_close(&batch->cgroup);
	cleanup_close(&batch->event);
	free(batch->pids);
}

/* Each task reads at an offset of its own; the last one has that which nobody has read at. */
static int open_event(const struct batch *batch, int *event, int *reopened, struct error *err)
{
	*event = batch->event;
	if (batch->event < 0 || batch->nr + 1 == batch->arguments->count)
		return 0;
	*event = *reopened = event_reopen(batch->event, err);
	return *event < 0 ? -1 : 0;
}

static int start_one(struct batch *batch, const struct report *report, struct error *err)
{
	struct task_start start = {
		.launch = &batch->entry.launch,
		.cgroup = batch->cgroup,
		.output = -1,
	};
	autoclose int admitted = -1;
	autoclose int reopened = -1;

	note_request(batch);
	if (open_event(batch, &start.event, &reopened, err))
		return -1;
	if (batch->ctx->backend->admit) {
		admitted = batch->ctx->backend->admit(batch->entry.group.name, err);
		if (admitted < 0)
			return -1;
	}
	if (entry_start(&batch->entry, &start, report, &batch->pids[batch->nr], err))
		return -1;
	batch->nr++;
	return 0;
}

/*
 * Detached: each is known to have entered before the next one starts.
 */

static int print_pids(const struct batch *batch, struct error *err)
{
	autojson json_t *pids = json_array();
	size_t i;

	for (i = 0; i < batch->nr; i++) {
		json_array_append_new(pids, json_integer(batch->pids[i]));
		if (!batch->ctx->json)
			printf("%d\n", batch->pids[i]);
	}
	if (batch->ctx->json)
		return output_rows(batch->ctx, pids, NULL, err);
	if (fflush(stdout))
		return error_set(err, errno, "the output cannot be written: %s", strerror(errno));
	return 0;
}

static int start_and_confirm(struct batch *batch, struct error *err)
{
	struct report report;
	int ret;

	if (report_open(&report, 1, err))
		return -1;
	ret = start_one(batch, &report, err);
	if (!ret && report_wait(&report, batch->pids[batch->nr - 1], err)) {
		batch->nr--;
		ret = -1;
	}
	report_close(&report);
	return ret;
}

static int run_detached(struct batch *batch, struct error *err)
{
	uint64_t wanted = batch->arguments->count;
	struct error second;

	while (batch->nr < wanted) {
		if (!start_and_confirm(batch, err))
			continue;
		if (!batch->nr)
			return -1;
		/* Those that run are told of, or they could not be ended. */
		(void)!print_pids(batch, &second);
		err->status = EXIT_REFUSED;
		return error_prefix(err, "only %zu of %llu tasks were started", batch->nr,
				    (unsigned long long)wanted);
	}
	return print_pids(batch, err) ? -1 : EXIT_OK;
}

/*
 * Attached: all are started, then waited for. The terminal's interrupt is for the tasks.
 */

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_RUN;
	return exit_status(status);
}

struct outcome {
	size_t ended;		/* how many, the oldest first */
	int status;		/* the first that is not 0 */
	bool failed;		/* a task did not get as far as to run: see err */
};

static void wait_oldest(const struct batch *batch, struct report *report,
			struct outcome *outcome, struct error *err)
{
	int status;

	report->slot = outcome->ended++;
	status = wait_for(batch->pids[report->slot]);
	if (status && !outcome->failed)
		outcome->failed = report_failed(report, err);
	if (!outcome->status)
		outcome->status = status;
}

static int start_all(struct batch *batch, struct report *report, struct outcome *outcome,
		     struct error *task_err, struct error *err)
{
	uint64_t parallel = batch->arguments->parallel;

	while (batch->nr < batch->arguments->count) {
		if (parallel && batch->nr - outcome->ended == parallel)
			wait_oldest(batch, report, outcome, task_err);
		report->slot = batch->nr;
		if (start_one(batch, report, err))
			return -1;
	}
	return 0;
}

static int run_attached(struct batch *batch, struct error *err)
{
	struct outcome outcome = {};
	struct report report;
	struct error task_err;
	int failed;

	if (report_open(&report, batch->arguments->count, err))
		return -1;
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	failed = start_all(batch, &report, &outcome, &task_err, err);
	while (outcome.ended < batch->nr)
		wait_oldest(batch, &report, &outcome, &task_err);
	report_close(&report);
	if (outcome.failed)
		*err = task_err;
	return failed || outcome.failed ? -1 : outcome.status;
}

static int check_reuse(const struct context *ctx, const struct arguments *arguments,
		       struct error *err)
{
	if (!arguments->reuse)
		return 0;
	if (!arguments->event)
		return error_usage(err, "--reuse is about several events: give a file of them with --event");
	if (!strcmp(arguments->reuse, "reset") && !ctx->backend->task_reset)
		return error_set(err, EOPNOTSUPP, "the %s backend cannot reset a task: load the module, or give --reuse keep",
				 ctx->backend->name);
	return 0;
}

static int prepare(struct context *ctx, int argc, char **argv, struct arguments *arguments,
		   struct error *err)
{
	arguments->count = 1;
	if (cmd_parse(&cmd_run, argc, argv, option, arguments, err))
		return -1;
	if (!arguments->group)
		return error_usage(err, "the name of the GROUP is missing: coppice run %s",
				   cmd_run.args);
	if (!arguments->count)
		return error_usage(err, "--count 0 starts nothing: give 1 or more");
	return check_reuse(ctx, arguments, err);
}

static int run_batch(struct context *ctx, struct arguments *arguments, struct error *err)
{
	struct batch batch = {
		.ctx = ctx, .arguments = arguments, .cgroup = -1, .event = -1,
		.entry = ENTRY_NONE,
	};
	int status;

	/* Unless something says otherwise, no task was started. */
	if (open_batch(&batch, arguments, err))
		status = -1;
	else
		status = arguments->detach ? run_detached(&batch, err) : run_attached(&batch, err);
	if (status < 0 && !(arguments->detach && batch.nr))
		err->status = EXIT_RUN;
	close_batch(&batch);
	return status;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments *arguments = calloc(1, sizeof(*arguments));
	int status = -1;

	if (!arguments)
		return error_set(err, ENOMEM, "out of memory");
	if (!prepare(ctx, argc, argv, arguments, err))
		status = run_batch(ctx, arguments, err);
	free(arguments);
	return status;
}

const struct command cmd_run = {
	.object = "run",
	.args = "GROUP [--event FILE|- [--reuse reset|keep]] [--count N] [--parallel N] [--detach] "
		"[--env NAME=VALUE]… [--no-premap] [-- ARG…]",
	.summary = "Start tasks in a group",
	.help = "Tasks run as the group's owner in the group's cgroup, with the caller's standard "
		"input, output and error and working directory, and its environment without LD_* "
		"and COPPICE_*. The exit status is the task's own, or that of the first task that "
		"had another than 0; 128 and the number for a signal; 125 if a task was not "
		"started. Tasks of a group with grants begin in / instead, and have of the hub what was "
		"granted.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
