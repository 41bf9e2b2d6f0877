// SPDX-License-Identifier: GPL-2.0
/* coppice image build NAME: run a template until its checkpoint and load what it became. */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "image_again.h"
#include "lib/build.h"
#include "lib/cleanup.h"
#include "lib/function.h"
#include "lib/json_text.h"
#include "lib/library.h"
#include "lib/name.h"
#include "lib/paths.h"
#include "lib/placement.h"
#include "lib/recipe.h"
#include "lib/trust.h"

#define PYTHON		"/usr/bin/python3"
#define TIMEOUT		60
#define TIMEOUT_MAX	86400
#define PAD		4096
#define WORDS_MAX	256	/* of the template's command, and of events to warm it with */

enum {
	OPTION_OWNER = 256, OPTION_PYTHON, OPTION_WARM, OPTION_CHECKPOINT, OPTION_OVERRIDE,
	OPTION_OUTPUT, OPTION_TIMEOUT, OPTION_BASE, OPTION_LAYOUT, OPTION_ELF, OPTION_LIBRARY,
	OPTION_TRUST_CA, OPTION_GRANTS, OPTION_PLACEMENT,
};

extern char **environ;

static const struct argp_option options[] = {
	{ .name = "owner", .key = OPTION_OWNER, .arg = "USER",
	  .doc = "whom the template runs as and the image belongs to (default: who called "
		 "sudo, else nobody)" },
	{ .name = "python", .key = OPTION_PYTHON, .arg = "FILE:HANDLER",
	  .doc = "the template is Python with this function, called as HANDLER(event, context)" },
	{ .name = "warm", .key = OPTION_WARM, .arg = "EVENT.json",
	  .doc = "call the Python function with this event before the checkpoint; may be "
		 "repeated" },
	{ .name = "base", .key = OPTION_BASE, .arg = "FILE",
	  .doc = "run this Python file before the function is loaded: what functions have in "
		 "common, loaded first and alike in each image, is stored once" },
	{ .name = "placement", .key = OPTION_PLACEMENT, .arg = "FILE",
	  .doc = "lay the Python objects together that events write to, so that tasks have less memory of their "
		 "own; if there is no FILE, a first run with the last --warm event finds out which they are and makes it" },
	{ .name = "layout", .key = OPTION_LAYOUT, .arg = "owner|fresh",
	  .doc = "the template's addresses: those of all the owner's templates, so that images "
		 "share more (default), or its own" },
	{ .name = "checkpoint-on", .key = OPTION_CHECKPOINT, .arg = "stdin",
	  .doc = "for a program that links nothing of ours: checkpoint when it first reads "
		 "standard input" },
	{ .name = "override", .key = OPTION_OVERRIDE, .arg = "ENDPOINT=HANDLER[,POLICY]",
	  .doc = "send the template's connections to ENDPOINT to a local HANDLER, or with =block nowhere; may "
		 "be repeated" },
	{ .name = "library", .key = OPTION_LIBRARY, .arg = "PROVIDER=LOCAL",
	  .doc = "lay a local library over the provider's for the template and the image's tasks, as "
		 "override add does for a group; may be repeated" },
	{ .name = "trust-ca", .key = OPTION_TRUST_CA,
	  .doc = "the template trusts the hub's CA, as tasks of a group do after `ca trust`: what it "
		 "loads of certificates stays in the image" },
	{ .name = "grants", .key = OPTION_GRANTS, .arg = "FILE",
	  .doc = "confine the template to what FILE grants, coppice-grants(5), as its tasks will be; the image "
		 "belongs to the user that it names" },
	{ .name = "output", .key = OPTION_OUTPUT, .arg = "FILE",
	  .doc = "write the image to FILE, as image save does, instead of loading it" },
	{ .name = "timeout", .key = OPTION_TIMEOUT, .arg = "SECONDS",
	  .doc = "time that the template has to reach its checkpoint (default: 60)" },
	{ .name = "elf", .key = OPTION_ELF, .arg = "FILE",
	  .doc = "no template: the read-only pages of this library or program, with which running "
		 "tasks are adopted; may be repeated" },
	{}
};

