// SPDX-License-Identifier: GPL-2.0
/* coppice task kill GROUP|PID… */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmd.h"
#include "lib/cgroup.h"
#include "lib/group.h"
#include "lib/name.h"

#define TARGETS_MAX	1024

enum { OPTION_SIGNAL = 256 };

static const struct argp_option options[] = {
	{ .name = "signal", .key = OPTION_SIGNAL, .arg = "SIGNAL",
	  .doc = "name or number of the signal to send (default: TERM)" },
	{}
};

struct arguments {
	const char *targets[TARGETS_MAX];
	size_t nr;
	int signal;
};

static int parse_signal(const char *text, int *sig, struct error *err)
{
	const char *name = strncasecmp(text, "SIG", 3) ? text : text + 3;
	uint64_t number;

	if (isdigit((unsigned char)*text)) {
		if (number_parse("a signal", text, SIGRTMAX, &number, err))
			return -1;
		*sig = number;
		return 0;
	}
	for (*sig = 1; *sig < SIGRTMIN; ++*sig)
		if (sigabbrev_np(*sig) && !strcasecmp(sigabbrev_np(*sig), name))
			return 0;
	return error_usage(err, "'%.80s' is no signal: give a name like TERM or KILL, or a number",
			   text);
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	if (key == OPTION_SIGNAL)
		return parse_signal(arg, &arguments->signal, err);
	if (arguments->nr == TARGETS_MAX)
		return error_usage(err, "there are more than %d groups and processes", TARGETS_MAX);
	arguments->targets[arguments->nr++] = arg;
	return 0;
}

static int send(pid_t pid, int sig, struct error *err)
{
	if (pid <= 0 || !kill(pid, sig) || errno == ESRCH)
		return 0;
	return error_set(err, errno, "task %d cannot be signalled: %s", pid, strerror(errno));
}

struct sending {
	int signal;
	pid_t only;		/* 0: all */
	bool found;
	struct error *err;
};

static int send_to_task(const struct task_info *info, void *data)
{
	struct sending *sending = data;

	if (sending->only && info->pid != sending->only)
		return 0;
	sending->found = true;
	return send(info->pid, sending->signal, sending->err);
}

/* In a cgroup of ours also those processes that left the group by execve(). */
static int kill_group(const struct context *ctx, const struct group_info *group, int sig,
		      struct error *err)
{
	struct sending sending = { .signal = sig, .err = err };

	if (group_owns_cgroup(group))
		return cgroup_signal(group->cgroup, sig, err);
	return ctx->backend->task_each(group->name, send_to_task, &sending, err);
}

/* Only tasks: a number that has been reused by another process is refused. */
static int kill_pid(const struct context *ctx, const char *target, int sig, struct error *err)
{
	struct sending sending = { .signal = sig, .err = err };
	uint64_t pid;

	if (number_parse("a process", target, INT32_MAX, &pid, err))
		return -1;
	sending.only = pid;
	if (ctx->backend->task_each(NULL, send_to_task, &sending, err))
		return -1;
	if (!sending.found)
		return error_set(err, ESRCH, "process %s is no task: `coppice task list` shows them",
				 target);
	return 0;
}

static int kill_target(const struct context *ctx, const char *target, int sig,
		       struct error *err)
{
	struct group_info group;

	if (!ctx->backend->group_get(target, &group, err))
		return kill_group(ctx, &group, sig, err);
	if (err->code != ENOENT)
		return -1;
	if (isdigit((unsigned char)*target))
		return kill_pid(ctx, target, sig, err);
	return error_set(err, ENOENT, "there is no group '%.80s': `coppice group list` shows them",
			 target);
}

static int kill_all(const struct context *ctx, const struct arguments *arguments,
		    struct error *err)
{
	size_t i;

	for (i = 0; i < arguments->nr; i++)
		if (kill_target(ctx, arguments->targets[i], arguments->signal, err))
			return -1;
	return 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments *arguments = calloc(1, sizeof(*arguments));
	int ret = -1;

	if (!arguments)
		return error_set(err, ENOMEM, "out of memory");
	arguments->signal = SIGTERM;
	if (cmd_parse(&cmd_task_kill, argc, argv, option, arguments, err))
		ret = -1;
	else if (!arguments->nr)
		ret = error_usage(err, "whom? give names of groups or process ids of tasks");
	else
		ret = kill_all(ctx, arguments, err);
	free(arguments);
	return ret;
}

const struct command cmd_task_kill = {
	.object = "task",
	.verb = "kill",
	.args = "GROUP|PID… [--signal SIGNAL]",
	.summary = "Send a signal to tasks, or to all of a group",
	.help = "A word that names a group means all processes in the group's cgroup, also if the "
		"word is a number. A process id is refused if it is no task's.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
