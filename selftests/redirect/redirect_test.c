// SPDX-License-Identifier: GPL-2.0
/* Which connections of which tasks go where, and what the task is shown. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "fixture.h"

WORLD_FIXTURE(redirect)

#define ADD(endpoint, handler)							\
	ASSERT_EQ(0, add(GROUP, endpoint, handler)) { TH_LOG("%s", last_error.text); }

#define EXPECT_ANSWER(letter, cgroup, address)					\
	EXPECT_EQ(letter, ask_letter(cgroup, address)) { TH_LOG("%s", address); }

TEST_F(redirect, ipv4)
{
	EXPECT_ANSWER('R', self->cgroup, CLOUD4 ":80");
	ADD(CLOUD4 ":80", HANDLER_A);
	EXPECT_ANSWER('A', self->cgroup, CLOUD4 ":80");
	/* Another port of it is left alone, and an address without a route needs none. */
	EXPECT_ANSWER('Q', self->cgroup, CLOUD4 ":81");
	ADD("203.0.113.9:443", HANDLER_B);
	EXPECT_ANSWER('B', self->cgroup, "203.0.113.9:443");
	EXPECT_ANSWER('-', self->cgroup, "203.0.113.9:444");
	EXPECT_EQ(0, delete(GROUP, CLOUD4 ":80"));
	EXPECT_ANSWER('R', self->cgroup, CLOUD4 ":80");
	EXPECT_ANSWER('B', self->cgroup, "203.0.113.9:443");
}

TEST_F(redirect, ipv6)
{
	EXPECT_ANSWER('R', self->cgroup, CLOUD6 ":80");
	ADD(CLOUD6 ":80", HANDLER_6);
	EXPECT_ANSWER('6', self->cgroup, CLOUD6 ":80");
	/* An IPv6 socket reaches an IPv4 handler as ::ffff:127.0.0.1. */
	ADD("[2001:db8::6]:80", HANDLER_A);
	EXPECT_ANSWER('A', self->cgroup, "[2001:db8::6]:80");
	EXPECT_EQ(0, delete(GROUP, CLOUD6 ":80"));
	EXPECT_ANSWER('R', self->cgroup, CLOUD6 ":80");
}

TEST_F(redirect, ipv4_on_ipv6_sockets)
{
	EXPECT_ANSWER('R', self->cgroup, "[::ffff:198.18.0.5]:80");
	ADD("198.18.0.0/24:80", HANDLER_A);
	EXPECT_ANSWER('A', self->cgroup, "[::ffff:198.18.0.5]:80");
	EXPECT_ANSWER('Q', self->cgroup, "[::ffff:198.18.0.5]:81");
	/* No IPv6 prefix takes it, however short. */
	ADD("[::/0]:81", HANDLER_6);
	EXPECT_ANSWER('Q', self->cgroup, "[::ffff:198.18.0.5]:81");
	EXPECT_ANSWER('6', self->cgroup, "[2001:db8::5]:81");
}

TEST_F(redirect, the_most_specific_wins)
{
	static const struct { const char *address; char letter; } expected[] = {
		{ "198.18.9.9:443", 'A' },		/* prefix of 15 */
		{ "198.19.0.1:443", 'A' },
		{ "198.18.7.1:443", 'B' },		/* prefix of 24 */
		{ "198.18.7.7:443", 'M' },		/* the address */
		{ "198.18.7.7:444", 'F' },		/* any port of the address */
		{ "198.18.7.8:444", '-' },
		{ "198.18.8.8:443", 'A' },		/* a named port before any port */
		{ "198.18.8.8:444", 'B' },
		{ "[2001:db8:1::1]:443", 'A' },
		{ "[2001:db8:1:2::1]:443", 'B' },
		{ "[2001:db8:1:2::2]:443", '6' },
		{ "[2001:db8:2::1]:443", '-' },
		{ "198.17.255.255:443", '-' },		/* one below the prefix */
		{ "198.20.0.0:443", '-' },		/* one above it */
	};
	size_t i;

	ADD("198.18.0.0/15:443", HANDLER_A);
	ADD("198.18.7.0/24:443", HANDLER_B);
	ADD("198.18.7.7:443", HANDLER_MPTCP);
	ADD("198.18.7.7:*", HANDLER_FAST);
	ADD("198.18.8.8:*", HANDLER_B);
	ADD("[2001:db8:1::/48]:443", HANDLER_A);
	ADD("[2001:db8:1:2::/64]:443", HANDLER_B);
	ADD("[2001:db8:1:2::2]:443", HANDLER_6);
	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		if (expected[i].letter == 'M' && !self->world.mptcp)
			continue;
		EXPECT_ANSWER(expected[i].letter, self->cgroup, expected[i].address);
	}
}

