// SPDX-License-Identifier: GPL-2.0
/* Policies, several handlers, groups' and the hub's rules, names, and what is open on a change. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

WORLD_FIXTURE(policy)

#define ADD(endpoint, policy, handlers)						\
	ASSERT_EQ(0, add_policy(GROUP, endpoint, policy, handlers)) { TH_LOG("%s", last_error.text); }

#define REFUSED(word, endpoint, policy, handlers) do {				\
	EXPECT_EQ(-1, add_policy(GROUP, endpoint, policy, handlers));		\
	EXPECT_NE(NULL, strstr(last_error.text, word)) { TH_LOG("%s", last_error.text); }	\
} while (0)

static bool shows_sockets(void)
{
	struct endpoint any;
	struct redirect_origin origin;

	return !handler_parse("127.0.0.1:1", &any, &last_error) &&
	       (!redirect_origin(IPPROTO_UDP, &any, &any, &origin, &last_error) ||
		!strstr(last_error.text, "CONFIG_INET"));
}

#define NEEDS_SOCKETS()								\
	if (!shows_sockets())							\
		SKIP(return, "this kernel does not show its sockets")

static int listen_on(const char *text, int backlog)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(text, &address);
	int fd = socket(address.ss_family, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(fd, (struct sockaddr *)&address, len) || listen(fd, backlog) ? -1 : fd;
}

/* A connection of a task, made by this process while it is in the group. */
static int connect_to(const char *cgroup, const char *outside, const char *text)
{
	struct sockaddr_storage address;
	socklen_t len = parse_address(text, &address);
	int fd;

	if (join_cgroup(cgroup))
		return -1;
	fd = socket(address.ss_family, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&address, len)) {
		close(fd);
		fd = -1;
	}
	join_cgroup(outside);
	return fd;
}

TEST_F(policy, local_refuses)
{
	struct override_info info;
	struct answer answer;

	ADD(CLOUD4 ":80", REDIRECT_LOCAL, HANDLER_DOWN);
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_CONNECT);
	EXPECT_EQ(ECONNREFUSED, answer.error);
	/* By the kernel, which looks for the handler anyway. */
	ASSERT_TRUE(find_override(GROUP, CLOUD4 ":80", &info));
	EXPECT_EQ(1, info.stats.redirected);
	EXPECT_EQ(0, info.stats.no_handler);
}

/* With several, another may be up: each is looked for before the kernel does. */
TEST_F(policy, local_refuses_when_all_are_down)
{
	struct override_info info;
	struct answer answer;

	ADD(CLOUD4 ":80", REDIRECT_LOCAL, HANDLER_DOWN ",127.0.0.1:9100");
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_CONNECT);
	EXPECT_EQ(ECONNREFUSED, answer.error);
	ASSERT_TRUE(find_override(GROUP, CLOUD4 ":80", &info));
	EXPECT_EQ(1, info.stats.no_handler);
	EXPECT_EQ(0, info.stats.redirected);
}

/* The first connect after the handler's end, or its start, already knows. */
TEST_F(policy, prefer_local_falls_through_at_once)
{
	struct override_info info;
	int fd, i;

	ADD(CLOUD4 ":80", REDIRECT_PREFER_LOCAL, "127.0.0.1:9100");
	for (i = 0; i < 20; i++) {
		EXPECT_EQ('R', ask_letter(self->cgroup, CLOUD4 ":80"));
		fd = listen_on("127.0.0.1:9100", 16);
		ASSERT_LE(0, fd);
		EXPECT_LE(0, connect_to(self->cgroup, self->world.cgroups, CLOUD4 ":80"));
		EXPECT_LE(0, accept(fd, NULL, NULL));
		close(fd);
	}
	ASSERT_TRUE(find_override(GROUP, CLOUD4 ":80", &info));
	EXPECT_EQ(20, info.stats.fell_through);
	EXPECT_EQ(20, info.stats.redirected);
}

