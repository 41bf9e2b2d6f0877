// SPDX-License-Identifier: GPL-2.0
/* coppice deployment pull REFERENCE */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "deployment_functions.h"
#include "deployment_request.h"
#include "lib/cleanup.h"
#include "lib/deployment_store.h"
#include "lib/late.h"
#include "lib/oci.h"
#include "lib/oci_work.h"
#include "lib/pull.h"

enum { OPTION_OUTPUT = 'o', OPTION_APPLY = 256, OPTION_AUTHFILE };

struct pulling {
	struct deployment_words words;	/* its BUNDLE is our REFERENCE */
	struct deployment_request request;
	enum group_running running;
	const char *output, *authfile;
	bool apply;
};

static int option(int key, char *arg, void *data, struct error *err)
{
	struct pulling *pulling = data;

	switch (key) {
	case OPTION_OUTPUT:
		pulling->output = arg;
		return 0;
	case OPTION_APPLY:
		pulling->apply = true;
		return 0;
	case OPTION_AUTHFILE:
		pulling->authfile = arg;
		return 0;
	}
	return deployment_request_option(key, arg, &pulling->words, err);
}

static int parse(int argc, char **argv, struct pulling *pulling, struct error *err)
{
	pulling->words = (struct deployment_words){ &pulling->request, &pulling->running };
	pulling->running = RUNNING_DRAIN;
	if (cmd_parse(&cmd_deployment_pull, argc, argv, option, pulling, err))
		return -1;
	if (!pulling->request.bundle)
		return error_usage(err, "deployment pull needs a REFERENCE, like registry.example/shop:stable");
	if (!pulling->apply && !pulling->output)
		return error_usage(err, "say what is to become of it: --apply, --output BUNDLE, or both");
	if (!pulling->authfile && !access(PULL_AUTHFILE, R_OK))
		pulling->authfile = PULL_AUTHFILE;
	return pulling->request.range.to ? 0 : conflict_range_read(&pulling->request.range, err);
}

/* Beside where it shall be, so that it can be renamed; returns what oci_work_begin() does. */
static int choose_place(const struct pulling *pulling, char made[PATH_MAX], struct error *err)
{
	char prefix[PATH_MAX];

	if (!pulling->output)
		return file_make_directory(STATE_DIRECTORY, 0755, err) ? -1 :
		       oci_work_begin(STATE_DIRECTORY "/pulled", made, err);
	snprintf(prefix, sizeof(prefix), "%.3900s.new", pulling->output);
	return deployment_put_check(pulling->output, err) ? -1 : oci_work_begin(prefix, made, err);
}

static json_t *pull(struct context *ctx, struct pulling *pulling, const char *made,
		    struct error *err)
{
	struct pull request = {
		.reference = pulling->request.bundle, .keys = pulling->request.keys,
		.authfile = pulling->authfile,
	};
	json_t *told = pull_bundle(&request, made, err);

	if (!told || !pulling->apply)
		return told;
	json_decref(told);
	/* Once more from its beginning: what is verified has to be what is applied. */
	pulling->request.bundle = made;
	return deployment_apply_all(ctx, &pulling->request, pulling->running, err);
}

static json_t *pull_and_put(struct context *ctx, struct pulling *pulling, struct error *err)
{
	char made[PATH_MAX];
	autoclose int work = -1;
	json_t *told;

	late_need_bundles();
	work = choose_place(pulling, made, err);
	told = work < 0 ? NULL : pull(ctx, pulling, made, err);
	if (told && pulling->output) {
		if (!deployment_put(made, pulling->output, err))
			return told;
		json_decref(told);
		told = NULL;
	}
	if (work >= 0)
		oci_remove(made);
	return told;
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct pulling pulling = {};
	json_t *told;

	if (parse(argc, argv, &pulling, err))
		return -1;
	told = pull_and_put(ctx, &pulling, err);
	return told ? deployment_request_print(ctx, told, err) : -1;
}

const struct command cmd_deployment_pull = {
	.object = "deployment",
	.verb = "pull",
	.args = "REFERENCE [--output BUNDLE] [--apply] [--authfile FILE] [--keys PATH] [--range FROM-TO] [--running WHAT]",
	.summary = "Take a signed bundle from an OCI registry, and apply it",
	.help = "By skopeo, which knows registries, credentials and TLS (containers-certs.d(5)). REFERENCE is REGISTRY/NAME:TAG or "
		"REGISTRY/NAME@sha256:DIGEST. The deployment comes with its signatures by keys that the hub trusts, and is checked as by apply. "
		"If anything fails, the registry being out of reach included, the hub stays as it is.",
	.options = (const struct argp_option []) {
		{ .name = "output", .key = OPTION_OUTPUT, .arg = "BUNDLE",
		  .doc = "keep it in this directory (-o is the same); a bundle that is there is replaced" },
		{ .name = "apply", .key = OPTION_APPLY, .doc = "apply it; nothing happens if it is applied already" },
		{ .name = "authfile", .key = OPTION_AUTHFILE, .arg = "FILE",
		  .doc = "credentials, as skopeo login --authfile writes them (default: /etc/coppice/registry.json if it is there)" },
		DEPLOYMENT_REQUEST_OPTIONS,
		RUNNING_OPTION,
		{}
	},
	.run = run,
};
