// SPDX-License-Identifier: GPL-2.0
/*
 * A handler is killed and started again, over and over, under the load of tasks that
 * prefer it. Every request is answered by one side; but those that the handler had taken
 * before it died are reset, and a task may be refused once, if it is just between the
 * look-up and the end of the listening socket.
 *
 * What is expected depends on order, not on time: a request that began and ended while the
 * handler was up, or down, tells exactly who has to answer it.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

#define KILLS		100
#define TASKS		3
#define ANSWERS		5	/* of each side, by each task, before the next change */
#define HANDLER		"127.0.0.1:9100"	/* answers H; the cloud R */
#define LIMIT		30	/* s, after which a request counts as hanging */

/* What the handler is in; each kill makes one round of them. */
enum { UP, GOING, DOWN, COMING, PHASES };

/* Shared with the children; written by one task each. */
struct tally {
	atomic_ulong handler, cloud;	/* answers that had to come from there */
	unsigned long answered, reset, hung, wrong;
	unsigned int refused_at[KILLS + 1];	/* by kill */
};

struct shared {
	atomic_uint phase;		/* counts on: the phase is the rest by PHASES */
	atomic_bool end;
	struct tally tasks[TASKS];
};

WORLD_FIXTURE(restart)

static double now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

/*
 * Tasks.
 */

/*
 * The client speaks first: of a connection whose last packet of three meets a listener that is
 * being closed the kernel tells nobody, until the client sends something. The reset at the end
 * leaves no port waiting.
 */
static char request(const struct sockaddr_storage *address, socklen_t len, struct tally *tally,
		    unsigned int *refused)
{
	struct linger reset = { .l_onoff = 1 };
	struct timeval limit = { .tv_sec = LIMIT };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char letter = '-';

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	errno = 0;
	if (connect(fd, (const struct sockaddr *)address, len) ||
	    (send(fd, "x", 1, MSG_NOSIGNAL) && recv(fd, &letter, 1, 0) != 1)) {
		letter = '-';
		if (errno == EINPROGRESS || errno == EAGAIN || errno == ETIMEDOUT)
			tally->hung++;
		else if (errno == ECONNREFUSED)
			++*refused;
		else
			tally->reset++;
	}
	close(fd);
	return letter;
}

static void judge(struct tally *tally, unsigned int before, unsigned int after, char letter)
{
	bool gone = before % PHASES == DOWN || before % PHASES == COMING;

	tally->answered += letter != '-';
	if (before != after || before % PHASES == GOING || before % PHASES == COMING) {
		tally->wrong += letter != 'H' && letter != 'R' && (gone || letter != '-');
		return;
	}
	tally->wrong += letter != (before % PHASES == UP ? 'H' : 'R');
	if (letter == 'H')
		atomic_fetch_add(&tally->handler, 1);
	if (letter == 'R')
		atomic_fetch_add(&tally->cloud, 1);
}

static void run_task(const char *cgroup, struct shared *shared, struct tally *tally)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(CLOUD4 ":80", &address);
	unsigned int before;
	char letter;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (join_cgroup(cgroup))
		_exit(1);
	while (!atomic_load(&shared->end)) {
		before = atomic_load(&shared->phase);
		letter = request(&address, len, tally, &tally->refused_at[before / PHASES]);
		judge(tally, before, atomic_load(&shared->phase), letter);
	}
	_exit(0);
}

/*
 * The handler.
 */

static void run_handler(int ready)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(HANDLER, &address);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, client;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, 128))
		_exit(1);
	(void)!write(ready, "", 1);
	for (;;) {
		client = accept(fd, NULL, NULL);
		(void)!recv(client, &byte, 1, 0);
		(void)!send(client, "H", 1, MSG_NOSIGNAL);
		close(client);
	}
}

/* Returns when it listens; -1 if it does not. */
static pid_t start_handler(void)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		close(ready[0]);
		run_handler(ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid;
}