TEST_F(policy, prefer_cloud_goes_there_as_long_as_it_is_reachable)
{
	ADD(CLOUD4 ":80", REDIRECT_PREFER_CLOUD, HANDLER_A);
	EXPECT_EQ('R', ask_letter(self->cgroup, CLOUD4 ":80"));
	REFUSED("prefer-cloud", CLOUD4 ":*", REDIRECT_PREFER_CLOUD, HANDLER_A);
	REFUSED("prefer-cloud", "198.18.0.0/24:80", REDIRECT_PREFER_CLOUD, HANDLER_A);
	REFUSED("prefer-cloud", "udp:" CLOUD4 ":80", REDIRECT_PREFER_CLOUD, HANDLER_A);
}

TEST_F(policy, block_refuses)
{
	struct override_info info;
	struct answer answer;

	ADD(CLOUD4 ":80", REDIRECT_BLOCK, "");
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_CONNECT);
	EXPECT_EQ(ECONNREFUSED, answer.error);
	ASSERT_TRUE(find_override(GROUP, CLOUD4 ":80", &info));
	EXPECT_EQ(1, info.stats.denied);
	REFUSED("leave out the handler", CLOUD4 ":81", REDIRECT_BLOCK, HANDLER_A);
	REFUSED("no handler", CLOUD4 ":81", REDIRECT_LOCAL, "");
	REFUSED("relay", CLOUD4 ":81", REDIRECT_LOCAL, "unix:/run/x.sock");
}

TEST_F(policy, handlers_by_weight_and_by_life)
{
	int a = 0, b = 0, i;
	char letter;

	ADD(CLOUD4 ":80", REDIRECT_LOCAL, HANDLER_A "*9," HANDLER_B);
	ADD(CLOUD4 ":81", REDIRECT_LOCAL, HANDLER_DOWN "*9," HANDLER_B ",127.0.0.1:9998");
	for (i = 0; i < 200; i++) {
		letter = ask_letter(self->cgroup, CLOUD4 ":80");
		a += letter == 'A';
		b += letter == 'B';
	}
	EXPECT_EQ(200, a + b);
	/* 20 are expected; that it is none, or half of them, is less likely than 1 in 10^9. */
	EXPECT_LT(0, b);
	EXPECT_LT(b, 100);
	for (i = 0; i < 20; i++)
		EXPECT_EQ('B', ask_letter(self->cgroup, CLOUD4 ":81"));
}

TEST_F(policy, the_narrowest_range_wins)
{
	ADD("198.18.0.5:1-1000", REDIRECT_LOCAL, HANDLER_A);
	ADD("198.18.0.0/15:70-90", REDIRECT_LOCAL, HANDLER_B);
	ADD("198.18.0.5:*", REDIRECT_LOCAL, HANDLER_FAST);
	EXPECT_EQ('B', ask_letter(self->cgroup, CLOUD4 ":70"));
	EXPECT_EQ('B', ask_letter(self->cgroup, CLOUD4 ":90"));
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":69"));
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":1000"));
	EXPECT_EQ('F', ask_letter(self->cgroup, CLOUD4 ":1001"));
	EXPECT_EQ('B', ask_letter(self->cgroup, "198.18.0.6:80"));
	EXPECT_EQ('-', ask_letter(self->cgroup, "198.18.0.6:91"));
	ADD(CLOUD4 ":80", REDIRECT_LOCAL, HANDLER_A);
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":80"));
}

TEST_F(policy, there_are_only_so_many_ranges)
{
	char text[64];
	int i;

	for (i = 0; i < REDIRECT_RANGES_MAX; i++) {
		snprintf(text, sizeof(text), "198.18.0.5:%d-%d", 100 + i, 200 + i);
		ADD(text, REDIRECT_LOCAL, HANDLER_A);
	}
	REFUSED("different port ranges", CLOUD4 ":5000-6000", REDIRECT_LOCAL, HANDLER_B);
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":215"));
	EXPECT_EQ('-', ask_letter(self->cgroup, CLOUD4 ":5000"));
}

