/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions: what a manifest says of one, and those that are deployed on this hub.
 *
 *	/var/lib/coppice/functions/NAME/function.json	manifest and what adding it found out
 *	/var/lib/coppice/code/UID/DIGEST/		code as deployed, of all functions of an
 *							owner that have the same
 *
 * Reading is in function_read.c and function_field.c, writing in function_store.c and
 * function_code.c, which functions share a group in function_group.c.
 */
#ifndef COPPICE_FUNCTION_H
#define COPPICE_FUNCTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "image.h"
#include "redirect.h"

#define FUNCTION_DIRECTORY	"/var/lib/coppice/functions"
#define FUNCTION_CODE		"/var/lib/coppice/code"
#define FUNCTION_MANIFEST	"function.json"
#define FUNCTION_DIGEST_SIZE	65	/* of the text */

enum function_runtime {
	FUNCTION_PYTHON,	/* a handler in a file of Python */
	FUNCTION_COMMAND,	/* a program that checkpoints itself, or when it reads its input */
	FUNCTION_BOOTSTRAP,	/* a program that polls the cloud's Runtime API */
	NR_FUNCTION_RUNTIMES
};

/* What a task is between two events. */
enum function_reuse {
	FUNCTION_RESET,		/* put back to the image */
	FUNCTION_KEEP,		/* what the last event left */
	FUNCTION_FRESH,		/* a new task each time */
	NR_FUNCTION_REUSES
};

enum function_mode {
	FUNCTION_IMAGE,		/* tasks enter the group's image */
	FUNCTION_ORDINARY,	/* the code can't be checkpointed: ordinary processes, adopted */
	NR_FUNCTION_MODES
};

extern const char *const function_runtimes[NR_FUNCTION_RUNTIMES];
extern const char *const function_reuses[NR_FUNCTION_REUSES];
extern const char *const function_modes[NR_FUNCTION_MODES];

/* An MQTT topic filter whose messages are events, and where the results go, or NULL. */
struct function_trigger {
	char *topic, *response;
};

/* Lists of texts end with NULL and are never NULL themselves. Sets are sorted. */
struct function {
	char name[IMAGE_NAME_MAX + 1];
	char *version, *alias;		/* or NULL */
	enum function_runtime runtime;
	char *directory;		/* absolute: where the files below are */
	bool whole;			/* all that is in there is the code, not only these */
	char *file, *handler;		/* of Python, else NULL */
	char **command;			/* of the others, else empty; argv[0] may be absolute */
	bool on_stdin;			/* command: checkpoint when it first reads its input */
	char *base;			/* run before the code is loaded, or NULL (Python) */
	char *placement;		/* learned by image build, or NULL (Python) */
	char **warm;			/* events, files */
	char **environment;		/* a set of "NAME=VALUE" */
	uid_t owner;
	char *trust_domain;
	unsigned int timeout;		/* seconds of an invocation */
	unsigned int memory;		/* MiB of a task */
	unsigned int min_warm, max;	/* tasks of this function */
	unsigned int priority;		/* the larger is served first */
	enum function_reuse reuse;
	bool share;			/* a group with others */
	char **overrides;		/* a set, for function_override() */
	char **libraries;		/* a set of "PROVIDER=LOCAL" */
	char *grants;			/* "DEPLOYMENT/FUNCTION", whose user is then the owner, or NULL */
	char **tokens, **certificates, **mqtt;	/* who may invoke it: sets, see devices.h */
	struct function_trigger *triggers;
	size_t nr_triggers;
	char *forward_hub, *forward_cloud;	/* where to, when the hub is full: at most one */
	bool forward_queue;		/* what is not taken there either waits here */

	/* Of what is deployed; also by function_digest() and with FUNCTION_IMAGE else. */
	char digest[FUNCTION_DIGEST_SIZE];	/* of code, runtime and what the image is made by */
	enum function_mode mode;
	char *reason;			/* why it is ordinary, or NULL */
	char *deployment;		/* which carries it, or NULL */
};

/*
 * The manifest at @path, or FUNCTION_MANIFEST in that directory. Everything is
 * checked; a refusal names the field. Frees nothing of what was in @function.
 */
int __must_check function_read(const char *path, struct function *function, struct error *err);
/* The same of JSON, with relative paths of @directory. @what names it in refusals. */
int __must_check function_parse(const json_t *manifest, const char *directory, const char *what,
				struct function *function, struct error *err);
void function_free(struct function *function);

/* The manifest again, with all that was left out of it; NULL on failure. */
json_t *function_json(const struct function *function);

/* A text of ->overrides as redirect.h has it. */
int __must_check function_override(const char *text, struct override *override,
				   struct error *err);

/* Fill in ->digest from the files. */
int __must_check function_digest(struct function *function, struct error *err);

/*
 * What a process of it runs and has, also as a template: lists that texts_free() of
 * function_field.h frees, or NULL. Python runs with the path of path_python() and its base in
 * COPPICE_ENV_BASE, as `image build` does it.
 */
char **function_words(const struct function *function);
char **function_variables(const struct function *function);

/*
 * Those that are deployed. ->directory is then the deployed code.
 */
int __must_check function_get(const char *name, struct function *function, struct error *err);
/* By name; a non-zero result ends it and is returned. */
typedef int (*function_fn)(const struct function *function, void *data);
int __must_check function_each(function_fn fn, void *data, struct error *err);

/*
 * The name of the group, and of its image: equal for functions that share one, and for no others.
 * Needs ->digest. See function_group.h.
 */
int __must_check function_group_name(const struct function *function, char name[IMAGE_NAME_MAX + 1],
				     struct error *err);

#endif /* COPPICE_FUNCTION_H */
