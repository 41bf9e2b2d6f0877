// SPDX-License-Identifier: GPL-2.0
/* The template's process, from fork to execve. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch.h"
#include "build_child.h"
#include "cleanup.h"
#include "paths.h"
#include "spawn.h"
#include "trust.h"

extern char **environ;

/* Variables that a template has and others have not. */
struct variables {
	char preload[PATH_MAX + 16];
	char record[64];
	char python[2 * PATH_MAX];
	char base[PATH_MAX + 32];
	char placement[64];
	char stack[64];
	char seed[32];
	char python_seed[32];
	char *list[11 + TRUST_VARIABLES];
};

/* What equal pages depend on beside the layout: the order of what is in hash tables. */
static size_t fill_layout(const struct build *build, struct variables *variables, size_t nr)
{
	if (!build->layout)
		return nr;
	snprintf(variables->stack, sizeof(variables->stack), COPPICE_ENV_STACK "=%llu",
		 (unsigned long long)layout_stack_limit());
	variables->list[nr++] = variables->stack;
	snprintf(variables->seed, sizeof(variables->seed), COPPICE_ENV_SEED "=%u",
		 build->layout->seed);
	variables->list[nr++] = variables->seed;
	if (!build->python_path || getenv("PYTHONHASHSEED"))
		return nr;
	snprintf(variables->python_seed, sizeof(variables->python_seed), "PYTHONHASHSEED=%u",
		 build->layout->seed);
	variables->list[nr++] = variables->python_seed;
	return nr;
}

static int fill_variables(const struct build *build, struct variables *variables,
			  struct error *err)
{
	const char *python = getenv("PYTHONPATH");
	char library[PATH_MAX];
	size_t nr = 0;

	if (path_library(library, err))
		return -1;
	snprintf(variables->preload, sizeof(variables->preload), "LD_PRELOAD=%s", library);
	snprintf(variables->record, sizeof(variables->record), COPPICE_ENV_TEMPLATE "=%d",
		 BUILD_RECORD_FD);
	variables->list[nr++] = variables->preload;
	variables->list[nr++] = variables->record;
	if (build->checkpoint_on_stdin)
		variables->list[nr++] = COPPICE_ENV_CHECKPOINT "=stdin";
	if (build->python_path) {
		snprintf(variables->python, sizeof(variables->python), "PYTHONPATH=%s%s%s",
			 build->python_path, python ? ":" : "", python ? python : "");
		variables->list[nr++] = variables->python;
		/* What happens to be in the current directory is no part of the function. */
		variables->list[nr++] = "PYTHONSAFEPATH=1";
	}
	if (build->python_base) {
		snprintf(variables->base, sizeof(variables->base), COPPICE_ENV_BASE "=%s",
			 build->python_base);
		variables->list[nr++] = variables->base;
	}
	if (build->placement) {
		snprintf(variables->placement, sizeof(variables->placement),
			 COPPICE_ENV_PLACEMENT "=%d", BUILD_PLACEMENT_FD);
		variables->list[nr++] = variables->placement;
	}
	nr = fill_layout(build, variables, nr);
	if (build->trusts_ca)
		nr += trust_variables(NULL, 0, variables->list + nr);
	variables->list[nr] = NULL;
	return 0;
}

/* The template's output goes where the controller's messages go: stdout is for results. */
static int arrange_descriptors(const struct build *build, int record, struct error *err)
{
	const int keep[] = { BUILD_RECORD_FD, BUILD_PLACEMENT_FD };
	/* Neither may be where the other goes. */
	int pipe = fcntl(record, F_DUPFD, BUILD_PLACEMENT_FD + 1);
	int placement = build->placement ?
			fcntl(build->placement, F_DUPFD, BUILD_PLACEMENT_FD + 1) : 0;
	int null = open("/dev/null", O_RDONLY);

	if (pipe < 0 || placement < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || dup2(pipe, BUILD_RECORD_FD) < 0 ||
	    (placement && dup2(placement, BUILD_PLACEMENT_FD) < 0))
		return error_set(err, errno, "the template's descriptors cannot be arranged: %s",
				 strerror(errno));
	return spawn_close_others(keep, placement ? 2 : 1, err);
}

/* Changing the user clears it, so it comes afterwards; and the parent may be gone already. */
static int die_with(pid_t parent, struct error *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		return error_set(err, ESRCH, "the controller ended");
	return 0;
}

/* Words of its command may be paths from where the caller is, if that is granted. */
static int become_template(const struct build *build, struct error *err)
{
	const struct task_start start = {
		.user = build->user, .enclosure = build->enclosure, .mounts = build->mounts,
	};
	autofree char *cwd = getcwd(NULL, 0);

	if (task_become(&start, err))
		return -1;
	if (build->enclosure && cwd)
		(void)!chdir(cwd);
	return 0;
}

/* All that becomes the template is done here, in this order. */
static void __attribute__((noreturn))
build_child(const struct build *build, char **environment, int record, pid_t parent)
{
	struct error err = {};
	sigset_t none;

	spawn_reset_signals();
	sigemptyset(&none);
	if ((!build->layout || !layout_use(build->layout, &err)) &&
	    !become_template(build, &err) && !arrange_descriptors(build, record, &err) &&
	    !die_with(parent, &err) && !arch_template_asks(&err)) {
		sigprocmask(SIG_SETMASK, &none, NULL);
		environ = environment;
		execvp(build->command[0], build->command);
		error_set(&err, errno, "%.200s cannot be run as user %s: %s", build->command[0],
			  build->user->name, strerror(errno));
	}
	report_fail(&err);
}

/*
 * CPython has integers up to 256, and makes an object of any other. A template with such a number is an object short,
 * and what is allocated behind it lies elsewhere than in other templates. The kernel itself gives numbers
 * below 300 only once, so it is soon past them.
 */
#define LARGEST_SMALL	256

static void pass_small_numbers(void)
{
	pid_t pid = getpid();

	while (pid > 0 && pid <= LARGEST_SMALL) {
		pid = fork();
		if (!pid)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static int start(const struct build *build, int cgroup, char **environment, int record,
		 const struct report *report, pid_t *pid, struct error *err)
{
	pid_t parent = getpid();

	if (build->python_path)
		pass_small_numbers();
	if (report_attach(report, err))
		return -1;
	*pid = spawn_fork(cgroup, err);
	if (!*pid)
		build_child(build, environment, record, parent);
	report_detach();
	return *pid < 0 || report_wait(report, *pid, err) || arch_template_begins(*pid, err) ? -1 : 0;
}

int build_start(const struct build *build, int cgroup, pid_t *pid, int *record,
		struct error *err)
{
	struct variables *variables = calloc(1, sizeof(*variables));
	char **environment = NULL;
	struct report report = { .fd = -1 };
	int ends[2], ret = -1;

	if (pipe2(ends, O_CLOEXEC)) {
		free(variables);
		return error_set(err, errno, "no pipe for the template's record: %s",
				 strerror(errno));
	}
	if (!variables) {
		error_set(err, ENOMEM, "out of memory");
	} else if (!fill_variables(build, variables, err) && !report_open(&report, 1, err)) {
		environment = spawn_environment(environ, build->user, variables->list);
		ret = environment ? start(build, cgroup, environment, ends[1], &report, pid, err) :
				    error_set(err, ENOMEM, "out of memory");
	}
	spawn_environment_free(environment);
	report_close(&report);
	free(variables);
	close(ends[1]);
	if (ret)
		close(ends[0]);
	else
		*record = ends[0];
	return ret;
}