TEST_F(policy, the_hubs_rules_come_after_the_groups)
{
	ASSERT_EQ(0, redirect_attach("other", self->world.other, &last_error));
	ASSERT_EQ(0, add_policy(REDIRECT_HUB_NAME, CLOUD4 ":80", REDIRECT_LOCAL, HANDLER_B));
	EXPECT_EQ('B', ask_letter(self->cgroup, CLOUD4 ":80"));
	EXPECT_EQ('B', ask_letter(self->world.other, CLOUD4 ":80"));
	/* Even a wider one of the group. */
	ADD("198.18.0.0/15:*", REDIRECT_LOCAL, HANDLER_A);
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":80"));
	EXPECT_EQ('B', ask_letter(self->world.other, CLOUD4 ":80"));
	EXPECT_EQ(0, redirect_detach("other", &last_error));
	EXPECT_EQ('R', ask_letter(self->world.other, CLOUD4 ":80"));
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":80"));
	EXPECT_EQ(0, delete(REDIRECT_HUB_NAME, CLOUD4 ":80"));
}

static bool parse_name(struct redirect_name *name, const char *address, const char *alias,
		       const char *real4)
{
	*name = (struct redirect_name){};
	return !endpoint_parse(address, &name->address, &last_error) &&
	       !endpoint_parse(alias, &name->alias, &last_error) &&
	       (!real4 || !endpoint_parse(real4, &name->real4, &last_error));
}

/* 198.51.100.1 stands for a wildcard, .2 and .3 were given to hosts that match it. */
TEST_F(policy, names_are_looked_up_as_their_alias)
{
	struct override override = { .nr_handlers = 1, .policy = REDIRECT_PREFER_LOCAL };
	struct redirect_name name;
	struct answer answer;

	ASSERT_EQ(0, endpoint_parse("198.51.100.1:80", &override.endpoint, &last_error));
	ASSERT_EQ(0, handler_parse(HANDLER_A, &override.handlers[0].address, &last_error));
	strcpy(override.label, "*.example.org");
	ASSERT_EQ(0, redirect_add_all(GROUP, &override, 1, &last_error));
	EXPECT_EQ('-', ask_letter(self->cgroup, "198.51.100.2:80"));
	ASSERT_TRUE(parse_name(&name, "198.51.100.2:*", "198.51.100.1:*", CLOUD4 ":*"));
	ASSERT_EQ(0, redirect_name_set(GROUP, &name, &last_error));
	answer = ask(self->cgroup, "198.51.100.2:80", WAY_CONNECT);
	EXPECT_EQ('A', answer.letter);
	EXPECT_TRUE(has_peer(&answer, "198.51.100.2:80"));
	/* No rule for this port: to the real one, whose port 81 answers Q. */
	answer = ask(self->cgroup, "198.51.100.2:81", WAY_CONNECT);
	EXPECT_EQ('Q', answer.letter);
	EXPECT_TRUE(has_peer(&answer, "198.51.100.2:81"));
	/* Without a real one there is nowhere to go. */
	ASSERT_TRUE(parse_name(&name, "198.51.100.3:*", "198.51.100.1:*", NULL));
	ASSERT_EQ(0, redirect_name_set(GROUP, &name, &last_error));
	EXPECT_EQ('A', ask_letter(self->cgroup, "198.51.100.3:80"));
	answer = ask(self->cgroup, "198.51.100.3:81", WAY_CONNECT);
	EXPECT_EQ(ECONNREFUSED, answer.error);
	EXPECT_EQ(0, redirect_name_delete(GROUP, &name.address, &last_error));
	EXPECT_EQ('-', ask_letter(self->cgroup, "198.51.100.3:80"));
}

