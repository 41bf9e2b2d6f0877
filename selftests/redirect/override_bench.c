// SPDX-License-Identifier: GPL-2.0
/*
 * What a redirected connect costs, against a direct one and the alternatives; run by
 * selftests/bench/override. Prints a JSON object a way, one a line; "override_bench pairs" only
 * what redirected connects differ by from direct ones.
 *
 * All ways are measured in turns, round after round, so that what else the machine does
 * meets all of them alike. A client is a process of its own, in the way's cgroup.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pairs.h"
#include "world.h"

#define ROUNDS		12
#define CONNECTS	2000		/* a round */
#define BYTES		(512L << 20)	/* a transfer */
#define GROUPS		64
#define RULES		10000
#define SOURCE		"127.0.0.1:9200"	/* sends BYTES */
#define PROXY		"127.0.0.1:9300"	/* HAProxy to HANDLER_A */
#define PROXY_SOURCE	"127.0.0.1:9301"	/* HAProxy to SOURCE */
#define FORKING		"127.0.0.1:9302"	/* socat to HANDLER_A */
#define FORKING_SOURCE	"127.0.0.1:9303"
#define CLOUD		CLOUD4 ":80"
#define CLOUD_SOURCE	CLOUD4 ":9200"

enum group_of { NO_GROUP, SMALL_GROUP, BIG_GROUP };

static struct way_measured {
	const char *name;
	enum group_of group;
	const char *address, *source;
	bool preload, nat;
	unsigned long slower;	/* connects are so many times fewer */
	double *connect, *first;	/* us, of all rounds */
	size_t nr;
	double per_second[ROUNDS];
	size_t nr_rounds;
	double rates[ROUNDS];	/* MB/s; the best counts */
	size_t nr_rates;
} ways[] = {
	{ "direct", NO_GROUP, HANDLER_A, SOURCE, .slower = 1 },
	{ "override, 10 rules", SMALL_GROUP, CLOUD, CLOUD_SOURCE, .slower = 1 },
	{ "override, 10,000 rules in 64 groups", BIG_GROUP, CLOUD, CLOUD_SOURCE, .slower = 1 },
	{ "LD_PRELOAD", NO_GROUP, CLOUD, CLOUD_SOURCE, .preload = true, .slower = 1 },
	{ "iptables REDIRECT", NO_GROUP, CLOUD, CLOUD_SOURCE, .nat = true, .slower = 1 },
	{ "HAProxy", NO_GROUP, PROXY, PROXY_SOURCE, .slower = 1 },
	{ "socat, a process a connection", NO_GROUP, FORKING, FORKING_SOURCE, .slower = 10 },
};

#define NR_WAYS (sizeof(ways) / sizeof(ways[0]))

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "override_bench: %s: %s\n", what, errno ? strerror(errno) : last_error.text);
	exit(1);
}

/*
 * The client: writes what it measured to standard output.
 */

static int open_to(const struct sockaddr_storage *address, socklen_t len, double *took)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	double start = now();

	if (connect(fd, (const struct sockaddr *)address, len))
		die("connect");
	*took = now() - start;
	return fd;
}

static void run_connects(const char *text, long nr)
{
	struct linger reset = { .l_onoff = 1 };
	struct sockaddr_storage address;
	socklen_t len = parse_address(text, &address);
	double start, took[2];
	char byte;
	int fd;

	while (nr--) {
		start = now();
		fd = open_to(&address, len, &took[0]);
		if (recv(fd, &byte, 1, 0) != 1)
			die("no answer");
		took[1] = now() - start;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		(void)!fwrite(took, sizeof(took), 1, stdout);
	}
	fflush(stdout);
}

static void run_transfer(const char *text)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(text, &address);
	static char buffer[1 << 18];
	double start, took;
	int fd = open_to(&address, len, &took);
	long got = 0;
	ssize_t n;

	start = now();
	while (got < BYTES && (n = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		got += n;
	took = got / (now() - start) / 1e6;
	(void)!fwrite(&took, sizeof(took), 1, stdout);
	fflush(stdout);
}

/*
 * The parent.
 */

static char preload_path[4096], big_group[PATH_MAX];

static FILE *start_client(const struct way_measured *way, const struct world *world,
			  const char *what, const char *address, long nr, pid_t *pid)
{
	const char *cgroup = way->group == SMALL_GROUP ? world->cgroup :
			     way->group == BIG_GROUP ? big_group : world->other;
	char number[32];
	int ends[2];

	snprintf(number, sizeof(number), "%ld", nr);
	if (pipe(ends))
		die("pipe");
	*pid = fork();
	if (!*pid) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		if (join_cgroup(cgroup))
			die("cgroup");
		if (way->preload)
			setenv("LD_PRELOAD", preload_path, 1);
		execl("/proc/self/exe", "override_bench", what, address, number, NULL);
		die("exec");
	}
	close(ends[1]);
	return fdopen(ends[0], "r");
}

