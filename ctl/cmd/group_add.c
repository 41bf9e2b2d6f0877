// SPDX-License-Identifier: GPL-2.0
/* coppice group add NAME --image IMAGE */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "lib/group.h"
#include "lib/name.h"
#include "lib/user.h"

enum {
	OPTION_IMAGE = 256, OPTION_OWNER, OPTION_CGROUP, OPTION_MAX_TASKS, OPTION_MEMORY_MAX,
	OPTION_PIDS_MAX, OPTION_RESHARE, OPTION_ADOPT, OPTION_GRANTS,
};

static const struct argp_option options[] = {
	{ .name = "image", .key = OPTION_IMAGE, .arg = "IMAGE",
	  .doc = "image that the group's tasks share" },
	{ .name = "owner", .key = OPTION_OWNER, .arg = "USER",
	  .doc = "whom tasks run as (default: the image's owner)" },
	{ .name = "cgroup", .key = OPTION_CGROUP, .arg = "PATH",
	  .doc = "cgroup of the tasks below the cgroup v2 mount, made if it is missing and "
		 "kept when the group is deleted (default: /coppice/NAME)" },
	{ .name = "max-tasks", .key = OPTION_MAX_TASKS, .arg = "N",
	  .doc = "most tasks at a time (default: no limit)" },
	{ .name = "memory-max", .key = OPTION_MEMORY_MAX, .arg = "BYTES",
	  .doc = "most memory of the group's cgroup (memory.max); K, M, G and T are understood" },
	{ .name = "pids-max", .key = OPTION_PIDS_MAX, .arg = "N",
	  .doc = "most processes and threads in the group's cgroup (pids.max)" },
	{ .name = "reshare", .key = OPTION_RESHARE, .arg = "WHEN",
	  .doc = "when tasks give back private pages that equal the image's: idle, never, "
		 "every=SECONDS or pressure (default: idle)" },
	{ .name = "adopt", .key = OPTION_ADOPT,
	  .doc = "have `coppice group watch` adopt the processes that appear in the group's "
		 "cgroup (an image of libraries)" },
	{ .name = "grants", .key = OPTION_GRANTS, .arg = "FILE",
	  .doc = "confine tasks to what FILE (-: standard input) grants, coppice-grants(5); they run "
		 "as the user that it names" },
	{}
};

struct arguments {
	const char *name, *image, *owner, *cgroup, *reshare, *grants;
	uint64_t max_tasks;
	struct cgroup_limits limits;
	bool adopt;
};

static int argument(struct arguments *arguments, const char *arg, struct error *err)
{
	if (arguments->name)
		return error_usage(err, "'%.80s' is one argument too many after '%.80s'", arg,
				   arguments->name);
	arguments->name = arg;
	return 0;
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	switch (key) {
	case OPTION_IMAGE:
		arguments->image = arg;
		return 0;
	case OPTION_OWNER:
		arguments->owner = arg;
		return 0;
	case OPTION_CGROUP:
		arguments->cgroup = arg;
		return 0;
	case OPTION_MAX_TASKS:
		return number_parse("a number of tasks", arg, INT32_MAX, &arguments->max_tasks,
				    err);
	case OPTION_MEMORY_MAX:
		return bytes_parse("an amount of memory", arg, &arguments->limits.memory_max, err);
	case OPTION_PIDS_MAX:
		return number_parse("a number of processes", arg, INT32_MAX,
				    &arguments->limits.pids_max, err);
	case OPTION_RESHARE:
		arguments->reshare = arg;
		return 0;
	case OPTION_ADOPT:
		arguments->adopt = true;
		return 0;
	case OPTION_GRANTS:
		arguments->grants = arg;
		return 0;
	default:
		return argument(arguments, arg, err);
	}
}

static int check(const struct arguments *arguments, struct error *err)
{
	if (!arguments->name || !arguments->image)
		return error_usage(err, "a NAME and the group's --image are needed: coppice group add %s",
				   cmd_group_add.args);
	if (name_check("a group", arguments->name, err))
		return -1;
	if (!strncmp(arguments->name, CGROUP_BUILD, strlen(CGROUP_BUILD)))
		return error_set(err, EINVAL, "'%.80s' cannot name a group: names with %s are those of image builds",
				 arguments->name, CGROUP_BUILD);
	return 0;
}