TEST_F(policy, names_of_a_dead_handler_go_to_the_real_address)
{
	struct override override = { .nr_handlers = 1, .policy = REDIRECT_PREFER_LOCAL };
	struct redirect_name name;
	struct answer answer;

	ASSERT_EQ(0, endpoint_parse("any:198.51.100.1:80", &override.endpoint, &last_error));
	ASSERT_EQ(0, handler_parse(HANDLER_DOWN, &override.handlers[0].address, &last_error));
	strcpy(override.label, "www.example.org");
	ASSERT_EQ(0, redirect_add_all(GROUP, &override, 1, &last_error));
	ASSERT_TRUE(parse_name(&name, "198.51.100.1:*", "198.51.100.1:*", CLOUD4 ":*"));
	ASSERT_EQ(0, redirect_name_set(GROUP, &name, &last_error));
	answer = ask(self->cgroup, "198.51.100.1:80", WAY_CONNECT);
	EXPECT_EQ('R', answer.letter);
	EXPECT_TRUE(has_peer(&answer, "198.51.100.1:80"));
	answer = ask(self->cgroup, "198.51.100.1:80", WAY_UDP);
	EXPECT_EQ('R', answer.letter);
	EXPECT_TRUE(is_from(&answer, "198.51.100.1:80"));
	answer = ask(self->cgroup, "[::ffff:198.51.100.1]:80", WAY_CONNECT);
	EXPECT_EQ('R', answer.letter);
}

TEST_F(policy, marked_sockets_are_left_alone)
{
	struct answer answer;

	ADD(CLOUD4 ":80", REDIRECT_LOCAL, HANDLER_A);
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_MARKED);
	EXPECT_EQ('R', answer.letter);
}

/* Does a connection of the task still live after the rule has been changed? */
static bool lives(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	char byte;

	return !poll(&polled, 1, 0) || recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0;
}

TEST_F(policy, open_connections_are_kept_or_reset)
{
	struct endpoint endpoint;
	int fd, held, other;

	NEEDS_SOCKETS();
	fd = listen_on("127.0.0.1:9100", 16);
	ASSERT_LE(0, fd);
	ADD(CLOUD4 ":80", REDIRECT_LOCAL, "127.0.0.1:9100");
	ADD(CLOUD4 ":81", REDIRECT_LOCAL, "127.0.0.1:9100");
	held = connect_to(self->cgroup, self->world.cgroups, CLOUD4 ":80");
	other = connect_to(self->cgroup, self->world.cgroups, CLOUD4 ":81");
	ASSERT_LE(0, held);
	ASSERT_EQ(0, delete(GROUP, CLOUD4 ":80"));
	EXPECT_TRUE(lives(held));
	close(held);
	ADD(CLOUD4 ":80", REDIRECT_LOCAL, "127.0.0.1:9100");
	held = connect_to(self->cgroup, self->world.cgroups, CLOUD4 ":80");
	ASSERT_EQ(0, endpoint_parse(CLOUD4 ":80", &endpoint, &last_error));
	ASSERT_EQ(0, redirect_delete(GROUP, &endpoint, REDIRECT_RESET, &last_error)) {
		TH_LOG("%s", last_error.text);
	}
	EXPECT_FALSE(lives(held));
	EXPECT_TRUE(lives(other));
	close(fd);
}

static unsigned int open_by(const char *endpoint)
{
	struct override_info info;

	return find_override(GROUP, endpoint, &info) ? info.open : 1000;
}