struct arguments {
	const char *name, *owner, *python, *base, *placement, *output, *grants_file;
	const char *words[WORDS_MAX];	/* the template's command */
	size_t nr_words;
	const char *warm[WORDS_MAX];
	size_t nr_warm;
	const char *files[WORDS_MAX];	/* --elf */
	size_t nr_files;
	struct override overrides[64];
	size_t nr_overrides;
	const char *libraries[WORDS_MAX];	/* "PROVIDER=LOCAL" */
	size_t nr_libraries;
	json_t *records;	/* of all library overrides: see library.h */
	json_t *recipe;
	bool on_stdin, fresh, trust_ca;
	uint64_t timeout;
	struct grants grants;	/* with --grants */
};

static int add_override(struct arguments *arguments, const char *text, struct error *err)
{
	struct override *override = &arguments->overrides[arguments->nr_overrides];

	if (arguments->nr_overrides == sizeof(arguments->overrides) / sizeof(*override))
		return error_usage(err, "there are more than %zu overrides",
				   arguments->nr_overrides);
	arguments->nr_overrides++;
	return function_override(text, override, err);
}

static int add_word(const char **words, size_t *nr, const char *word, struct error *err)
{
	/* One is left for the terminating NULL. */
	if (*nr == WORDS_MAX - 1)
		return error_usage(err, "there are more than %d words", WORDS_MAX - 1);
	words[(*nr)++] = word;
	return 0;
}

static int add_library(struct arguments *arguments, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text || !equals[1])
		return error_usage(err, "'%.80s' is no library override: give PROVIDER=LOCAL, like libfoo.so.1=/opt/local/libfoo.so",
				   text);
	return add_word(arguments->libraries, &arguments->nr_libraries, text, err);
}

static int argument(struct arguments *arguments, const char *arg, struct error *err)
{
	if (arguments->name)
		return add_word(arguments->words, &arguments->nr_words, arg, err);
	arguments->name = arg;
	return name_check("an image", arg, err);
}

static int check_stdin(const char *arg, struct error *err)
{
	if (strcmp(arg, "stdin"))
		return error_usage(err, "--checkpoint-on knows stdin only, not '%.80s'", arg);
	return 0;
}

static int check_layout(struct arguments *arguments, const char *arg, struct error *err)
{
	arguments->fresh = !strcmp(arg, "fresh");
	if (!arguments->fresh && strcmp(arg, "owner"))
		return error_usage(err, "--layout is owner or fresh, not '%.80s'", arg);
	return 0;
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	switch (key) {
	case OPTION_OWNER:
		arguments->owner = arg;
		return 0;
	case OPTION_PYTHON:
		arguments->python = arg;
		return 0;
	case OPTION_WARM:
		return add_word(arguments->warm, &arguments->nr_warm, arg, err);
	case OPTION_BASE:
		arguments->base = arg;
		return 0;
	case OPTION_PLACEMENT:
		arguments->placement = arg;
		return 0;
	case OPTION_LAYOUT:
		return check_layout(arguments, arg, err);
	case OPTION_CHECKPOINT:
		arguments->on_stdin = true;
		return check_stdin(arg, err);
	case OPTION_OVERRIDE:
		return add_override(arguments, arg, err);
	case OPTION_LIBRARY:
		return add_library(arguments, arg, err);
	case OPTION_TRUST_CA:
		arguments->trust_ca = true;
		return 0;
	case OPTION_GRANTS:
		arguments->grants_file = arg;
		return 0;
	case OPTION_OUTPUT:
		arguments->output = arg;
		return 0;
	case OPTION_ELF:
		return add_word(arguments->files, &arguments->nr_files, arg, err);
	case OPTION_TIMEOUT:
		return number_parse("a number of seconds", arg, TIMEOUT_MAX,
				    &arguments->timeout, err);
	default:
		return argument(arguments, arg, err);
	}
}

