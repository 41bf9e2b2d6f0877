// SPDX-License-Identifier: GPL-2.0
/* Starting a task: a process that enters its group's image, or an ordinary program. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "lib/entry.h"
#include "lib/late.h"
#include "lib/paths.h"
#include "lib/trust.h"
#include "log.h"
#include "task_parts.h"
#include "task_record.h"

#define PYTHON		"/usr/bin/python3"
#define VARIABLES	24		/* of ours, at most */
#define PROCESSES	512		/* of an owner, where a task's can't be counted */

/* What one start needs, and is of no use afterwards. */
struct beginning {
	struct task *task;
	struct entry entry;
	bool ordinary;
	char *argv[5];		/* with the NULL at its end */
	struct task_program program;
	char *own[VARIABLES];	/* allocated; NULL: there was no memory for one */
	size_t nr_own;
	char **more, **envp;
	char path[PATH_MAX];
	int channel, output;	/* the task's ends, or -1 */
	unsigned int port;	/* of its endpoint, or 0 */
};

static void __attribute__((format(printf, 2, 3)))
set_variable(struct beginning *beginning, const char *format, ...)
{
	char **text = &beginning->own[beginning->nr_own++];
	va_list args;

	va_start(args, format);
	if (vasprintf(text, format, args) < 0)
		*text = NULL;
	va_end(args);
}

