// SPDX-License-Identifier: GPL-2.0
/* The pins are the state: it outlives the controller, and a change is all or nothing. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "world.h"

#define GROUP "web"

FIXTURE(state) {
	struct world world;
	const char *cgroup;
};

FIXTURE_SETUP(state)
{
	const char *failed = world_make(&self->world);

	ASSERT_EQ(NULL, failed) {
		TH_LOG("cannot make %s: %s", failed, strerror(errno));
	}
	self->cgroup = self->world.cgroup;
}

FIXTURE_TEARDOWN(state)
{
	EXPECT_EQ(0, redirect_detach(GROUP, &last_error));
	world_end(&self->world);
}

#define ATTACH()								\
	ASSERT_EQ(0, redirect_attach(GROUP, self->cgroup, &last_error)) {	\
		TH_LOG("%s", last_error.text);					\
	}

static int count(const struct override_info *info, void *data)
{
	(void)info;
	++*(int *)data;
	return 0;
}

static int overrides(void)
{
	int n = 0;

	return redirect_each(GROUP, count, &n, &last_error) ? -1 : n;
}

static int redirected(const struct override_info *info, void *data)
{
	*(uint64_t *)data += info->stats.redirected;
	return 0;
}

TEST_F(state, redirects_outlive_a_killed_controller)
{
	pid_t controller = fork();
	int status;

	if (!controller) {
		if (redirect_attach(GROUP, self->cgroup, &last_error) ||
		    add(GROUP, CLOUD4 ":80", HANDLER_A))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(controller, waitpid(controller, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":80"));
	EXPECT_EQ(1, overrides());
}

TEST_F(state, attaching_twice_is_attaching_once)
{
	bool attached = false;

	ATTACH();
	EXPECT_EQ(0, add(GROUP, CLOUD4 ":80", HANDLER_A));
	ATTACH();
	EXPECT_EQ(1, overrides());
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":80"));
	EXPECT_EQ(0, redirect_verify(GROUP, self->cgroup, &attached, &last_error));
	EXPECT_TRUE(attached);
}

TEST_F(state, a_lost_link_is_noticed_and_made_again)
{
	bool attached = true;

	ATTACH();
	ASSERT_EQ(0, unlink("/sys/fs/bpf/coppice/groups/" GROUP "/connect4"));
	EXPECT_EQ(0, redirect_verify(GROUP, self->cgroup, &attached, &last_error));
	EXPECT_FALSE(attached);
	ATTACH();
	EXPECT_EQ(0, redirect_verify(GROUP, self->cgroup, &attached, &last_error));
	EXPECT_TRUE(attached);
}

TEST_F(state, detaching_leaves_nothing)
{
	struct stat st;

	ATTACH();
	EXPECT_EQ(0, add(GROUP, CLOUD4 ":80", HANDLER_A));
	EXPECT_EQ(0, redirect_detach(GROUP, &last_error));
	EXPECT_EQ('R', ask_letter(self->cgroup, CLOUD4 ":80"));
	EXPECT_EQ(0, overrides());
	EXPECT_EQ(-1, stat("/sys/fs/bpf/coppice/maps", &st));
	EXPECT_EQ(0, redirect_detach(GROUP, &last_error));
}

TEST_F(state, connections_are_counted_by_override)
{
	uint64_t total = 0;

	ATTACH();
	EXPECT_EQ(0, add(GROUP, CLOUD4 ":80", HANDLER_A));
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":80"));
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":80"));
	EXPECT_EQ('Q', ask_letter(self->cgroup, CLOUD4 ":81"));
	EXPECT_EQ(0, redirect_each(GROUP, redirected, &total, &last_error));
	EXPECT_EQ(2, total);
}

TEST_F(state, refusals_change_nothing)
{
	ATTACH();
	EXPECT_EQ(0, add(GROUP, CLOUD4 ":80", HANDLER_A));
	EXPECT_EQ(-1, add(GROUP, CLOUD4 ":80", HANDLER_B));
	EXPECT_NE(NULL, strstr(last_error.text, "overridden already"));
	EXPECT_EQ(-1, delete(GROUP, CLOUD4 ":81"));
	EXPECT_NE(NULL, strstr(last_error.text, "has no override of"));
	EXPECT_EQ(-1, add("other", CLOUD4 ":80", HANDLER_B));
	EXPECT_EQ(-1, add("../x", CLOUD4 ":80", HANDLER_B));
	EXPECT_EQ(1, overrides());
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":80"));
}

static bool parse(struct override *override, const char *endpoint, const char *handler)
{
	*override = (struct override){ .nr_handlers = 1 };
	return !endpoint_parse(endpoint, &override->endpoint, &last_error) &&
	       !handler_parse(handler, &override->handlers[0].address, &last_error);
}

static int replace(const struct override *override)
{
	return redirect_replace(GROUP, REDIRECT_ENDPOINT, override, 1, REDIRECT_KEEP, &last_error);
}

/* Replaces the rules over and over while another process connects: A or B, nothing else. */
TEST_F(state, every_connect_sees_the_old_rules_or_the_new)
{
	struct override a, b;
	pid_t swapper;
	int i;

	ATTACH();
	ASSERT_TRUE(parse(&a, CLOUD4 ":80", HANDLER_A));
	ASSERT_TRUE(parse(&b, CLOUD4 ":80", HANDLER_B));
	ASSERT_EQ(0, replace(&a));
	swapper = fork();
	if (!swapper) {
		for (;;)
			if (replace(&b) ||
			    replace(&a))
				_exit(1);
	}
	for (i = 0; i < 100; i++) {
		char letter = ask_letter(self->cgroup, CLOUD4 ":80");

		EXPECT_TRUE(letter == 'A' || letter == 'B') {
			TH_LOG("connect %d was answered by %c", i, letter);
		}
	}
	EXPECT_EQ(0, waitpid(swapper, NULL, WNOHANG));
	kill(swapper, SIGKILL);
	waitpid(swapper, NULL, 0);
	/* Killed at any moment, it left one of the two in force. */
	EXPECT_EQ(1, overrides());
	EXPECT_EQ(0, replace(&b));
	EXPECT_EQ('B', ask_letter(self->cgroup, CLOUD4 ":80"));
}

static bool bpftool_prints(const char *map, const char *text)
{
	char command[256], line[4096];
	bool found = false;
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "PATH=$PATH:/usr/sbin bpftool map dump pinned /sys/fs/bpf/coppice/maps/%s", map);
	pipe = popen(command, "re");
	while (pipe && fgets(line, sizeof(line), pipe))
		found |= strstr(line, text) != NULL;
	if (pipe)
		pclose(pipe);
	return found;
}

TEST_F(state, bpftool_shows_the_maps_with_field_names)
{
	ATTACH();
	EXPECT_EQ(0, add(GROUP, CLOUD4 ":80", HANDLER_A));
	EXPECT_TRUE(bpftool_prints("handlers", "\"port\": 9001"));
	EXPECT_TRUE(bpftool_prints("groups", "\"name\": \"" GROUP "\""));
	EXPECT_TRUE(bpftool_prints("rules_0", "\"prefixlen\"") ||
		    bpftool_prints("rules_1", "\"prefixlen\""));
}

TEST_HARNESS_MAIN