/* Paths are kept as they are given, and compared: one path, one spelling. */
static int set_cgroup(struct group_info *group, const char *cgroup, struct error *err)
{
	char path[PATH_MAX];
	int len;

	if (cgroup)
		len = snprintf(group->cgroup, sizeof(group->cgroup), "%s", cgroup);
	else
		len = snprintf(group->cgroup, sizeof(group->cgroup), CGROUP_PARENT "/%s",
			       group->name);
	if (len >= (int)sizeof(group->cgroup))
		return error_set(err, ENAMETOOLONG, "the cgroup's path has more than %zu bytes",
				 sizeof(group->cgroup) - 1);
	if (strstr(group->cgroup, "//") || group->cgroup[len - 1] == '/' ||
	    !strcmp(group->cgroup, CGROUP_PARENT))
		return error_set(err, EINVAL, "'%.80s' cannot be a group's cgroup: give a path like /coppice/%s",
				 group->cgroup, group->name);
	return cgroup_path(group->cgroup, path, err);
}

static int check_adopt(const struct context *ctx, const struct image_info *image,
		       struct error *err)
{
	if (!ctx->backend->adopt)
		return error_set(err, EOPNOTSUPP, "the %s backend cannot adopt: load the module",
				 ctx->backend->name);
	if (!image->library)
		return error_set(err, EINVAL, "the image %s is made of a template: --adopt wants one that `coppice image build --elf` made",
				 image->name);
	return 0;
}

/* Two that say who tasks are have to say the same. */
static int set_owner(const struct arguments *arguments, const struct grants *grants,
		     struct group_info *group, struct error *err)
{
	if (arguments->owner && group->owner != grants->uid)
		return error_set(err, EINVAL, "--owner %.80s is user %u, and the grants are those of user %u: leave --owner out",
				 arguments->owner, group->owner, grants->uid);
	if (arguments->adopt)
		return error_set(err, EINVAL, "processes that --adopt finds in the cgroup cannot be confined: leave --grants out");
	group->owner = grants->uid;
	return 0;
}

static int describe(const struct context *ctx, const struct arguments *arguments,
		    const struct grants *grants, struct group_info *group, struct error *err)
{
	struct image_info image;
	struct policy policy;
	struct user owner;

	if (ctx->backend->image_get(arguments->image, &image, err))
		return -1;
	if (arguments->adopt && check_adopt(ctx, &image, err))
		return -1;
	if (policy_parse(arguments->reshare, &policy, err))
		return -1;
	if (arguments->owner && user_find(arguments->owner, &owner, err))
		return -1;
	*group = (struct group_info) {
		.owner = arguments->owner ? owner.uid : image.owner,
		.max_tasks = arguments->max_tasks,
		.adopt = arguments->adopt,
	};
	if (arguments->grants && set_owner(arguments, grants, group, err))
		return -1;
	snprintf(group->name, sizeof(group->name), "%s", arguments->name);
	snprintf(group->image, sizeof(group->image), "%s", arguments->image);
	snprintf(group->reshare, sizeof(group->reshare), "%s", arguments->reshare);
	return set_cgroup(group, arguments->cgroup, err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = { .reshare = POLICY_DEFAULT };
	autogrants struct grants grants = {};
	struct group_info group;

	if (cmd_parse(&cmd_group_add, argc, argv, option, &arguments, err) ||
	    check(&arguments, err) ||
	    (arguments.grants && grants_read(arguments.grants, &grants, err)) ||
	    describe(ctx, &arguments, &grants, &group, err))
		return -1;
	return group_make(ctx->backend, &group, &arguments.limits,
			  arguments.grants ? &grants : NULL, err);
}

const struct command cmd_group_add = {
	.object = "group",
	.verb = "add",
	.args = "NAME --image IMAGE [--owner USER] [--cgroup PATH] [--max-tasks N] "
		"[--memory-max BYTES] [--pids-max N] [--reshare WHEN] [--adopt] [--grants FILE]",
	.summary = "Make a group whose tasks share an image",
	.help = "An image may be used by groups of its owner; root's by everybody's. With --reshare idle a "
		"task gives memory back when it waits for its next event; every=SECONDS and "
		"pressure are done by `coppice group watch`.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