static void set_nat(bool on)
{
	if (on && system("iptables -t nat -A OUTPUT -d 198.18.0.5 -p tcp --dport 80 -j REDIRECT --to-ports 9001 && iptables -t nat -A OUTPUT -d 198.18.0.5 -p tcp --dport 9200 -j REDIRECT --to-ports 9200"))
		die("iptables");
	if (!on && system("nft flush ruleset"))
		die("nft");
}

static void measure(struct way_measured *way, const struct world *world, bool transfer)
{
	double took[2], rate, elapsed = 0;
	FILE *results;
	int status;
	pid_t pid;

	if (way->nat)
		set_nat(true);
	results = start_client(way, world, "connects", way->address, CONNECTS / way->slower, &pid);
	while (fread(took, sizeof(took), 1, results) == 1) {
		way->connect[way->nr] = took[0] * 1e6;
		way->first[way->nr++] = took[1] * 1e6;
		elapsed += took[1];
	}
	way->per_second[way->nr_rounds++] = CONNECTS / way->slower / elapsed;
	fclose(results);
	waitpid(pid, &status, 0);
	if (status)
		die(way->name);
	if (transfer) {
		results = start_client(way, world, "transfer", way->source, 1, &pid);
		if (fread(&rate, sizeof(rate), 1, results) == 1)
			way->rates[way->nr_rates++] = rate;
		fclose(results);
		waitpid(pid, NULL, 0);
	}
	if (way->nat)
		set_nat(false);
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double percentile(double *values, size_t nr, double share)
{
	qsort(values, nr, sizeof(*values), compare);
	return nr ? values[(size_t)(share * (nr - 1))] : 0;
}

/* The median of the rounds' own percentiles: what else the machine did hits some rounds only. */
static double of_rounds(const struct way_measured *way, double *values, double share)
{
	size_t per_round = CONNECTS / way->slower, i;
	double each[ROUNDS];

	for (i = 0; i < ROUNDS; i++)
		each[i] = percentile(values + i * per_round, per_round, share);
	return percentile(each, ROUNDS, 0.5);
}

static void print(struct way_measured *way)
{
	printf("{\"way\": \"%s\", \"connects\": %zu, \"connect_p50_us\": %.2f, \"connect_p99_us\": %.2f, "
	       "\"first_byte_p50_us\": %.2f, \"per_second\": %.0f, \"mb_per_second\": %.0f}\n",
	       way->name, way->nr, of_rounds(way, way->connect, 0.5),
	       of_rounds(way, way->connect, 0.99), of_rounds(way, way->first, 0.5),
	       percentile(way->per_second, ROUNDS, 0.5), percentile(way->rates, way->nr_rates, 1));
}

/*
 * Surroundings.
 */

static pid_t start_source(void)
{
	static char buffer[1 << 18];
	struct sockaddr_storage address;
	socklen_t len = parse_address(SOURCE, &address);
	int fd = socket(AF_INET, SOCK_STREAM, 0), client;
	pid_t pid;
	long sent;

	if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, 16))
		die(SOURCE);
	pid = fork();
	if (pid) {
		close(fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		client = accept(fd, NULL, NULL);
		for (sent = 0; sent < BYTES;) {
			ssize_t n = send(client, buffer, sizeof(buffer), MSG_NOSIGNAL);

			if (n <= 0)
				break;
			sent += n;
		}
		close(client);
	}
}

static pid_t start(const char *const *arguments)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execvp(arguments[0], (char **)arguments);
		die(arguments[0]);
	}
	return pid;
}

static void await(const char *text)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(text, &address);
	int fd, i;

	for (i = 0; i < 1000; i++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(fd, (struct sockaddr *)&address, len)) {
			close(fd);
			return;
		}
		close(fd);
		usleep(10000);
	}
	die(text);
}

static const char haproxy[] =
	"global\n maxconn 2000\n"
	"defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
	"listen a\n bind " PROXY "\n server a " HANDLER_A "\n"
	"listen b\n bind " PROXY_SOURCE "\n server b " SOURCE "\n";

static void start_proxies(pid_t pids[3])
{
	char path[] = "/tmp/coppice-haproxy-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, haproxy, sizeof(haproxy) - 1) < 0)
		die(path);
	close(fd);
	pids[0] = start((const char *const[]){ "haproxy", "-f", path, NULL });
	pids[1] = start((const char *const[]){ "socat", "TCP-LISTEN:9302,bind=127.0.0.1,reuseaddr,backlog=1024,fork",
					       "TCP:" HANDLER_A, NULL });
	pids[2] = start((const char *const[]){ "socat", "TCP-LISTEN:9303,bind=127.0.0.1,reuseaddr,fork",
					       "TCP:" SOURCE, NULL });
	await(PROXY);
	await(PROXY_SOURCE);
	await(FORKING);
	await(FORKING_SOURCE);
	unlink(path);
}

