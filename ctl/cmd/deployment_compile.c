// SPDX-License-Identifier: GPL-2.0
/* coppice deployment compile SPEC --output BUNDLE */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "lib/cleanup.h"
#include "lib/compile.h"
#include "lib/json_read.h"
#include "lib/late.h"
#include "lib/oci.h"
#include "lib/oci_work.h"
#include "lib/proof.h"
#include "lib/signature.h"

enum { OPTION_OUTPUT = 'o', OPTION_STATE = 256, OPTION_KEY };

static const struct argp_option options[] = {
	{ .name = "output", .key = OPTION_OUTPUT, .arg = "BUNDLE",
	  .doc = "the directory to write (-o is the same); a bundle that is there is replaced" },
	{ .name = "state", .key = OPTION_STATE, .arg = "FILE",
	  .doc = "where numbers that were given out are kept (default: SPEC.lock)" },
	{ .name = "key", .key = OPTION_KEY, .arg = "FILE",
	  .doc = "sign the bundle with this private key" },
	{}
};

struct arguments {
	const char *spec, *output, *state, *key;
};

static const struct column fields[] = {
	{ "deployment", "deployment", COLUMN_TEXT },
	{ "version", "version", COLUMN_NUMBER },
	{ "digest", "digest", COLUMN_TEXT },
	{ "functions", "functions", COLUMN_NUMBER },
	{ "roles", "roles", COLUMN_NUMBER },
	{ "groups", "groups", COLUMN_NUMBER },
	{ "resources", "resources", COLUMN_NUMBER },
	{ "proved", "proved", COLUMN_TEXT },
	{ "key", "signed by", COLUMN_TEXT },
	{}
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct arguments *arguments = data;

	switch (key) {
	case OPTION_OUTPUT:
		arguments->output = arg;
		return 0;
	case OPTION_STATE:
		arguments->state = arg;
		return 0;
	case OPTION_KEY:
		arguments->key = arg;
		return 0;
	}
	if (arguments->spec)
		return error_usage(err, "'%.80s' is one argument too many: one SPEC is compiled", arg);
	arguments->spec = arg;
	return 0;
}

static int read_spec(const char *path, struct spec *spec, struct error *err)
{
	char directory[PATH_MAX];
	json_error_t why;
	autojson json_t *object = json_read_file(path, JSON_REJECT_DUPLICATES, &why);

	if (!object)
		return json_read_starved(path, err) ? -1 :
			error_set(err, EINVAL, "%.200s cannot be read: %.160s (line %d)", path,
				 why.text, why.line);
	snprintf(directory, sizeof(directory), "%.4000s", path);
	return spec_parse(object, spec, err) || spec_resolve(spec, dirname(directory), err) ?
	       error_prefix(err, "%.200s", path) : 0;
}

/* By the SPEC's names: what the bundle says of itself is not asked. */
struct meant {
	const struct spec *spec;
	const struct deployment *deployment;
};

static unsigned int rights_meant(const struct deployment_function *function,
				 const struct deployment_resource *resource, const void *data)
{
	const struct meant *meant = data;

	return spec_rights(meant->spec, function - meant->deployment->functions,
			   resource - meant->deployment->resources);
}

/* Functions and resources are in the SPEC's order. */
static int check_names(const struct spec *spec, const struct deployment *deployment,
		       struct error *err)
{
	size_t i;

	if (deployment->nr_functions != spec->nr_functions ||
	    deployment->nr_resources != spec->nr_resources)
		return error_set(err, EBADMSG, "the bundle has not the functions and resources of the SPEC");
	for (i = 0; i < spec->nr_functions; i++)
		if (strcmp(deployment->functions[i].name, spec->functions[i].name))
			return error_set(err, EBADMSG, "the bundle lacks function %s",
					 spec->functions[i].name);
	for (i = 0; i < spec->nr_resources; i++)
		if (strcmp(deployment->resources[i].name, spec->resources[i].name))
			return error_set(err, EBADMSG, "the bundle lacks resource %s",
					 spec->resources[i].name);
	return 0;
}

/* What was written is read again, as a hub will. */
static int prove(const struct spec *spec, const char *bundle, struct proof_result *result,
		 struct error *err)
{
	autodeployment struct deployment *found = deployment_read(bundle, err);
	struct meant meant = { .spec = spec, .deployment = found };

	if (!found || check_names(spec, found, err))
		return -1;
	return proof_check(found, rights_meant, &meant, result, err);
}