static int check_elf(const struct arguments *arguments, struct error *err)
{
	if (arguments->python || arguments->nr_words || arguments->nr_warm || arguments->base ||
	    arguments->on_stdin || arguments->nr_overrides || arguments->nr_libraries ||
	    arguments->placement || arguments->fresh || arguments->trust_ca || arguments->grants_file)
		return error_usage(err, "--elf is for files, and no template runs: give --owner and --output with it, and nothing else");
	return 0;
}

static int check_arguments(const struct arguments *arguments, struct error *err)
{
	if (!arguments->name)
		return error_usage(err, "the NAME of the image is missing: coppice image build %s",
				   cmd_image_build.args);
	if (arguments->nr_files)
		return check_elf(arguments, err);
	if (arguments->nr_libraries && arguments->output)
		return error_usage(err, "--library is for images of this hub, as its tasks need the library too: leave out --output");
	if (!arguments->python && !arguments->nr_words)
		return error_usage(err, "what is the template? give --python FILE:HANDLER, or a command after --");
	if (arguments->python && arguments->nr_words)
		return error_usage(err, "the template is either --python FILE:HANDLER or the command after --, not both");
	if (arguments->python && (!strchr(arguments->python, ':') || arguments->on_stdin))
		return error_usage(err, "--python takes FILE:HANDLER, like app.py:handler, and no --checkpoint-on");
	if (arguments->owner && arguments->grants_file)
		return error_usage(err, "--grants says whom the template runs as: leave --owner out");
	if ((arguments->nr_warm || arguments->base || arguments->placement) && !arguments->python)
		return error_usage(err, "--warm, --base and --placement are for --python: let the template's command warm itself");
	return 0;
}

/*
 * What the bootstrap is to do, as one word of JSON. Padded to whole pages: the words of
 * a command are the first objects in an interpreter's memory, and everything behind them would lie
 * elsewhere with another length.
 */
static char *python_word(const struct arguments *arguments)
{
	autojson json_t *object = json_pack("{s:s, s:[]}", "target", arguments->python, "warm");
	char *text, *padded = NULL;
	size_t i;

	for (i = 0; i < arguments->nr_warm; i++)
		json_array_append_new(json_object_get(object, "warm"),
				      json_string(arguments->warm[i]));
	text = json_text(object, JSON_COMPACT);
	if (text && asprintf(&padded, "%-*s", (int)((strlen(text) / PAD + 1) * PAD), text) < 0)
		padded = NULL;
	free(text);
	return padded;
}

static int python_words(struct arguments *arguments, struct error *err)
{
	const char *words[] = { PYTHON, "-m", "coppice.bootstrap", python_word(arguments) };
	size_t i;

	if (!words[3])
		return error_set(err, ENOMEM, "out of memory");
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (add_word(arguments->words, &arguments->nr_words, words[i], err))
			return -1;
	return 0;
}

/*
 * The recipe is there before the image: without it, the image's tasks would run
 * without their libraries.
 */
static int load_image(struct context *ctx, const struct arguments *arguments, uid_t owner,
		      const struct image *image, struct error *err)
{
	struct error second;

	if (recipe_write(ctx->backend, arguments->name, arguments->recipe, err))
		return -1;
	output_progress(ctx, "%s: loading", arguments->name);
	if (!ctx->backend->image_load(arguments->name, owner, image, err))
		return 0;
	(void)!recipe_remove(ctx->backend, arguments->name, &second);
	return -1;
}

static int keep_image(struct context *ctx, const struct arguments *arguments, uid_t owner,
		      const struct image *image, struct error *err)
{
	if (arguments->output)
		return image_file_write(image, arguments->output, err);
	if (arguments->recipe)
		return load_image(ctx, arguments, owner, image, err);
	output_progress(ctx, "%s: loading", arguments->name);
	return ctx->backend->image_load(arguments->name, owner, image, err);
}

/* 1 or 0, or -1 where that cannot be told. */
static int trusts_ca(const struct arguments *arguments, struct error *err)
{
	return arguments->trust_ca ? 1 : overrides_have_tls(arguments->overrides, arguments->nr_overrides, err);
}