/* @nr rules in all, two of which are looked at. */
static void add_rules(const char *group, int first, int nr)
{
	struct override *overrides = calloc(nr, sizeof(*overrides));
	char text[64];
	int i;

	for (i = 0; i < nr; i++) {
		snprintf(text, sizeof(text), "10.%d.%d.%d:%d", (first + i) >> 16, (first + i) >> 8 & 255,
			 (first + i) & 255, 1 + i % 4000);
		if (i == 0 || i == 1)
			strcpy(text, i ? CLOUD_SOURCE : CLOUD);
		overrides[i].nr_handlers = 1;
		if (endpoint_parse(text, &overrides[i].endpoint, &last_error) ||
		    handler_parse(i == 1 ? SOURCE : HANDLER_A, &overrides[i].handlers[0].address, &last_error))
			die(text);
	}
	errno = 0;
	if (redirect_add_all(group, overrides, nr, &last_error))
		die("rules");
	free(overrides);
}

static void make_groups(const struct world *world)
{
	char path[PATH_MAX + 16], name[32];
	int i;

	for (i = 0; i < GROUPS; i++) {
		snprintf(path, sizeof(path), "%.4000s-%d", world->other, i);
		snprintf(name, sizeof(name), "big%d", i);
		errno = 0;
		if (make_cgroup(path) || redirect_attach(name, path, &last_error))
			die(path);
		add_rules(name, i * (RULES / GROUPS), RULES / GROUPS + (i ? 0 : RULES % GROUPS));
		if (i == GROUPS / 2)
			strcpy(big_group, path);
	}
}

static void remove_groups(const struct world *world)
{
	char path[PATH_MAX + 16], name[32];
	int i;

	for (i = 0; i < GROUPS; i++) {
		snprintf(path, sizeof(path), "%.4000s-%d", world->other, i);
		snprintf(name, sizeof(name), "big%d", i);
		(void)!redirect_detach(name, &last_error);
		rmdir(path);
	}
}

/* Transfers in every other round. */
static void run_rounds(const struct world *world)
{
	size_t round, i;

	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < NR_WAYS; i++)
			measure(&ways[i], world, round % 2);
}

/* "direct" twice: what it differs by from itself is noise. */
static void run_pairs(const struct world *world)
{
	const struct pairs_way pairs[] = {
		{ "direct", world->other, HANDLER_A },
		{ "direct again", world->other, HANDLER_A },
		{ "override, 10 rules", world->cgroup, CLOUD },
		{ "override, 10,000 rules in 64 groups", big_group, CLOUD },
	};
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(pairs_measure(pairs, sizeof(pairs) / sizeof(pairs[0])) || fflush(stdout));
	if (waitpid(pid, &status, 0) != pid || status)
		die("pairs");
}

static void set_path(const char *self)
{
	snprintf(preload_path, sizeof(preload_path), "%s", self);
	strcpy(strrchr(preload_path, '/') + 1, "preload.so");
}

static void run_ways(const struct world *world)
{
	pid_t pids[3], source = start_source();
	size_t i;

	start_proxies(pids);
	for (i = 0; i < NR_WAYS; i++) {
		ways[i].connect = calloc(ROUNDS * CONNECTS, sizeof(double));
		ways[i].first = calloc(ROUNDS * CONNECTS, sizeof(double));
	}
	run_rounds(world);
	for (i = 0; i < NR_WAYS; i++)
		print(&ways[i]);
	for (i = 0; i < 3; i++)
		kill(pids[i], SIGTERM);
	kill(source, SIGKILL);
}

int main(int argc, char **argv)
{
	struct world world = {};

	if (argc == 4 && !strcmp(argv[1], "connects"))
		return run_connects(argv[2], atol(argv[3])), 0;
	if (argc == 4 && !strcmp(argv[1], "transfer"))
		return run_transfer(argv[2]), 0;
	set_path(argv[0]);
	if (world_make(&world))
		die("world");
	errno = 0;
	if (redirect_attach("small", world.cgroup, &last_error))
		die("attach");
	add_rules("small", 0, 10);
	make_groups(&world);
	run_pairs(&world);
	if (argc == 1)
		run_ways(&world);
	remove_groups(&world);
	(void)!redirect_detach("small", &last_error);
	world_end(&world);
	return 0;
}
