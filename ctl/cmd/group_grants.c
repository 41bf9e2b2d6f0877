// SPDX-License-Identifier: GPL-2.0
/* coppice group grants GROUP [FILE] */
#include <errno.h>
#include <string.h>

#include "cmd.h"
#include "running.h"
#include "lib/cleanup.h"
#include "lib/enclosure.h"

enum { OPTION_RUNNING = 256 };

static const struct argp_option options[] = {
	{ .name = "running", .key = OPTION_RUNNING, .arg = "WHAT",
	  .doc = "what becomes of tasks that have the grants from before: keep them (the default), drain "
		 "(wait until they have ended) or end (SIGTERM, and SIGKILL if that is not heard)" },
	{}
};

static const struct column fields[] = {
	{ "uid", "user", COLUMN_NUMBER },
	{ "gid", "group", COLUMN_NUMBER },
	{ "groups", "groups besides", COLUMN_NUMBER },
	{ "umask", "umask", COLUMN_TEXT },
	{ "grants", "grants", COLUMN_TEXT },
	{ "ended", "tasks ended", COLUMN_NUMBER },
	{}
};

struct arguments {
	const char *words[2];	/* group, file */
	int nr;
	bool has_running;
	enum group_running running;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	if (key == OPTION_RUNNING) {
		arguments->has_running = true;
		return running_parse(arg, &arguments->running, err);
	}
	if (arguments->nr == 2)
		return error_usage(err, "'%.80s' is one argument too many: give a GROUP and a FILE", arg);
	arguments->words[arguments->nr++] = arg;
	return 0;
}

static int show(const struct context *ctx, const char *name, size_t ended, struct error *err)
{
	autojson json_t *object = NULL;
	autogrants struct grants grants = {};
	struct group_info info;

	if (ctx->backend->group_get(name, &info, err))
		return -1;
	if (!grants_kept(name))
		return error_set(err, ENOENT, "group %s has no grants: its tasks may do whatever its owner may", name);
	if (grants_of(name, &grants, err))
		return -1;
	object = enclosure_describe(&grants);
	if (ended)
		json_object_set_new(object, "ended", json_integer(ended));
	return output_object(ctx, object, fields, err);
}

static int change(const struct context *ctx, const struct arguments *arguments,
		  struct error *err)
{
	autogrants struct grants grants = {};
	size_t ended;

	if (grants_read(arguments->words[1], &grants, err) ||
	    group_regrant(ctx->backend, arguments->words[0], &grants, arguments->running, &ended,
			  err))
		return -1;
	return show(ctx, arguments->words[0], ended, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = {};

	if (cmd_parse(&cmd_group_grants, argc, argv, option, &arguments, err))
		return -1;
	if (!arguments.nr)
		return error_usage(err, "the name of the GROUP is missing: coppice group grants %s",
				   cmd_group_grants.args);
	if (arguments.nr == 1 && arguments.has_running)
		return error_usage(err, "--running is about a change of grants: give a FILE of them");
	return arguments.nr == 1 ? show(ctx, arguments.words[0], 0, err) :
				   change(ctx, &arguments, err);
}

const struct command cmd_group_grants = {
	.object = "group",
	.verb = "grants",
	.args = "GROUP [FILE|- [--running keep|drain|end]]",
	.summary = "Show or change what the tasks of a group are confined to",
	.help = "With FILE, coppice-grants(5), each task that is started from now on has what that grants, and "
		"nothing else. A task that runs keeps its mounts and its Landlock rules as long as it lives, but "
		"opens no device any more that was taken away.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