TEST_F(policy, open_connections_are_counted)
{
	int fd = listen_on("127.0.0.1:9100", 16), held, other;

	ADD(CLOUD4 ":80", REDIRECT_LOCAL, "127.0.0.1:9100");
	ADD(CLOUD4 ":81", REDIRECT_LOCAL, "127.0.0.1:9100");
	EXPECT_EQ(0, open_by(CLOUD4 ":80"));
	held = connect_to(self->cgroup, self->world.cgroups, CLOUD4 ":80");
	other = connect_to(self->cgroup, self->world.cgroups, CLOUD4 ":80");
	EXPECT_EQ(2, open_by(CLOUD4 ":80"));
	EXPECT_EQ(0, open_by(CLOUD4 ":81"));
	close(held);
	EXPECT_EQ(1, open_by(CLOUD4 ":80"));
	/* The rule's number in another use is another rule. */
	EXPECT_EQ(0, delete(GROUP, CLOUD4 ":80"));
	ADD(CLOUD4 ":82", REDIRECT_LOCAL, HANDLER_A);
	EXPECT_EQ(0, open_by(CLOUD4 ":82"));
	close(other);
	close(fd);
}

static int open_map(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/fs/bpf/coppice/maps/%s", name);
	return bpf_obj_get(path);
}

static unsigned int count_records(int map)
{
	size_t size = REDIRECT_ORIGINS_MAX * sizeof(struct origin_value);
	struct origin_value *records = mmap(NULL, size, PROT_READ, MAP_SHARED, map, 0);
	unsigned int nr = 0, i;

	for (i = 0; records != MAP_FAILED && i < REDIRECT_ORIGINS_MAX; i++)
		nr += !!records[i].cookie;
	munmap(records, size);
	return nr;
}

TEST_F(policy, a_group_leaves_no_records)
{
	int fd = listen_on("127.0.0.1:9100", 16), held, map;

	ASSERT_EQ(0, redirect_attach("other", self->world.other, &last_error));
	ADD(CLOUD4 ":80", REDIRECT_LOCAL, "127.0.0.1:9100");
	map = open_map("origin");
	held = connect_to(self->cgroup, self->world.cgroups, CLOUD4 ":80");
	ASSERT_LE(0, held);
	EXPECT_EQ(1, count_records(map));
	EXPECT_EQ(0, redirect_detach(GROUP, &last_error));
	EXPECT_EQ(0, count_records(map));
	EXPECT_EQ(0, redirect_detach("other", &last_error));
	close(held);
	close(fd);
}

/* As if sockets of another group had all of them, or had had them. */
static int fill_records(bool taken)
{
	static struct origin_value values[REDIRECT_ORIGINS_MAX];
	static uint32_t indices[REDIRECT_ORIGINS_MAX];
	uint32_t nr = REDIRECT_ORIGINS_MAX, i;

	for (i = 0; i < nr; i++) {
		indices[i] = i;
		values[i].cookie = taken ? UINT64_MAX - REDIRECT_ORIGINS_MAX + 1 + i : 0;
		values[i].group = REDIRECT_GROUPS_MAX;
	}
	return bpf_map_update_batch(open_map("origin"), indices, values, &nr, NULL);
}

TEST_F(policy, who_is_too_many_is_shown_the_endpoint_too)
{
	struct answer answer;

	ADD("any:" CLOUD4 ":80", REDIRECT_LOCAL, HANDLER_A);
	ASSERT_EQ(0, fill_records(true));
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_CONNECT);
	EXPECT_EQ('A', answer.letter);
	EXPECT_TRUE(has_peer(&answer, CLOUD4 ":80"));
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_UDP_CONNECT);
	EXPECT_EQ('A', answer.letter);
	EXPECT_TRUE(is_from(&answer, CLOUD4 ":80"));
}

TEST_F(policy, what_a_record_was_before_is_forgotten)
{
	struct answer answer;

	ADD(CLOUD4 ":80", REDIRECT_LOCAL, HANDLER_A);
	ASSERT_EQ(0, fill_records(false));
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_CONNECT);
	EXPECT_EQ('A', answer.letter);
	EXPECT_TRUE(has_peer(&answer, CLOUD4 ":80"));
}