/* What a template of its own finds out, which is what those that use it are, but for that. */
static int learn_placement(const struct build *build, const char *placement, struct error *err)
{
	struct build learning = *build;
	struct image none;

	learning.learns = true;
	return build_image(&learning, &none, err) ||
	       placement_keep(placement, build->placement, err) ? -1 : 0;
}

/* Builds what @build says, with the placement if there is to be one. */
static int build_placed(struct build *build, const char *placement, struct image *image,
			struct error *err)
{
	autoclose int fd = placement ? placement_open(placement, err) : -1;

	if (placement && fd < 0)
		return -1;
	build->placement = placement ? fd : 0;
	if (placement && placement_is_new(fd) && learn_placement(build, placement, err))
		return -1;
	return build_image(build, image, err);
}

static int build_and_keep(struct context *ctx, const struct arguments *arguments,
			  const struct user *owner, const char *python_path,
			  const struct task_mounts *mounts, const struct enclosure *enclosure,
			  struct error *err)
{
	int trusts = trusts_ca(arguments, err), ret;
	struct build build = {
		.name = arguments->name,
		.user = owner,
		.command = (char *const *)arguments->words,
		.python_path = python_path,
		.python_base = arguments->base,
		.checkpoint_on_stdin = arguments->on_stdin,
		.timeout = arguments->timeout,
		.overrides = arguments->overrides,
		.nr_overrides = arguments->nr_overrides,
		.mounts = mounts,
		.trusts_ca = trusts > 0,
		.grants = enclosure ? &arguments->grants : NULL,
		.enclosure = enclosure,
	};
	struct layout layout;
	struct image image;

	if (trusts < 0 || (!arguments->fresh && layout_get(owner->uid, &layout, err)))
		return -1;
	build.layout = arguments->fresh ? NULL : &layout;
	output_progress(ctx, "%s: running the template as %s", arguments->name, owner->name);
	if (build_placed(&build, arguments->placement, &image, err))
		return -1;
	ret = keep_image(ctx, arguments, owner->uid, &image, err);
	image_free(&image);
	output_progress(ctx, "%s", "");
	return ret;
}

/* What the template's overrides call for. */
static int add_mounts(const struct arguments *arguments, struct task_mounts *mounts,
		      struct error *err)
{
	int trusts = trusts_ca(arguments, err);

	if (trusts < 0 || (trusts && trust_mounts(mounts, err)))
		return -1;
	return arguments->nr_overrides ? overrides_mounts(mounts, err) : 0;
}

static int elf_and_keep(struct context *ctx, const struct arguments *arguments,
			const struct user *owner, struct error *err)
{
	struct image image;
	int ret;

	if (image_from_elf(&image, arguments->files, arguments->nr_files, err))
		return -1;
	ret = keep_image(ctx, arguments, owner->uid, &image, err);
	image_free(&image);
	return ret;
}

/* Better before the template's minutes than after them. */
static int refuse_existing(const struct context *ctx, const struct arguments *arguments,
			   struct error *err)
{
	struct image_info info;

	if (arguments->output)
		return 0;
	if (!ctx->backend->image_get(arguments->name, &info, err))
		return error_set(err, EEXIST, "an image %s exists: choose another name or delete it first",
				 arguments->name);
	return err->code == ENOENT ? 0 : -1;
}

static int parse(int argc, char **argv, struct arguments *arguments, struct error *err)
{
	arguments->timeout = TIMEOUT;
	if (cmd_parse(&cmd_image_build, argc, argv, option, arguments, err) ||
	    check_arguments(arguments, err))
		return -1;
	return arguments->python ? python_words(arguments, err) : 0;
}

/*
 * Library overrides.
 */

static int make_library(struct arguments *arguments, const char *text, const struct user *owner,
			struct error *err)
{
	const char *equals = strchr(text, '=');
	autofree char *provider = strndup(text, equals - text);
	struct library_request request = {
		.provider = provider, .local = equals + 1, .user = owner,
	};
	json_t *record = provider ? library_make(&request, err) : NULL;

