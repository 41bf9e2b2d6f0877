// SPDX-License-Identifier: GPL-2.0
/* Datagrams: where they go, and from whom their answers are. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

WORLD_FIXTURE(udp)

#define ADD(endpoint, handler)							\
	ASSERT_EQ(0, add(GROUP, endpoint, handler)) { TH_LOG("%s", last_error.text); }

/* Answered by @letter, and as if by @address. */
#define EXPECT_FROM(wanted, address, way) do {					\
	struct answer answer = ask(self->cgroup, address, way);			\
										\
	EXPECT_EQ(wanted, answer.letter) { TH_LOG("%s: %s", address, strerror(answer.error)); } \
	EXPECT_TRUE(is_from(&answer, address)) { TH_LOG("not from %s", address); }	\
} while (0)

TEST_F(udp, ipv4)
{
	EXPECT_FROM('R', CLOUD4 ":80", WAY_UDP);
	ADD("udp:" CLOUD4 ":80", HANDLER_A);
	ADD("udp:203.0.113.9:123", HANDLER_B);
	EXPECT_FROM('A', CLOUD4 ":80", WAY_UDP);
	EXPECT_FROM('B', "203.0.113.9:123", WAY_UDP);
	EXPECT_FROM('A', CLOUD4 ":80", WAY_UDP_IO_URING);
	/* It is no rule for TCP. */
	EXPECT_EQ('R', ask_letter(self->cgroup, CLOUD4 ":80"));
	EXPECT_EQ(0, delete(GROUP, "udp:" CLOUD4 ":80"));
	EXPECT_FROM('R', CLOUD4 ":80", WAY_UDP);
}

TEST_F(udp, ipv6)
{
	EXPECT_FROM('R', CLOUD6 ":80", WAY_UDP);
	ADD("udp:" CLOUD6 ":80", HANDLER_6);
	EXPECT_FROM('6', CLOUD6 ":80", WAY_UDP);
	EXPECT_FROM('6', CLOUD6 ":80", WAY_UDP_CONNECT);
}

TEST_F(udp, ipv4_on_ipv6_sockets)
{
	ADD("udp:" CLOUD4 ":80", HANDLER_A);
	EXPECT_FROM('A', "[::ffff:198.18.0.5]:80", WAY_UDP);
	EXPECT_FROM('A', "[::ffff:198.18.0.5]:80", WAY_UDP_CONNECT);
}

TEST_F(udp, connected)
{
	struct answer answer;

	ADD("udp:" CLOUD4 ":80", HANDLER_A);
	EXPECT_FROM('A', CLOUD4 ":80", WAY_UDP_CONNECT);
	answer = ask(self->cgroup, CLOUD4 ":80", WAY_UDP_CONNECT);
	EXPECT_TRUE(has_peer(&answer, CLOUD4 ":80"));
}

/* One rule, whichever protocol. */
TEST_F(udp, both_protocols)
{
	struct override_info info;

	ADD("any:" CLOUD4 ":80", HANDLER_A);
	EXPECT_FROM('A', CLOUD4 ":80", WAY_UDP);
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":80"));
	ASSERT_TRUE(find_override(GROUP, "any:" CLOUD4 ":80", &info));
	EXPECT_EQ(2, info.stats.redirected);
	EXPECT_EQ(-1, add(GROUP, "udp:" CLOUD4 ":80", HANDLER_B));
	EXPECT_EQ(0, delete(GROUP, "any:" CLOUD4 ":80"));
	EXPECT_FROM('R', CLOUD4 ":80", WAY_UDP);
	EXPECT_EQ('R', ask_letter(self->cgroup, CLOUD4 ":80"));
}

/* QUIC: refused at once, so that clients take TCP. */
TEST_F(udp, blocked)
{
	struct answer answer;

	ASSERT_EQ(0, add_policy(GROUP, "udp:0.0.0.0/0:443", REDIRECT_BLOCK, ""));
	ADD(CLOUD4 ":443", HANDLER_A);
	answer = ask(self->cgroup, CLOUD4 ":443", WAY_UDP);
	EXPECT_EQ(ECONNREFUSED, answer.error);
	answer = ask(self->cgroup, CLOUD4 ":443", WAY_UDP_CONNECT);
	EXPECT_EQ(ECONNREFUSED, answer.error);
	answer = ask(self->cgroup, "[::ffff:198.18.0.5]:443", WAY_UDP);
	EXPECT_EQ(ECONNREFUSED, answer.error);
	EXPECT_EQ('A', ask_letter(self->cgroup, CLOUD4 ":443"));
}