/* Until each task has had @ANSWERS more of the side that it must have now; or one has ended. */
static bool await_answers(struct shared *shared, bool of_handler)
{
	unsigned long wanted[TASKS];
	int i;

	for (i = 0; i < TASKS; i++)
		wanted[i] = ANSWERS + (of_handler ? shared->tasks[i].handler
						  : shared->tasks[i].cloud);
	for (i = 0; i < TASKS; i++)
		while ((of_handler ? shared->tasks[i].handler : shared->tasks[i].cloud) < wanted[i]) {
			if (shared->tasks[i].hung || shared->tasks[i].wrong)
				return false;
			usleep(200);
		}
	return true;
}

/* Kill it, and start it again; -1 if tasks did not get what they had to. */
static int kill_once(struct shared *shared, pid_t *handler, double *back)
{
	double start;

	if (!await_answers(shared, true))
		return -1;
	atomic_fetch_add(&shared->phase, 1);
	kill(*handler, SIGKILL);
	waitpid(*handler, NULL, 0);
	atomic_fetch_add(&shared->phase, 1);
	if (!await_answers(shared, false))
		return -1;
	atomic_fetch_add(&shared->phase, 1);
	*handler = start_handler();
	start = now_ms();
	atomic_fetch_add(&shared->phase, 1);
	if (*handler < 0 || !await_answers(shared, true))
		return -1;
	*back = now_ms() - start > *back ? now_ms() - start : *back;
	return 0;
}

static void start_tasks(const char *cgroup, struct shared *shared, pid_t pids[TASKS])
{
	int i;

	for (i = 0; i < TASKS; i++) {
		pids[i] = fork();
		if (!pids[i])
			run_task(cgroup, shared, &shared->tasks[i]);
	}
}

static struct tally sum_of(const struct shared *shared)
{
	struct tally sum = {};
	int i, j;

	for (i = 0; i < TASKS; i++) {
		const struct tally *tally = &shared->tasks[i];

		sum.answered += tally->answered;
		sum.reset += tally->reset;
		sum.hung += tally->hung;
		sum.wrong += tally->wrong;
		for (j = 0; j <= KILLS; j++)
			sum.refused_at[j] += tally->refused_at[j];
	}
	return sum;
}

TEST_F(restart, a_handler_killed_a_hundred_times)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t handler = start_handler(), tasks[TASKS];
	struct override_info info;
	unsigned int refused = 0;
	struct tally sum;
	double back = 0;
	int i, j;

	ASSERT_LT(0, handler);
	ASSERT_EQ(0, add_policy(GROUP, CLOUD4 ":80", REDIRECT_PREFER_LOCAL, HANDLER)) {
		TH_LOG("%s", last_error.text);
	}
	start_tasks(self->cgroup, shared, tasks);
	for (i = 0; i < KILLS && !kill_once(shared, &handler, &back); i++)
		;
	EXPECT_EQ(KILLS, i);
	atomic_store(&shared->end, true);
	for (i = 0; i < TASKS; i++)
		waitpid(tasks[i], NULL, 0);
	kill(handler, SIGKILL);
	waitpid(handler, NULL, 0);
	sum = sum_of(shared);
	for (j = 0; j < KILLS + 1; j++)
		refused += sum.refused_at[j];
	TH_LOG("%lu requests answered, %u refused, %lu reset; all tasks had %d answers of the new handler after %.1f ms at most",
	       sum.answered, refused, sum.reset, ANSWERS, back);
	EXPECT_EQ(0, sum.hung);
	EXPECT_EQ(0, sum.wrong);
	for (i = 0; i < TASKS; i++)
		for (j = 0; j < KILLS + 1; j++)
			EXPECT_GE(1, shared->tasks[i].refused_at[j]);
	ASSERT_TRUE(find_override(GROUP, CLOUD4 ":80", &info));
	EXPECT_LE(KILLS * TASKS * ANSWERS, info.stats.fell_through);
	EXPECT_EQ(0, info.stats.no_handler);
}

TEST_HARNESS_MAIN