	if (!provider)
		return error_set(err, ENOMEM, "out of memory");
	return record ? json_array_append_new(arguments->records, record) : -1;
}

static int make_libraries(struct arguments *arguments, const struct user *owner,
			  struct error *err)
{
	size_t i;

	arguments->records = json_array();
	for (i = 0; i < arguments->nr_libraries; i++)
		if (make_library(arguments, arguments->libraries[i], owner, err))
			return -1;
	return 0;
}

/*
 * Variables that are no UTF-8 can't be kept in JSON, and are left out. NULL if a word is none: such an
 * image can't be built again.
 */
static json_t *make_recipe(const struct arguments *arguments, int argc, char **argv,
			   const struct user *owner)
{
	json_t *words = json_array(), *variables = json_array();
	autofree char *cwd = getcwd(NULL, 0);
	bool whole = cwd;
	char **variable;
	json_t *recipe;
	int i;

	for (i = 0; i < argc; i++)
		whole &= !json_array_append_new(words, json_string(argv[i]));
	for (variable = environ; *variable; variable++)
		(void)!json_array_append_new(variables, json_string(*variable));
	recipe = json_pack("{s:o, s:s, s:o, s:I, s:O, s:n}", "argv", words, "cwd", cwd ? cwd : "/",
			   "environ", variables, "owner", (json_int_t)owner->uid,
			   "libraries", arguments->records, "base");
	if (whole)
		return recipe;
	json_decref(recipe);
	return NULL;
}

/* The template needs what it is built with, too: its tasks do not. */
static int open_enclosure(struct arguments *arguments, const char *python_path,
			  const struct task_mounts *mounts, struct enclosure *enclosure,
			  struct error *err)
{
	char library[PATH_MAX];

	if (path_library(library, err) || grants_add_code(&arguments->grants, dirname(library), err) ||
	    (python_path && grants_add_code(&arguments->grants, python_path, err)))
		return -1;
	return enclosure_open(&arguments->grants, mounts, 0, enclosure, err);
}

static int build_enclosed(struct context *ctx, struct arguments *arguments,
			  const struct user *owner, const struct task_mounts *mounts,
			  struct error *err)
{
	struct enclosure enclosure = ENCLOSURE_NONE;
	char path[PATH_MAX], *python_path = arguments->python ? path : NULL;
	int ret;

	if (python_path && path_python(path, err))
		return -1;
	if (arguments->grants_file && open_enclosure(arguments, python_path, mounts, &enclosure, err))
		return -1;
	ret = build_and_keep(ctx, arguments, owner, python_path, mounts,
			     arguments->grants_file ? &enclosure : NULL, err);
	enclosure_close(&enclosure);
	return ret;
}

static int build(struct context *ctx, struct arguments *arguments, const struct user *owner,
		 struct error *err)
{
	struct task_mounts mounts = {};
	int ret = -1;

	if (!library_mounts(arguments->records, &mounts, err) && !add_mounts(arguments, &mounts, err))
		ret = build_enclosed(ctx, arguments, owner, &mounts, err);
	task_mounts_free(&mounts);
	return ret;
}

static int find_owner(struct arguments *arguments, struct user *owner, struct error *err)
{
	if (!arguments->grants_file)
		return arguments->owner ? user_find(arguments->owner, owner, err) : user_default(owner, err);
	if (grants_read(arguments->grants_file, &arguments->grants, err))
		return -1;
	grants_user(&arguments->grants, owner);
	return 0;
}

static int build_first(struct context *ctx, struct arguments *arguments, int argc, char **argv,
		       struct error *err)
{
	struct user owner;
	struct error second;
	int ret = -1;

	if (parse(argc, argv, arguments, err) || refuse_existing(ctx, arguments, err) ||
	    find_owner(arguments, &owner, err))
		return -1;
	if (arguments->nr_files)
		return elf_and_keep(ctx, arguments, &owner, err);
	if (!make_libraries(arguments, &owner, err)) {
		arguments->recipe = make_recipe(arguments, argc, argv, &owner);
		if (arguments->nr_libraries && !arguments->recipe)
			ret = error_set(err, EILSEQ, "the words of the command are not UTF-8, and have to be kept for the image's libraries: rename the files");
		else
			ret = build(ctx, arguments, &owner, err);
	}
	if (ret)
		(void)!recipe_drop_libraries(arguments->records, &second);
	return ret;
}

