// SPDX-License-Identifier: GPL-2.0
/* Sockets of a path: redirected where the kernel has the hooks, refused where not. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "world.h"

#define GROUP "web"

FIXTURE(path) {
	struct world world;
	char dir[32];
	struct sockaddr_un endpoint, handler;
	char from[128], to[128];
	bool has_hooks;
};

static struct sockaddr_un make_address(const char *dir, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, name);
	return address;
}

FIXTURE_SETUP(path)
{
	const char *failed = world_make(&self->world);
	struct utsname name;
	int major, minor;

	ASSERT_EQ(NULL, failed) {
		TH_LOG("cannot make %s: %s", failed, strerror(errno));
	}
	strcpy(self->dir, "/tmp/coppice-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	self->endpoint = make_address(self->dir, "cloud");
	self->handler = make_address(self->dir, "handler");
	snprintf(self->from, sizeof(self->from), "unix:%s", self->endpoint.sun_path);
	snprintf(self->to, sizeof(self->to), "unix:%s", self->handler.sun_path);
	uname(&name);
	ASSERT_EQ(2, sscanf(name.release, "%d.%d", &major, &minor));
	self->has_hooks = major > 6 || (major == 6 && minor >= 7);
	ASSERT_EQ(0, redirect_attach(GROUP, self->world.cgroup, &last_error)) {
		TH_LOG("%s", last_error.text);
	}
}

FIXTURE_TEARDOWN(path)
{
	unlink(self->endpoint.sun_path);
	unlink(self->handler.sun_path);
	rmdir(self->dir);
	EXPECT_EQ(0, redirect_detach(GROUP, &last_error));
	world_end(&self->world);
}

#define NEEDS_HOOKS()								\
	if (!self->has_hooks)							\
		SKIP(return, "no hooks for sockets of a path")

#define ADD()									\
	ASSERT_EQ(0, add(GROUP, self->from, self->to)) { TH_LOG("%s", last_error.text); }

static int bind_to(const struct sockaddr_un *address, int type)
{
	int fd = socket(AF_UNIX, type, 0);

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	    (type == SOCK_STREAM && listen(fd, 16)))
		return -1;
	return fd;
}

/* A socket of the task. */
static int open_task(const struct world *world, int type)
{
	int fd;

	if (join_cgroup(world->cgroup))
		return -1;
	fd = socket(AF_UNIX, type, 0);
	join_cgroup(world->cgroups);
	return fd;
}

static int connect_task(int fd, const struct sockaddr_un *address)
{
	return connect(fd, (const struct sockaddr *)address, sizeof(*address));
}

TEST_F(path, refused_before_there_are_hooks)
{
	if (self->has_hooks)
		SKIP(return, "has the hooks");
	EXPECT_EQ(-1, add(GROUP, self->from, self->to));
	EXPECT_NE(NULL, strstr(last_error.text, "6.7"));
}

TEST_F(path, stream)
{
	int server, task;

	NEEDS_HOOKS();
	server = bind_to(&self->handler, SOCK_STREAM);
	task = open_task(&self->world, SOCK_STREAM);
	EXPECT_EQ(-1, connect_task(task, &self->endpoint));
	EXPECT_EQ(ENOENT, errno);
	ADD();
	EXPECT_EQ(0, connect_task(task, &self->endpoint));
	EXPECT_LE(0, accept(server, NULL, NULL));
	/* Outside of the group nothing is. */
	EXPECT_EQ(-1, connect_task(socket(AF_UNIX, SOCK_STREAM, 0), &self->endpoint));
	EXPECT_EQ(0, delete(GROUP, self->from));
	EXPECT_EQ(-1, connect_task(open_task(&self->world, SOCK_STREAM), &self->endpoint));
	close(task);
	close(server);
}

TEST_F(path, datagrams)
{
	struct sockaddr_un own = make_address(self->dir, "task"), from = {};
	socklen_t len = sizeof(from);
	int server, task;
	char byte;

	NEEDS_HOOKS();
	ADD();
	server = bind_to(&self->handler, SOCK_DGRAM);
	task = open_task(&self->world, SOCK_DGRAM);
	EXPECT_EQ(0, bind(task, (struct sockaddr *)&own, sizeof(own)));
	EXPECT_EQ(1, sendto(task, "x", 1, 0, (struct sockaddr *)&self->endpoint,
			    sizeof(self->endpoint)));
	EXPECT_EQ(1, recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &len));
	EXPECT_EQ(1, sendto(server, "y", 1, 0, (struct sockaddr *)&from, len));
	len = sizeof(from);
	EXPECT_EQ(1, recvfrom(task, &byte, 1, 0, (struct sockaddr *)&from, &len));
	EXPECT_STREQ(self->endpoint.sun_path, from.sun_path);
	unlink(own.sun_path);
	close(task);
	close(server);
}

TEST_F(path, blocked_and_listed)
{
	struct override_info info;
	char text[REDIRECT_TEXT_MAX + REDIRECT_LABEL];
	int server;

	NEEDS_HOOKS();
	server = bind_to(&self->endpoint, SOCK_STREAM);
	ASSERT_EQ(0, add_policy(GROUP, self->from, REDIRECT_BLOCK, ""));
	EXPECT_EQ(-1, connect_task(open_task(&self->world, SOCK_STREAM), &self->endpoint));
	EXPECT_EQ(ECONNREFUSED, errno);
	ASSERT_TRUE(find_override(GROUP, self->from, &info));
	override_format(&info.override, text);
	EXPECT_STREQ(self->from, text);
	EXPECT_EQ(1, info.stats.denied);
	close(server);
}

TEST_F(path, no_path_becomes_an_address)
{
	NEEDS_HOOKS();
	EXPECT_EQ(-1, add(GROUP, self->from, HANDLER_A));
	EXPECT_NE(NULL, strstr(last_error.text, "relay"));
	EXPECT_EQ(-1, add(GROUP, CLOUD4 ":80", self->to));
	EXPECT_NE(NULL, strstr(last_error.text, "relay"));
}

TEST_HARNESS_MAIN
