// SPDX-License-Identifier: GPL-2.0
/* coppice task adopt [PID…] GROUP */
#include <errno.h>
#include <stdlib.h>

#include "cmd.h"
#include "lib/adopt.h"
#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "lib/name.h"

#define WORDS_MAX	1024

enum { OPTION_CGROUP = 256 };

static const struct argp_option options[] = {
	{ .name = "cgroup", .key = OPTION_CGROUP, .arg = "PATH",
	  .doc = "adopt the processes in this cgroup below the cgroup v2 mount (default, without "
		 "a PID: the group's own)" },
	{}
};

static const struct column columns[] = {
	{ "pid", "PID", COLUMN_NUMBER },
	{ "mappings", "MAPPINGS", COLUMN_NUMBER },
	{ "adopted", "ADOPTED", COLUMN_NUMBER },
	{ "different", "DIFFERENT", COLUMN_NUMBER },
	{ "private", "PRIVATE", COLUMN_NUMBER },
	{ "absent", "ABSENT", COLUMN_NUMBER },
	{ "scattered", "SCATTERED", COLUMN_NUMBER },
	{ "refused", "REFUSED", COLUMN_TEXT },
	{}
};

struct arguments {
	const char *words[WORDS_MAX];	/* PIDs and, last, the group */
	size_t nr;
	const char *cgroup;
};

/* All processes that are asked for, and what became of them. */
struct adopting {
	struct adopter adopter;
	pid_t *pids;
	size_t nr_pids;
	json_t *rows;
	size_t refused;
	struct error first;	/* refusal */
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	if (key == OPTION_CGROUP) {
		arguments->cgroup = arg;
		return 0;
	}
	if (arguments->nr == WORDS_MAX)
		return error_usage(err, "there are more than %d processes", WORDS_MAX - 1);
	arguments->words[arguments->nr++] = arg;
	return 0;
}

static int check(const struct arguments *arguments, struct error *err)
{
	if (!arguments->nr)
		return error_usage(err, "into which group? coppice task adopt %s",
				   cmd_task_adopt.args);
	if (arguments->cgroup && arguments->nr > 1)
		return error_usage(err, "give either PIDs or --cgroup, not both");
	return 0;
}

static int parse_pids(const struct arguments *arguments, struct adopting *adopting,
		      struct error *err)
{
	uint64_t pid;

	adopting->pids = calloc(arguments->nr, sizeof(*adopting->pids));
	if (!adopting->pids)
		return error_set(err, ENOMEM, "out of memory");
	while (adopting->nr_pids < arguments->nr - 1) {
		if (number_parse("a process", arguments->words[adopting->nr_pids], INT32_MAX,
				 &pid, err))
			return -1;
		adopting->pids[adopting->nr_pids++] = pid;
	}
	return 0;
}

static int find_processes(const struct arguments *arguments, struct adopting *adopting,
			  struct error *err)
{
	const char *cgroup = arguments->cgroup ? arguments->cgroup :
						 adopting->adopter.group.cgroup;
	char path[PATH_MAX];

	if (arguments->nr > 1)
		return parse_pids(arguments, adopting, err);
	if (cgroup_path(cgroup, path, err))
		return -1;
	if (access(path, F_OK))
		return error_set(err, ENOENT, "there is no cgroup %.200s: give one below the cgroup v2 mount",
				 cgroup);
	return cgroup_pids(cgroup, &adopting->pids, &adopting->nr_pids, err);
}

static json_t *describe(pid_t pid, const struct adopt_result *result, const char *refused)
{
	const struct adopt_info *pages = &result->pages;

	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:s?}", "pid", pid,
			 "task", (json_int_t)pages->id,
			 "mappings", (json_int_t)result->mappings,
			 "adopted", (json_int_t)pages->adopted,
			 "different", (json_int_t)pages->different,
			 "private", (json_int_t)pages->private,
			 "absent", (json_int_t)pages->absent,
			 "scattered", (json_int_t)pages->scattered,
			 "skipped", (json_int_t)result->skipped,
			 "skip_reason", result->skipped ? result->skip_reason : NULL,
			 "refused", refused);
}

/* In a cgroup, processes come and go; one that is named should be there. */
static int adopt_one(struct adopting *adopting, pid_t pid, bool named, struct error *err)
{
	struct adopt_result result;
	struct error refusal = {};
	int ret = adopt_process(&adopting->adopter, pid, &result, &refusal);

	if (ret && refusal.code == ESRCH && !named)
		return 0;
	if (ret && !adopting->refused++)
		adopting->first = refusal;
	ret = json_array_append_new(adopting->rows,
				    describe(pid, &result, ret ? refusal.text : NULL));
	return ret ? error_set(err, ENOMEM, "out of memory") : 0;
}

/* Of several, those that could be adopted are; then the refusal is told. */
static int conclude(const struct adopting *adopting, struct error *err)
{
	if (!adopting->refused)
		return EXIT_OK;
	*err = adopting->first;
	if (adopting->nr_pids == 1)
		return -1;
	return error_prefix(err, "%zu of %zu processes were not adopted", adopting->refused,
			    adopting->nr_pids);
}

static int adopt_all(struct context *ctx, const struct arguments *arguments,
		     struct adopting *adopting, struct error *err)
{
	bool named = arguments->nr > 1;
	size_t i;

	if (find_processes(arguments, adopting, err))
		return -1;
	for (i = 0; i < adopting->nr_pids; i++)
		if (adopt_one(adopting, adopting->pids[i], named, err))
			return -1;
	/* A single refusal is all there is to say. */
	if (adopting->nr_pids == 1 && adopting->refused)
		return conclude(adopting, err);
	if (output_rows(ctx, adopting->rows, columns, err))
		return -1;
	return conclude(adopting, err);
}

static int run_parsed(struct context *ctx, const struct arguments *arguments,
		      struct error *err)
{
	autojson json_t *rows = json_array();
	struct adopting adopting = { .rows = rows };
	int ret;

	if (adopter_open(&adopting.adopter, ctx->backend, arguments->words[arguments->nr - 1],
			 err))
		return -1;
	ret = adopt_all(ctx, arguments, &adopting, err);
	adopter_close(&adopting.adopter);
	free(adopting.pids);
	return ret;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments *arguments = calloc(1, sizeof(*arguments));
	int ret = -1;

	if (!arguments)
		return error_set(err, ENOMEM, "out of memory");
	if (!cmd_parse(&cmd_task_adopt, argc, argv, option, arguments, err) &&
	    !check(arguments, err))
		ret = run_parsed(ctx, arguments, err);
	free(arguments);
	return ret;
}

const struct command cmd_task_adopt = {
	.object = "task",
	.verb = "adopt",
	.args = "[PID…] GROUP [--cgroup PATH]",
	.summary = "Replace library pages of running processes by the equal ones of the group's image",
	.help = "For processes that cannot be made a template: with threads, of any language. The "
		"group's image is one that `image build --elf` made. Files are matched by build-id, "
		"wherever each process has its copy, and pages by content; all user ids of the "
		"processes must be the owner's. ADOPTED, DIFFERENT, PRIVATE (written to), ABSENT "
		"(not in memory) and SCATTERED (equal, but few at a time) are pages.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