static void free_arguments(struct arguments *arguments)
{
	json_decref(arguments->records);
	json_decref(arguments->recipe);
	grants_free(&arguments->grants);
	free(arguments);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments *arguments = calloc(1, sizeof(*arguments));
	int ret;

	if (!arguments)
		return error_set(err, ENOMEM, "out of memory");
	ret = build_first(ctx, arguments, argc, argv, err);
	free_arguments(arguments);
	return ret;
}

/*
 * Once more.
 */

/* The texts of a list, NULL-terminated, in memory that belongs to @list. */
static char **texts_of(const json_t *list)
{
	char **texts = calloc(json_array_size(list) + 1, sizeof(*texts));
	const json_t *text;
	size_t i;

	json_array_foreach(list, i, text)
		if (texts)
			texts[i] = (char *)json_string_value(text);
	return texts;
}

static int build_again(struct context *ctx, struct arguments *arguments, const json_t *recipe,
		       const char *name, char **argv, struct error *err)
{
	const json_t *words = json_object_get(recipe, "argv");
	struct user owner;

	if (chdir(json_string_value(json_object_get(recipe, "cwd"))))
		return error_set(err, errno, "%.200s, where its build was run, cannot be entered: %s",
				 json_string_value(json_object_get(recipe, "cwd")), strerror(errno));
	if (parse(json_array_size(words), argv, arguments, err) ||
	    (arguments->grants_file ? find_owner(arguments, &owner, err) :
	     user_by_uid(json_integer_value(json_object_get(recipe, "owner")), &owner, err)))
		return -1;
	arguments->name = name;
	return refuse_existing(ctx, arguments, err) ? -1 : build(ctx, arguments, &owner, err);
}

int image_build_again(struct context *ctx, const json_t *recipe, const char *base,
		      const char *name, json_t *libraries, struct error *err)
{
	struct arguments *arguments = calloc(1, sizeof(*arguments));
	autofree char **argv = texts_of(json_object_get(recipe, "argv"));
	char **variables = texts_of(json_object_get(recipe, "environ"));
	int ret;

	if (!arguments || !argv || !variables) {
		free(arguments);
		return error_set(err, ENOMEM, "out of memory");
	}
	environ = variables;
	arguments->records = json_incref(libraries);
	arguments->recipe = json_copy((json_t *)recipe);
	json_object_set(arguments->recipe, "libraries", libraries);
	json_object_set_new(arguments->recipe, "base", json_string(base));
	ret = build_again(ctx, arguments, recipe, name, argv, err);
	free_arguments(arguments);
	return ret;
}

const struct command cmd_image_build = {
	.object = "image",
	.verb = "build",
	.args = "NAME [--owner USER] [--python FILE:HANDLER] [--base FILE] [--placement FILE] "
		"[--warm EVENT.json]… [--checkpoint-on stdin] [--override ENDPOINT=HANDLER[,POLICY]]… "
		"[--library PROVIDER=LOCAL]… [--trust-ca] [--grants FILE] "
		"[--layout owner|fresh] [--output FILE] [--timeout SECONDS] [--elf FILE]… "
		"[-- TEMPLATE…]",
	.summary = "Build an image from a program that loads and warms a function, or from libraries",
	.help = "The template runs once, as the image's owner, in a cgroup of its own, with "
		"libcoppice preloaded. At its checkpoint its memory becomes the image and it is "
		"killed. What cannot be carried over (a second thread, a socket, an open file, a "
		"shared writable mapping) is refused by name. The template's output goes to "
		"standard error. With --grants it starts in the caller's directory if that is granted under its own name, "
		"else in /. With --elf nothing runs: the image is for `task adopt`.",
	.options = options,
	.needs_backend = true,
	.run = run,
};
