// SPDX-License-Identifier: GPL-2.0
/* coppice ca trust GROUP */
#include "cmd.h"
#include "lib/trust.h"

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	const char *name;
	struct group_info info;

	if (cmd_parse_one(&cmd_ca_trust, argc, argv, "the name of the GROUP", &name, err) ||
	    ctx->backend->group_get(name, &info, err))
		return -1;
	return trust_give(name, err);
}

const struct command cmd_ca_trust = {
	.object = "ca",
	.verb = "trust",
	.args = "GROUP",
	.summary = "Let a group's tasks trust the hub's certificate authority",
	.help = "Tasks that start from now on have the CA beside the hub's own certificates: in "
		"/etc/ssl/certs of their mount namespace, and by variables like AWS_CA_BUNDLE, which "
		"--env can set otherwise. Nothing outside the group trusts it. An override whose "
		"handler is one of `handler tls` gives it too.",
	.needs_backend = true,
	.run = run,
};
