// SPDX-License-Identifier: GPL-2.0
/* coppice container hook */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cgroup.h"
#include "lib/cleanup.h"
#include "override.h"
#include "lib/json_read.h"

#define ANNOTATION	"org.coppice.group"
#define STATE_MAX	(1 << 20)

/* What a runtime says of a container: see the OCI runtime specification, "State". */
struct state {
	const char *id, *status, *group;
	pid_t pid;
};

static json_t *read_state(struct error *err)
{
	autofree char *text = malloc(STATE_MAX);
	json_error_t why;
	json_t *object;
	size_t len;

	if (!text) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	len = fread(text, 1, STATE_MAX, stdin);
	object = json_read_text(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!object && !json_read_starved("standard input", err))
		error_set(err, EINVAL, "standard input has no state of a container: %.160s: this is for OCI runtimes, see oci-hooks(5)",
			  why.text);
	return object;
}

static int take(const json_t *object, struct state *state, struct error *err)
{
	const json_t *group = json_object_get(json_object_get(object, "annotations"), ANNOTATION);

	*state = (struct state) {
		.id = json_string_value(json_object_get(object, "id")),
		.status = json_string_value(json_object_get(object, "status")),
		.pid = json_integer_value(json_object_get(object, "pid")),
		.group = json_string_value(group),
	};
	if (!state->id || !state->status)
		return error_set(err, EINVAL, "the state on standard input has no id or no status: this is for OCI runtimes, see oci-hooks(5)");
	if (group && !state->group)
		return error_set(err, EINVAL, "the annotation " ANNOTATION " of container %.160s is no text: give the name of a group",
				 state->id);
	return redirect_check_container(state->id, err);
}

static int enter(struct context *ctx, const struct state *state, struct error *err)
{
	char path[PATH_MAX];

	return override_attach(ctx, state->group, err) || cgroup_of(state->pid, path, err) ||
	       redirect_attach_container(state->group, state->id, path, err) ? -1 : 0;
}

static int obey(struct context *ctx, const struct state *state, struct error *err)
{
	if (!state->group)
		return 0;
	if (!strcmp(state->status, "stopped"))
		return redirect_detach_container(state->group, state->id, err);
	return enter(ctx, state, err) ? error_prefix(err, "container %.160s", state->id) : 0;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	autojson json_t *object = NULL;
	const char *word = NULL;
	struct state state;

	if (cmd_parse_word(&cmd_container_hook, argc, argv, &word, err))
		return -1;
	if (word)
		return error_usage(err, "'%.80s' is one argument too many: the state is read from standard input", word);
	object = read_state(err);
	return object && !take(object, &state, err) ? obey(ctx, &state, err) : -1;
}

const struct command cmd_container_hook = {
	.object = "container",
	.verb = "hook",
	.summary = "Give a container the overrides of a group: a hook of OCI runtimes",
	.help = "Reads the state that runtimes write to hooks. If the container has the annotation " ANNOTATION ", its cgroup gets the "
		"overrides of that group when it is created (stage createRuntime), and loses them when it is stopped (poststop). "
		"A group that is not there keeps the container from starting.",
	.needs_backend = true,
	.run = run,
};