TEST_F(redirect, getpeername_shows_what_was_asked_for)
{
	static const struct { const char *address; char letter; } cases[] = {
		{ CLOUD4 ":80", 'A' }, { CLOUD4 ":81", 'Q' }, { CLOUD6 ":80", '6' },
		{ "[::ffff:198.18.0.5]:80", 'A' }, { "203.0.113.200:65535", 'B' },
		{ "[2001:db8:ffff::1234]:1", 'B' },
	};
	struct answer answer;
	size_t i;

	ADD(CLOUD4 ":80", HANDLER_A);
	ADD(CLOUD6 ":80", HANDLER_6);
	ADD("203.0.113.0/24:*", HANDLER_B);
	ADD("[2001:db8:ffff::/48]:*", HANDLER_B);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		answer = ask(self->cgroup, cases[i].address, WAY_CONNECT);
		EXPECT_EQ(cases[i].letter, answer.letter);
		EXPECT_TRUE(has_peer(&answer, cases[i].address)) {
			TH_LOG("another peer than %s", cases[i].address);
		}
	}
}

/* One socket: refused by a handler that is down, then connected to what has no override. */
static void reconnect(const char *cgroup, int *errors, struct sockaddr_in *peer)
{
	struct sockaddr_storage address;
	socklen_t len;
	int fd;

	if (join_cgroup(cgroup))
		return;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	len = parse_address(CLOUD4 ":80", &address);
	errors[0] = connect(fd, (struct sockaddr *)&address, len) ? errno : 0;
	len = parse_address(CLOUD4 ":81", &address);
	errors[1] = connect(fd, (struct sockaddr *)&address, len) ? errno : 0;
	len = sizeof(*peer);
	getpeername(fd, (struct sockaddr *)peer, &len);
}

TEST_F(redirect, a_socket_used_again_shows_its_new_peer)
{
	struct sockaddr_in peer = {};
	int errors[2] = { -1, -1 };

	ADD(CLOUD4 ":80", HANDLER_DOWN);
	reconnect(self->cgroup, errors, &peer);
	EXPECT_EQ(ECONNREFUSED, errors[0]);
	EXPECT_EQ(0, errors[1]);
	EXPECT_EQ(81, ntohs(peer.sin_port));
	join_cgroup(self->world.cgroups);
}

TEST_F(redirect, udp_is_left_alone_by_a_rule_for_tcp)
{
	struct answer answer;

	ADD(CLOUD4 ":80", HANDLER_A);
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_UDP);
	EXPECT_EQ('R', answer.letter);
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_UDP_CONNECT);
	EXPECT_EQ('R', answer.letter);
	EXPECT_TRUE(has_peer(&answer, CLOUD4 ":80"));
}

TEST_F(redirect, other_cgroups_are_left_alone)
{
	ADD(CLOUD4 ":80", HANDLER_A);
	EXPECT_ANSWER('R', self->world.other, CLOUD4 ":80");
	EXPECT_ANSWER('R', NULL, CLOUD4 ":80");
	EXPECT_ANSWER('A', self->cgroup, CLOUD4 ":80");
}

TEST_F(redirect, cgroups_below_are_redirected)
{
	ADD(CLOUD4 ":80", HANDLER_A);
	EXPECT_ANSWER('A', self->world.child, CLOUD4 ":80");
}

/* The kernel goes by the cgroup in which the socket was made. Documented. */
TEST_F(redirect, a_socket_made_outside_is_left_alone)
{
	struct answer answer;

	ADD(CLOUD4 ":80", HANDLER_A);
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_SOCKET_OUTSIDE);
	EXPECT_EQ('R', answer.letter);
}

TEST_F(redirect, groups_have_their_own_rules)
{
	ASSERT_EQ(0, redirect_attach("other", self->world.other, &last_error));
	ADD(CLOUD4 ":80", HANDLER_A);
	ASSERT_EQ(0, add("other", CLOUD4 ":80", HANDLER_B));
	EXPECT_ANSWER('A', self->cgroup, CLOUD4 ":80");
	EXPECT_ANSWER('B', self->world.other, CLOUD4 ":80");
	EXPECT_EQ(0, redirect_detach("other", &last_error));
	EXPECT_ANSWER('A', self->cgroup, CLOUD4 ":80");
	EXPECT_ANSWER('R', self->world.other, CLOUD4 ":80");
}