static int origin_of(uint8_t protocol, const struct sockaddr_in *source, struct redirect_origin *origin)
{
	struct endpoint from, handler;
	char text[64];

	snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(source->sin_port));
	return handler_parse(text, &from, &last_error) ||
	       handler_parse(protocol == IPPROTO_TCP ? "127.0.0.1:9100" : "127.0.0.1:9101",
			     &handler, &last_error) ||
	       redirect_origin(protocol, &from, &handler, origin, &last_error);
}

TEST_F(policy, a_handler_learns_what_was_asked_for)
{
	struct redirect_origin origin;
	struct sockaddr_in source;
	socklen_t len = sizeof(source);
	char text[REDIRECT_TEXT_MAX];
	int fd, task;

	NEEDS_SOCKETS();
	fd = listen_on("127.0.0.1:9100", 16);
	ADD("203.0.113.0/24:443", REDIRECT_LOCAL, "127.0.0.1:9100");
	task = connect_to(self->cgroup, self->world.cgroups, "203.0.113.77:443");
	ASSERT_LE(0, task);
	ASSERT_LE(0, accept(fd, (struct sockaddr *)&source, &len));
	ASSERT_EQ(0, origin_of(IPPROTO_TCP, &source, &origin)) {
		TH_LOG("%s", last_error.text);
	}
	endpoint_format(&origin.asked, text);
	EXPECT_STREQ("203.0.113.77:443", text);
	EXPECT_STREQ(GROUP, origin.group);
	EXPECT_EQ(getpid(), origin.pid);
	/* Nobody has that port. */
	source.sin_port = htons(9100);
	EXPECT_NE(0, origin_of(IPPROTO_TCP, &source, &origin));
	close(task);
	close(fd);
}

TEST_F(policy, a_handler_learns_it_of_who_is_too_many_too)
{
	struct redirect_origin origin;
	struct sockaddr_in source;
	socklen_t len = sizeof(source);
	int fd, task;

	NEEDS_SOCKETS();
	fd = listen_on("127.0.0.1:9100", 16);
	ADD(CLOUD4 ":80", REDIRECT_LOCAL, "127.0.0.1:9100");
	ASSERT_EQ(0, fill_records(true));
	task = connect_to(self->cgroup, self->world.cgroups, CLOUD4 ":80");
	ASSERT_LE(0, task);
	ASSERT_LE(0, accept(fd, (struct sockaddr *)&source, &len));
	ASSERT_EQ(0, origin_of(IPPROTO_TCP, &source, &origin)) {
		TH_LOG("%s", last_error.text);
	}
	EXPECT_STREQ(GROUP, origin.group);
	close(task);
	close(fd);
}

TEST_F(policy, a_handler_of_datagrams_learns_it_too)
{
	struct sockaddr_storage address, source;
	socklen_t len = parse_address("127.0.0.1:9101", &address);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), task;
	struct redirect_origin origin;
	char text[REDIRECT_TEXT_MAX], byte;

	NEEDS_SOCKETS();
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&address, len));
	ADD("udp:203.0.113.0/24:123", REDIRECT_LOCAL, "127.0.0.1:9101");
	ASSERT_EQ(0, join_cgroup(self->cgroup));
	task = socket(AF_INET, SOCK_DGRAM, 0);
	len = parse_address("203.0.113.77:123", &address);
	EXPECT_EQ(1, sendto(task, "x", 1, 0, (struct sockaddr *)&address, len));
	ASSERT_EQ(0, join_cgroup(self->world.cgroups));
	len = sizeof(source);
	ASSERT_EQ(1, recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&source, &len));
	ASSERT_EQ(0, origin_of(IPPROTO_UDP, (struct sockaddr_in *)&source, &origin)) {
		TH_LOG("%s", last_error.text);
	}
	endpoint_format(&origin.asked, text);
	EXPECT_STREQ("udp:203.0.113.77:123", text);
	EXPECT_EQ(getpid(), origin.pid);
	close(task);
	close(fd);
}

