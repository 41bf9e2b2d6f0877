// SPDX-License-Identifier: GPL-2.0
/* coppice override watch */
#include <stdio.h>

#include "lib/cleanup.h"
#include "lib/name.h"
#include "override.h"

enum { OPTION_INTERVAL = 256, OPTION_FAILURES, OPTION_SUCCESSES, OPTION_CHECK };

struct follower {
	const struct context *ctx;
	struct redirect_watch watch;
	struct error *err;
};

static int read_number(const char *what, const char *arg, uint64_t max, unsigned int *number,
		       struct error *err)
{
	uint64_t value;

	if (number_parse(what, arg, max, &value, err))
		return -1;
	if (!value)
		return error_usage(err, "%s is at least 1", what);
	*number = value;
	return 0;
}

static int option(int key, char *arg, void *data, struct error *err)
{
	struct redirect_watch *watch = &((struct follower *)data)->watch;

	switch (key) {
	case OPTION_INTERVAL:
		return read_number("the interval in milliseconds", arg, 3600000, &watch->interval, err);
	case OPTION_FAILURES:
		return read_number("a number of failures", arg, 1000, &watch->failures, err);
	case OPTION_SUCCESSES:
		return read_number("a number of successes", arg, 1000, &watch->successes, err);
	case OPTION_CHECK:
		watch->check = arg;
		return 0;
	default:
		return error_usage(err, "'%.80s' is one argument too many: watch takes none", arg);
	}
}

static json_t *news_json(const struct redirect_news *news)
{
	json_t *line = json_object();
	char endpoint[REDIRECT_TEXT_MAX];

	endpoint_format(&news->endpoint, endpoint);
	json_object_set_new(line, "event", json_string(news->event));
	if (news->group[0])
		json_object_set_new(line, "group", json_string(news->group));
	json_object_set_new(line, news->pid ? "endpoint" : "handler", json_string(endpoint));
	if (news->pid)
		json_object_set_new(line, "pid", json_integer(news->pid));
	return line;
}

static void print_text(const struct redirect_news *news)
{
	char endpoint[REDIRECT_TEXT_MAX];

	endpoint_format(&news->endpoint, endpoint);
	printf("%s", news->event);
	if (news->group[0])
		printf(" group=%s", news->group);
	printf(" %s=%s", news->pid ? "endpoint" : "handler", endpoint);
	if (news->pid)
		printf(" pid=%d", (int)news->pid);
}

static int tell(const struct redirect_news *news, void *data)
{
	const struct follower *follower = data;

	if (follower->ctx->json) {
		autojson json_t *line = news_json(news);

		return output_line(line, follower->err);
	}
	print_text(news);
	return output_end_line(follower->err);
}

static int run(struct context *ctx, int argc, char **argv, struct error *err)
{
	struct follower follower = {
		.ctx = ctx,
		.watch = { .interval = 250, .failures = 2, .successes = 2, .tell = tell },
		.err = err,
	};

	follower.watch.data = &follower;
	if (cmd_parse(&cmd_override_watch, argc, argv, option, &follower, err))
		return -1;
	return redirect_watch(&follower.watch, err);
}

const struct command cmd_override_watch = {
	.object = "override",
	.verb = "watch",
	.args = "[--interval MS] [--failures N] [--successes N] [--check COMMAND]",
	.summary = "Probe handlers and the cloud, and print what does not reach a handler, until interrupted",
	.help = "A handler that does not answer a connect in a second is marked down, and its override's policy says where "
		"sockets go; with prefer-cloud the endpoint is probed likewise. A dead handler on this machine is noticed without "
		"this command; one that hangs, or is elsewhere, only with it. What it found lasts for 10 seconds if it ends.",
	.options = (const struct argp_option []) {
		{ .name = "interval", .key = OPTION_INTERVAL, .arg = "MS",
		  .doc = "milliseconds between two rounds (default: 250)" },
		{ .name = "failures", .key = OPTION_FAILURES, .arg = "N",
		  .doc = "failures in a row that make a handler down (default: 2)" },
		{ .name = "successes", .key = OPTION_SUCCESSES, .arg = "N",
		  .doc = "successes in a row that make it up again (default: 2)" },
		{ .name = "check", .key = OPTION_CHECK, .arg = "COMMAND",
		  .doc = "a shell command with the handler as $1, run instead of a connect: its status says whether the handler is up" },
		{}
	},
	.run = run,
};