/* A group's cgroup below another's: the inner one answers first, the outer one may. */
TEST_F(redirect, the_inner_of_two_groups_wins)
{
	struct answer answer;

	ASSERT_EQ(0, redirect_attach("inner", self->world.child, &last_error));
	ADD(CLOUD4 ":80", HANDLER_A);
	ADD(CLOUD4 ":81", HANDLER_A);
	ADD(HANDLER_6, HANDLER_A);
	ASSERT_EQ(0, add("inner", CLOUD4 ":80", HANDLER_B));
	ASSERT_EQ(0, add("inner", CLOUD6 ":80", HANDLER_6));
	answer = ask(self->world.child, CLOUD4 ":80", WAY_CONNECT);
	EXPECT_EQ('B', answer.letter);
	EXPECT_TRUE(has_peer(&answer, CLOUD4 ":80"));
	answer = ask(self->world.child, CLOUD4 ":81", WAY_CONNECT);
	EXPECT_EQ('A', answer.letter);
	EXPECT_TRUE(has_peer(&answer, CLOUD4 ":81"));
	/* The outer one redirects what the inner one made of it. */
	answer = ask(self->world.child, CLOUD6 ":80", WAY_CONNECT);
	EXPECT_EQ('A', answer.letter);
	EXPECT_TRUE(has_peer(&answer, CLOUD6 ":80"));
	EXPECT_EQ(0, redirect_detach("inner", &last_error));
	EXPECT_ANSWER('A', self->world.child, CLOUD4 ":80");
}

TEST_F(redirect, nonblocking_connect)
{
	struct answer answer;

	ADD(CLOUD4 ":80", HANDLER_A);
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_NONBLOCK);
	EXPECT_EQ('A', answer.letter);
	EXPECT_TRUE(has_peer(&answer, CLOUD4 ":80"));
}

TEST_F(redirect, io_uring_connect)
{
	struct answer answer;

	ADD(CLOUD4 ":80", HANDLER_A);
	ADD(CLOUD6 ":80", HANDLER_6);
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_IO_URING);
	if (answer.error == EPERM || answer.error == ENOSYS)
		SKIP(return, "io_uring is disabled here");
	EXPECT_EQ('A', answer.letter);
	EXPECT_TRUE(has_peer(&answer, CLOUD4 ":80"));
	answer = ask(self->cgroup, CLOUD6 ":80", WAY_IO_URING);
	EXPECT_EQ('6', answer.letter);
}

TEST_F(redirect, mptcp)
{
	static const char *const asked[] = { CLOUD4 ":80", CLOUD4 ":82", CLOUD6 ":80" };
	static const char letters[] = "AM6";
	struct answer answer;
	size_t i;

	if (!self->world.mptcp)
		SKIP(return, "this kernel has no MPTCP");
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_MPTCP);
	EXPECT_EQ('R', answer.letter);
	ADD(CLOUD4 ":80", HANDLER_A);
	ADD(CLOUD4 ":82", HANDLER_MPTCP);
	ADD(CLOUD6 ":80", HANDLER_6);
	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		answer = ask(self->cgroup, asked[i], WAY_MPTCP);
		EXPECT_EQ(letters[i], answer.letter) {
			TH_LOG("%s: error %d", asked[i], answer.error);
		}
		EXPECT_TRUE(has_peer(&answer, asked[i])) {
			TH_LOG("another peer than %s", asked[i]);
		}
	}
}

TEST_F(redirect, tcp_fast_open)
{
	struct answer answer;

	answer = ask(self->cgroup, HANDLER_FAST, WAY_FASTOPEN);
	ASSERT_EQ('F', answer.letter) {
		TH_LOG("not even without an override: %s", strerror(answer.error));
	}
	ADD(CLOUD4 ":80", HANDLER_FAST);
	ADD(CLOUD6 ":80", HANDLER_FAST);
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_FASTOPEN);
	EXPECT_EQ('F', answer.letter);
	EXPECT_TRUE(has_peer(&answer, CLOUD4 ":80"));
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_FASTOPEN_CONNECT);
	EXPECT_EQ('F', answer.letter);
	EXPECT_TRUE(has_peer(&answer, CLOUD4 ":80"));
	answer = ask(self->cgroup, CLOUD6 ":80", WAY_FASTOPEN);
	EXPECT_EQ('F', answer.letter);
}

TEST_F(redirect, a_handler_that_is_down_refuses)
{
	struct answer answer;

	ADD(CLOUD4 ":80", HANDLER_DOWN);
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_CONNECT);
	EXPECT_EQ(0, answer.letter);
	EXPECT_EQ(ECONNREFUSED, answer.error);
}

TEST_HARNESS_MAIN