TEST_F(policy, a_handler_in_the_group_is_refused)
{
	struct override override = { .nr_handlers = 1 };
	int inside, outside;

	NEEDS_SOCKETS();
	ASSERT_EQ(0, endpoint_parse(CLOUD4 ":80", &override.endpoint, &last_error));
	ASSERT_EQ(0, handler_parse("127.0.0.1:9100", &override.handlers[0].address, &last_error));
	outside = listen_on("127.0.0.1:9100", 16);
	EXPECT_EQ(0, redirect_check_loop(self->cgroup, &override, &last_error));
	close(outside);
	ASSERT_EQ(0, join_cgroup(self->world.child));
	inside = listen_on("0.0.0.0:9100", 16);
	ASSERT_EQ(0, join_cgroup(self->world.cgroups));
	EXPECT_EQ(-1, redirect_check_loop(self->cgroup, &override, &last_error));
	EXPECT_NE(NULL, strstr(last_error.text, "outside of the group"));
	EXPECT_EQ(0, redirect_check_loop(self->world.other, &override, &last_error));
	close(inside);
}

/* A prober in a process of its own; each event is told by a byte. */
static int tell(const struct redirect_news *news, void *data)
{
	char byte = !strcmp(news->event, "handler-down") ? 'd' :
		    !strcmp(news->event, "handler-up") ? 'u' :
		    !strcmp(news->event, "cloud-unreachable") ? 'c' :
		    !strcmp(news->event, "cloud-reachable") ? 'r' :
		    !strcmp(news->event, "no-handler") ? 'n' : 'f';

	return write(*(int *)data, &byte, 1) != 1;
}

static pid_t start_watch(int *events)
{
	struct redirect_watch watch = { .interval = 20, .failures = 2, .successes = 2, .tell = tell };
	int ends[2];
	pid_t pid;

	if (pipe(ends))
		return -1;
	pid = fork();
	if (!pid) {
		watch.data = &ends[1];
		_exit(redirect_watch(&watch, &last_error));
	}
	close(ends[1]);
	*events = ends[0];
	return pid;
}

/* Until the event comes; others are passed over. */
static bool await(int events, char wanted)
{
	char byte = 0;

	while (byte != wanted)
		if (read(events, &byte, 1) != 1)
			return false;
	return true;
}

/* Its queue is full and nobody accepts: connects hang. */
static int hang(const char *address, int fillers[8])
{
	int fd = listen_on(address, 0), i;
	struct sockaddr_storage to;
	socklen_t len = parse_address(address, &to);

	for (i = 0; i < 8; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fillers[i], (struct sockaddr *)&to, len);
	}
	return fd;
}

TEST_F(policy, a_handler_that_hangs_is_found_by_the_prober)
{
	int fillers[8], events, fd, i;
	pid_t watch;

	ADD(CLOUD4 ":80", REDIRECT_PREFER_LOCAL, "127.0.0.1:9100");
	/* First: it would keep what listens open, too. */
	watch = start_watch(&events);
	fd = hang("127.0.0.1:9100", fillers);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(await(events, 'd'));
	EXPECT_EQ('R', ask_letter(self->cgroup, CLOUD4 ":80"));
	EXPECT_TRUE(await(events, 'f'));
	for (i = 0; i < 8; i++)
		close(fillers[i]);
	close(fd);
	/* Dead is not hanging: it comes back as soon as it listens and has been seen twice. */
	fd = listen_on("127.0.0.1:9100", 128);
	EXPECT_TRUE(await(events, 'u'));
	i = connect_to(self->cgroup, self->world.cgroups, CLOUD4 ":80");
	EXPECT_LE(0, i);
	kill(watch, SIGKILL);
	waitpid(watch, NULL, 0);
	close(fd);
}