TEST_F(udp, dns_goes_to_the_responder)
{
	struct endpoint responder4, responder6;

	ASSERT_EQ(0, handler_parse(HANDLER_A, &responder4, &last_error));
	ASSERT_EQ(0, handler_parse(HANDLER_6, &responder6, &last_error));
	ASSERT_EQ(0, redirect_set_dns(GROUP, &responder4, &responder6, &last_error)) {
		TH_LOG("%s", last_error.text);
	}
	EXPECT_FROM('A', "127.0.0.53:53", WAY_UDP);
	EXPECT_FROM('A', "203.0.113.1:53", WAY_UDP_CONNECT);
	EXPECT_FROM('6', "[2001:db8::53]:53", WAY_UDP);
	EXPECT_EQ('A', ask_letter(self->cgroup, "203.0.113.1:53"));
	EXPECT_EQ('6', ask_letter(self->cgroup, "[2001:db8::53]:53"));
	/* It is not the user's to replace or delete. */
	EXPECT_EQ(0, redirect_replace(GROUP, REDIRECT_ENDPOINT, NULL, 0, REDIRECT_KEEP, &last_error));
	EXPECT_EQ(-1, delete(GROUP, "any:0.0.0.0/0:53"));
	EXPECT_FROM('A', "127.0.0.53:53", WAY_UDP);
	EXPECT_EQ(0, redirect_set_dns(GROUP, NULL, NULL, &last_error));
	EXPECT_EQ('-', ask_letter(self->cgroup, "203.0.113.1:53"));
}

TEST_F(udp, no_ipv6_datagram_to_an_ipv4_handler)
{
	EXPECT_EQ(-1, add(GROUP, "udp:" CLOUD6 ":80", HANDLER_A));
	EXPECT_NE(NULL, strstr(last_error.text, "IPv6 datagram"));
	EXPECT_EQ(-1, add(GROUP, "any:" CLOUD6 ":80", HANDLER_A));
	EXPECT_FROM('R', CLOUD6 ":80", WAY_UDP);
}

/* One socket, several endpoints: each answer is from whom it was asked of. */
static void ask_two(const char *cgroup, const char *const addresses[2], struct endpoint from[2])
{
	struct timeval limit = { .tv_sec = 10 };
	struct sockaddr_storage address;
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	socklen_t len;
	char byte;
	int fd, i;

	if (join_cgroup(cgroup))
		return;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	for (i = 0; i < 2; i++) {
		len = parse_address(addresses[i], &address);
		sendto(fd, "x", 1, 0, (struct sockaddr *)&address, len);
		len = sizeof(address);
		recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&address, &len);
		memcpy(from[i].address, &in->sin_addr, 4);
		from[i].port = ntohs(in->sin_port);
	}
	close(fd);
}

TEST_F(udp, a_socket_with_several_endpoints)
{
	static const char *const both[] = { CLOUD4 ":80", "203.0.113.9:123" };
	static const char *const direct[] = { CLOUD4 ":80", HANDLER_B };
	struct endpoint from[2] = {}, wanted;
	int i;

	ADD("udp:" CLOUD4 ":80", HANDLER_A);
	ADD("udp:203.0.113.9:123", HANDLER_B);
	ask_two(self->cgroup, both, from);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, endpoint_parse(both[i], &wanted, &last_error));
		EXPECT_EQ(wanted.port, from[i].port);
		EXPECT_EQ(0, memcmp(wanted.address, from[i].address, 4));
	}
	/* Who talks to a handler by its own address hears it by that. */
	ask_two(self->cgroup, direct, from);
	EXPECT_EQ(80, from[0].port);
	EXPECT_EQ(9002, from[1].port);
	join_cgroup(self->world.cgroups);
}

TEST_HARNESS_MAIN