static int check_version(const struct numbers *numbers, const struct spec *spec,
			 const char *digest, struct error *err)
{
	if (numbers->version != spec->version || !strcmp(numbers->digest, digest))
		return 0;
	return error_set(err, EINVAL, "version %llu has been compiled before, with other content: raise the SPEC's version",
			 (unsigned long long)spec->version);
}

static int sign(const char *bundle, const struct arguments *arguments, json_t *report,
		struct error *err)
{
	autojson json_t *key = NULL;

	if (!arguments->key)
		return 0;
	key = signature_key_describe(arguments->key, err);
	if (!key || signature_add(bundle, arguments->key, err))
		return -1;
	return json_object_set(report, "key", json_object_get(key, "id"));
}

/* The numbers first: a bundle whose numbers are not kept could not be made again. */
static int finish(const char *made, const struct arguments *arguments, const struct spec *spec,
		  const struct numbers *numbers, const char *digest, json_t *report,
		  struct error *err)
{
	return check_version(numbers, spec, digest, err) || sign(made, arguments, report, err) ||
	       numbers_save(arguments->state, numbers, spec, digest, err) ||
	       deployment_put(made, arguments->output, err) ? -1 : 0;
}

static json_t *make_report(const struct deployment *deployment, const struct spec *spec,
			   const struct proof_result *result)
{
	return json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:o, s:n}",
			 "deployment", spec->name, "version", (json_int_t)spec->version,
			 "digest", deployment->digest,
			 "functions", (json_int_t)spec->nr_functions,
			 "roles", (json_int_t)spec->nr_roles,
			 "groups", (json_int_t)deployment->nr_groups,
			 "resources", (json_int_t)spec->nr_resources,
			 "proved", json_sprintf("%zu pairs of function and path", result->pairs),
			 "key");
}

static json_t *make_bundle(const struct arguments *arguments, const struct spec *spec,
			   const struct numbers *numbers, struct deployment *deployment,
			   const char *made, struct error *err)
{
	struct proof_result result;
	json_t *report;

	if (deployment_write(deployment, made, err) || prove(spec, made, &result, err))
		return NULL;
	report = make_report(deployment, spec, &result);
	if (!finish(made, arguments, spec, numbers, deployment->digest, report, err))
		return report;
	json_decref(report);
	return NULL;
}

static json_t *compile_to(const struct arguments *arguments, const struct spec *spec,
			  struct numbers *numbers, struct error *err)
{
	autodeployment struct deployment *deployment = compile(spec, numbers, err);
	char prefix[PATH_MAX], made[PATH_MAX];
	autoclose int work = -1;
	json_t *report;

	if (!deployment)
		return NULL;
	/* If it cannot be had, nothing is left. */
	late_need_bundles();
	snprintf(prefix, sizeof(prefix), "%.3900s.new", arguments->output);
	work = oci_work_begin(prefix, made, err);
	if (work < 0)
		return NULL;
	report = make_bundle(arguments, spec, numbers, deployment, made, err);
	if (!report)
		oci_remove(made);
	return report;
}

static json_t *compile_spec(const struct arguments *arguments, struct error *err)
{
	struct numbers numbers = {};
	struct spec spec = {};
	json_t *report = NULL;

	if (!deployment_put_check(arguments->output, err) &&
	    !read_spec(arguments->spec, &spec, err) &&
	    !numbers_load(arguments->state, &spec, &numbers, err))
		report = compile_to(arguments, &spec, &numbers, err);
	numbers_free(&numbers);
	spec_free(&spec);
	return report;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct arguments arguments = {};
	autojson json_t *report = NULL;
	char state[PATH_MAX];

	if (cmd_parse(&cmd_deployment_compile, argc, argv, option, &arguments, err))
		return -1;
	if (!arguments.spec || !arguments.output)
		return error_usage(err, "a SPEC is needed, and with --output BUNDLE where it is compiled to");
	snprintf(state, sizeof(state), "%.4000s.lock", arguments.spec);
	if (!arguments.state)
		arguments.state = state;
	report = compile_spec(&arguments, err);
	return report ? output_object(ctx, report, fields, err) : -1;
}

const struct command cmd_deployment_compile = {
	.object = "deployment",
	.verb = "compile",
	.args = "SPEC --output BUNDLE [--state FILE] [--key FILE]",
	.summary = "Compile a SPEC into users, groups and permissions, prove them, write a bundle",
	.help = "Needs neither a hub nor root. The bundle is an OCI image layout, the same for the same SPEC "
		"and state to the byte. Nothing is written unless every function can do on every path what the SPEC says, and nothing else.",
	.options = options,
	.run = run,
};