TEST_F(policy, the_cloud_is_probed)
{
	int events, fd;
	pid_t watch;

	ADD(CLOUD4 ":82", REDIRECT_PREFER_CLOUD, HANDLER_A);
	watch = start_watch(&events);
	EXPECT_TRUE(await(events, 'c'));
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":82"));
	fd = listen_on(CLOUD4 ":82", 128);
	EXPECT_TRUE(await(events, 'r'));
	EXPECT_LE(0, connect_to(self->cgroup, self->world.cgroups, CLOUD4 ":82"));
	EXPECT_LE(0, accept(fd, NULL, NULL));
	kill(watch, SIGKILL);
	waitpid(watch, NULL, 0);
	close(fd);
}

/* 198.51.100.1 stands for the wildcard, of which nobody knows where it leads: one of its hosts does. */
TEST_F(policy, a_wildcards_cloud_is_probed_at_one_of_its_hosts)
{
	struct override override = { .nr_handlers = 1, .policy = REDIRECT_PREFER_CLOUD };
	struct redirect_name names[3];
	int events, fd;
	pid_t watch;

	ASSERT_EQ(0, endpoint_parse("198.51.100.1:82", &override.endpoint, &last_error));
	ASSERT_EQ(0, handler_parse(HANDLER_A, &override.handlers[0].address, &last_error));
	strcpy(override.label, "*.example.org");
	ASSERT_EQ(0, redirect_add_all(GROUP, &override, 1, &last_error));
	ASSERT_TRUE(parse_name(&names[0], "198.51.100.1:*", "198.51.100.1:*", NULL));
	ASSERT_TRUE(parse_name(&names[1], "198.51.100.2:*", "198.51.100.1:*", NULL));
	ASSERT_TRUE(parse_name(&names[2], "198.51.100.3:*", "198.51.100.1:*", CLOUD4 ":*"));
	ASSERT_EQ(0, redirect_name_set_all(GROUP, names, 3, &last_error));
	watch = start_watch(&events);
	EXPECT_TRUE(await(events, 'c'));
	EXPECT_EQ('A', ask_letter(self->cgroup, "198.51.100.3:82"));
	fd = listen_on(CLOUD4 ":82", 128);
	EXPECT_TRUE(await(events, 'r'));
	EXPECT_LE(0, connect_to(self->cgroup, self->world.cgroups, "198.51.100.3:82"));
	EXPECT_LE(0, accept(fd, NULL, NULL));
	kill(watch, SIGKILL);
	waitpid(watch, NULL, 0);
	close(fd);
}

#define MANY 10000

static double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

TEST_F(policy, ten_thousand_in_one_transaction)
{
	struct override *overrides = calloc(MANY, sizeof(*overrides));
	struct override_info info;
	char text[64];
	double start;
	int i;

	for (i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "10.%d.%d.%d:%d", i >> 16, i >> 8 & 255, i & 255, 1 + i % 4000);
		ASSERT_EQ(0, endpoint_parse(text, &overrides[i].endpoint, &last_error));
		ASSERT_EQ(0, handler_parse(i % 2 ? HANDLER_B : HANDLER_A,
					   &overrides[i].handlers[0].address, &last_error));
		overrides[i].nr_handlers = 1;
	}
	start = seconds();
	ASSERT_EQ(0, redirect_add_all(GROUP, overrides, MANY, &last_error)) {
		TH_LOG("%s", last_error.text);
	}
	TH_LOG("%d overrides in %.3f s", MANY, seconds() - start);
	EXPECT_EQ('B', ask_letter(self->cgroup, text));
	EXPECT_EQ('A', ask_letter(self->cgroup, "10.0.0.0:1"));
	/* One of them twice: none is added. */
	overrides[1] = overrides[0];
	EXPECT_EQ(-1, redirect_replace(GROUP, REDIRECT_ENDPOINT, overrides, MANY, REDIRECT_KEEP,
				       &last_error));
	EXPECT_NE(NULL, strstr(last_error.text, "given twice"));
	ASSERT_TRUE(find_override(GROUP, text, &info));
	EXPECT_EQ(1, info.stats.redirected);
	free(overrides);
}

TEST_HARNESS_MAIN