static void set_protocol(struct beginning *beginning)
{
	const struct pool *pool = beginning->task->pool;

	if (beginning->port) {
		set_variable(beginning, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:%u", beginning->port);
		return;
	}
	if (pool->function.runtime == FUNCTION_COMMAND) {
		set_variable(beginning, COPPICE_ENV_EVENT "=%d", TASK_EVENT_FD);
		return;
	}
	set_variable(beginning, COPPICE_ENV_CHANNEL "=%d", TASK_EVENT_FD);
	if (beginning->task->spare)
		set_variable(beginning, COPPICE_ENV_SPARE "=1");
	set_variable(beginning, COPPICE_ENV_REUSE "=%s",
		     pool_is_fresh(pool) || pool->function.reuse != FUNCTION_RESET ? "keep" : "reset");
}

static bool is_given(char *const *list, const char *start)
{
	for (; *list; list++)
		if (!strncmp(*list, start, strlen(start)))
			return true;
	return false;
}

/* The cloud's names. */
static void set_own(struct beginning *beginning)
{
	const struct function *function = &beginning->task->pool->function;

	if (!is_given(function->environment, "PATH="))
		set_variable(beginning, "PATH=/usr/local/bin:/usr/bin:/bin");
	if (!is_given(function->environment, "LANG="))
		set_variable(beginning, "LANG=C.UTF-8");
	set_variable(beginning, "AWS_LAMBDA_FUNCTION_NAME=%s", function->name);
	set_variable(beginning, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST");
	set_variable(beginning, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%u", function->memory);
	set_variable(beginning, "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/%s", function->name);
	set_variable(beginning, "LAMBDA_TASK_ROOT=%s", function->directory);
	if (function->handler)
		set_variable(beginning, "_HANDLER=%s", function->handler);
	if (beginning->path[0])
		set_variable(beginning, "PYTHONPATH=%s", beginning->path);
	set_protocol(beginning);
}

static size_t length(char *const *list)
{
	size_t nr = 0;

	while (list[nr])
		nr++;
	return nr;
}

static int make_environment(struct beginning *beginning, struct error *err)
{
	const struct function *function = &beginning->task->pool->function;
	size_t nr = length(function->environment), i;
	char *none[] = { NULL };

	set_own(beginning);
	beginning->more = calloc(nr + VARIABLES + TRUST_VARIABLES + 1, sizeof(char *));
	if (!beginning->more)
		return error_set(err, ENOMEM, "out of memory");
	memcpy(beginning->more, function->environment, nr * sizeof(char *));
	if (trust_has(beginning->entry.group.name))
		nr += trust_variables(beginning->more, nr, beginning->more + nr);
	for (i = 0; i < beginning->nr_own; i++) {
		if (!beginning->own[i])
			return error_set(err, ENOMEM, "out of memory");
		beginning->more[nr + i] = beginning->own[i];
	}
	beginning->envp = spawn_environment(none, &beginning->entry.confinement.user, beginning->more);
	return beginning->envp ? 0 : error_set(err, ENOMEM, "out of memory");
}

/*
 * What it runs.
 */

static int plan_program(struct beginning *beginning, struct error *err)
{
	const struct function *function = &beginning->task->pool->function;
	static char target[2 * PATH_MAX];

	beginning->program.directory = function->directory;
	if (function->runtime != FUNCTION_PYTHON) {
		beginning->program.argv = function->command;
		return 0;
	}
	snprintf(target, sizeof(target), "%s:%s", function->file, function->handler);
	beginning->argv[0] = PYTHON;
	beginning->argv[1] = "-m";
	beginning->argv[2] = "coppice.bootstrap";
	beginning->argv[3] = target;
	beginning->program.argv = beginning->argv;
	return path_python(beginning->path, err);
}

static int open_entry(struct beginning *beginning, struct error *err)
{
	const struct pool *pool = beginning->task->pool;
	const struct backend *backend = pool->coordinator->backend;

	beginning->ordinary = pool->function.mode != FUNCTION_IMAGE;
	if (!beginning->ordinary)
		return entry_open(backend, pool->group, &beginning->entry, err);
	return entry_open_plain(backend, pool->group, &beginning->entry, err) ? -1 :
		plan_program(beginning, err);
}

/* Once what it is told is complete. */
static int plan_launch(struct beginning *beginning, struct error *err)
{
	static char *const argv[] = { "coppice-task", NULL };
	struct launch *launch = &beginning->entry.launch;

	beginning->program.envp = beginning->envp;
	if (beginning->ordinary)
		return 0;
	launch->argv = argv;
	launch->envp = beginning->envp;
	return launch_plan(launch, err);
}

/*
 * How it talks.
 */

static int open_channel(struct beginning *beginning, struct error *err)
{
	struct task *task = beginning->task;
	int ends[2];

	if (task->pool->function.runtime == FUNCTION_BOOTSTRAP)
		return runtime_api_open(task, &beginning->port, err);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return error_set(err, errno, "no sockets for a task: %s", strerror(errno));
	beginning->channel = ends[1];
	if (!channel_open(&task->channel, task_loop(task), ends[0], err)) {
		task->channel.plain = task->pool->function.runtime == FUNCTION_COMMAND;
		return 0;
	}
	close(ends[0]);
	return -1;
}

static int open_output(struct beginning *beginning, struct error *err)
{
	struct task *task = beginning->task;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return error_set(err, errno, "no pipe for a task: %s", strerror(errno));
	beginning->output = ends[1];
	if (!fcntl(ends[0], F_SETFL, O_NONBLOCK) && !task_output_open(task, ends[0], err))
		return 0;
	close(ends[0]);
	return -1;
}

/*
 * The process.
 */

/* Where cgroups can't: what it may allocate beside the image, and processes of its owner. */
static void set_limits(const struct beginning *beginning, struct task_start *start)
{
	const struct launch *launch = &beginning->entry.launch;
	size_t i;

	if (!cgroup_has_controller("memory")) {
		start->data_max = (uint64_t)beginning->task->pool->function.memory << 20;
		for (i = 0; i < launch->nr_segments; i++)
			start->data_max += launch->segments[i].len;
	}
	if (!cgroup_has_controller("pids"))
		start->processes_max = PROCESSES;
}

static int start_in(struct beginning *beginning, int cgroup, struct error *err)
{
	const struct backend *backend = beginning->entry.backend;
	struct task_start start = {
		.launch = &beginning->entry.launch,
		.program = beginning->ordinary ? &beginning->program : NULL,
		.cgroup = cgroup,
		.event = beginning->channel,
		.output = beginning->output,
		.by_streams = beginning->task->channel.plain,
	};
	autoclose int admitted = -1;

	set_limits(beginning, &start);
	late_keep_from_children();
	if (backend->admit) {
		admitted = backend->admit(beginning->entry.group.name, err);
		if (admitted < 0)
			return -1;
	}
	return entry_start(&beginning->entry, &start, &beginning->task->report,
			   &beginning->task->pid, err);
}

static int start(struct beginning *beginning, struct error *err)
{
	struct task *task = beginning->task;
	autoclose int cgroup = -1;
	int pidfd;

	if (report_open(&task->report, 1, err) ||
	    task_cgroup_make(task, beginning->entry.group.cgroup, err))
		return -1;
	cgroup = task_cgroup_open(task, err);
	if (cgroup < 0 || start_in(beginning, cgroup, err))
		return -1;
	pidfd = pidfd_open(task->pid, 0);
	if (pidfd < 0)
		return error_set(err, errno, "a task cannot be watched: %s", strerror(errno));
	return loop_watch(task_loop(task), &task->exit, pidfd, EPOLLIN, err);
}

static int begin(struct beginning *beginning, struct error *err)
{
	if (open_entry(beginning, err) || open_channel(beginning, err) ||
	    open_output(beginning, err) || make_environment(beginning, err) ||
	    plan_launch(beginning, err))
		return -1;
	return start(beginning, err);
}

static void end(struct beginning *beginning)
{
	cleanup_close(&beginning->channel);
	cleanup_close(&beginning->output);
	spawn_environment_free(beginning->envp);
	while (beginning->nr_own)
		free(beginning->own[--beginning->nr_own]);
	free(beginning->more);
	entry_close(&beginning->entry);
}

/* Nobody waits for what it says. */
void task_undo(struct task *task)
{
	struct loop *loop = task_loop(task);

	task_record_end(task);
	loop_unwatch(loop, &task->exit);
	channel_close(&task->channel, loop);
	runtime_api_close(task);
	task_output_close(task);
	report_close(&task->report);
	if (task->cgroup[0]) {
		task_cgroup_kill(task);
		(void)task_cgroup_remove(task);
	}
	free(task);
}

int task_begin(struct pool *pool, bool spare, struct error *err)
{
	struct beginning *beginning = calloc(1, sizeof(*beginning));
	struct task *task = malloc(sizeof(*task));
	int ret;

	if (!beginning || !task) {
		free(beginning);
		free(task);
		return error_set(err, ENOMEM, "out of memory");
	}
	task_init(task, pool);
	task->spare = spare;
	*beginning = (struct beginning) {
		.task = task, .channel = -1, .output = -1, .entry = ENTRY_NONE,
	};
	ret = begin(beginning, err);
	end(beginning);
	free(beginning);
	if (ret) {
		task_undo(task);
		return -1;
	}
	task_record_begin(task);
	TAILQ_INSERT_TAIL(&pool->tasks, task, link);
	task_enter(task, TASK_STARTING, TASK_START_NS);
	/* It does not ask for its event, which waits for it. */
	if (task->channel.plain)
		task_is_ready(task);
	return 0;
}
