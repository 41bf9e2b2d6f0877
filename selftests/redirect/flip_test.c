// SPDX-License-Identifier: GPL-2.0
/*
 * Connects while rule sets are flipped and controllers killed: each goes where one of the
 * rule sets sends it.
 *
 * COPPICE_FLIP_CONNECTS=1000000 is the long form, with 1,000 flips and as many kills at least:
 * the connects do not end before.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../lib/harness.h"

#include "world.h"

#define GROUP "web"
#define FILLERS 50	/* rules beside the one that is looked at */
#define FLIPS_PER_CONNECT (1.0 / 1000)

/* Shared with the children. */
struct tally {
	unsigned long wanted;	/* flips, and kills */
	unsigned long connects, wrong, flips, kills, turns;
	char letters[8];	/* the first wrong ones */
};

FIXTURE(flip) {
	struct world world;
	struct override sets[2][FILLERS + 1];
	struct tally *tally;
	unsigned long connects;
};

static int make_set(struct override *set, const char *handler)
{
	char text[64];
	int i;

	for (i = 0; i <= FILLERS; i++) {
		set[i] = (struct override){ .nr_handlers = 1 };
		snprintf(text, sizeof(text), i ? "10.0.0.%d:80" : CLOUD4 ":80", i);
		if (endpoint_parse(text, &set[i].endpoint, &last_error) ||
		    handler_parse(handler, &set[i].handlers[0].address, &last_error))
			return -1;
	}
	return 0;
}

FIXTURE_SETUP(flip)
{
	const char *failed = world_make(&self->world), *wanted = getenv("COPPICE_FLIP_CONNECTS");

	ASSERT_EQ(NULL, failed) {
		TH_LOG("cannot make %s: %s", failed, strerror(errno));
	}
	self->connects = wanted ? strtoul(wanted, NULL, 10) : 2000;
	self->tally = mmap(NULL, sizeof(*self->tally), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->tally);
	self->tally->wanted = 10 + self->connects * FLIPS_PER_CONNECT;
	ASSERT_EQ(0, make_set(self->sets[0], HANDLER_A));
	ASSERT_EQ(0, make_set(self->sets[1], HANDLER_B));
	ASSERT_EQ(0, redirect_attach(GROUP, self->world.cgroup, &last_error)) {
		TH_LOG("%s", last_error.text);
	}
	ASSERT_EQ(0, redirect_replace(GROUP, REDIRECT_ENDPOINT, self->sets[0], FILLERS + 1,
				      REDIRECT_KEEP, &last_error));
}

FIXTURE_TEARDOWN(flip)
{
	EXPECT_EQ(0, redirect_detach(GROUP, &last_error)) {
		TH_LOG("%s", last_error.text);
	}
	world_end(&self->world);
}

/* The reset at the end leaves no port waiting. */
static char connect_once(const struct sockaddr_storage *address, socklen_t len)
{
	struct linger reset = { .l_onoff = 1 };
	struct timeval limit = { .tv_sec = 60 };
	char letter = '-';
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, (const struct sockaddr *)address, len) || recv(fd, &letter, 1, 0) != 1)
		letter = '-';
	close(fd);
	return letter;
}

static bool is_enough(const struct tally *tally)
{
	return tally->flips >= tally->wanted && tally->kills >= tally->wanted;
}

static void run_task(const char *cgroup, struct tally *tally, unsigned long connects)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(CLOUD4 ":80", &address);
	char letter, last = '-';

	if (join_cgroup(cgroup))
		_exit(1);
	while (tally->connects < connects || !is_enough(tally)) {
		letter = connect_once(&address, len);
		tally->connects++;
		tally->turns += letter != last;
		last = letter;
		if (letter == 'A' || letter == 'B')
			continue;
		if (tally->wrong < sizeof(tally->letters))
			tally->letters[tally->wrong] = letter;
		tally->wrong++;
	}
	_exit(0);
}

static unsigned long now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000UL + time.tv_nsec / 1000;
}

/* One controller; if @killed, at any moment of what the one before took, or a little later. */
static int flip(const struct override *set, struct tally *tally, bool killed)
{
	static unsigned long took = 1000;
	unsigned long start = now_us();
	pid_t controller = fork();
	int status;

	if (!controller)
		_exit(redirect_replace(GROUP, REDIRECT_ENDPOINT, set, FILLERS + 1, REDIRECT_KEEP,
				       &last_error) ? 1 : 0);
	if (killed) {
		usleep(rand() % (took + took / 8));
		kill(controller, SIGKILL);
	}
	waitpid(controller, &status, 0);
	if (!killed)
		took = now_us() - start;
	tally->kills += WIFSIGNALED(status);
	tally->flips += WIFEXITED(status) && !WEXITSTATUS(status);
	return WIFEXITED(status) && WEXITSTATUS(status) ? -1 : 0;
}

static int count(const struct override_info *info, void *data)
{
	(void)info;
	++*(int *)data;
	return 0;
}

TEST_F_TIMEOUT(flip, every_connect_goes_where_a_rule_set_sends_it, 7200)
{
	struct tally *tally = self->tally;
	unsigned int i;
	int nr = 0;
	pid_t task;

	srand(1);
	task = fork();
	if (!task)
		run_task(self->world.cgroup, tally, self->connects);
	for (i = 0; !waitpid(task, NULL, WNOHANG); i++)
		ASSERT_EQ(0, flip(self->sets[(i + 1) / 2 % 2], tally, i % 2)) {
			TH_LOG("%s", last_error.text);
		}
	TH_LOG("%lu connects, %lu flips, %lu controllers killed, the answers changed %lu times",
	       tally->connects, tally->flips, tally->kills, tally->turns);
	EXPECT_LE(self->connects, tally->connects);
	EXPECT_TRUE(is_enough(tally));
	/* The connects were made while the sets were flipped, not before or after. */
	EXPECT_LE(tally->wanted / 2, tally->turns);
	EXPECT_EQ(0, tally->wrong) {
		TH_LOG("answered by %.8s", tally->letters);
	}
	/* A controller that comes after takes over what is there. */
	EXPECT_EQ(0, redirect_each(GROUP, count, &nr, &last_error));
	EXPECT_EQ(FILLERS + 1, nr);
	EXPECT_EQ(0, flip(self->sets[1], tally, false));
	EXPECT_EQ('B', ask_letter(self->world.cgroup, CLOUD4 ":80"));
}

TEST_HARNESS_MAIN
