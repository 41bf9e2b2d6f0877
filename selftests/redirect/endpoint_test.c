// SPDX-License-Identifier: GPL-2.0
/* What is an endpoint or handler, and what is refused, with a word of the reason. */
#include <arpa/inet.h>

#include "../lib/harness.h"

#include "redirect.h"

#define MANY "1111111111111111111111111111111111111111111111111111111111111111"

static const struct {
	const char *text;
	const char *shown;	/* NULL: as it was written */
	sa_family_t family;
	const char *address;
	uint8_t prefixlen;
	uint16_t port;
} good[] = {
	{ "198.18.0.5:80", NULL, AF_INET, "198.18.0.5", 32, 80 },
	{ "198.18.0.5/32:80", "198.18.0.5:80", AF_INET, "198.18.0.5", 32, 80 },
	{ "198.18.0.0/15:65535", NULL, AF_INET, "198.18.0.0", 15, 65535 },
	{ "0.0.0.0/0:*", NULL, AF_INET, "0.0.0.0", 0, 0 },
	{ "169.254.169.254:1", NULL, AF_INET, "169.254.169.254", 32, 1 },
	{ "[2001:db8::1]:443", NULL, AF_INET6, "2001:db8::1", 128, 443 },
	{ "[2001:DB8:0::1/128]:443", "[2001:db8::1]:443", AF_INET6, "2001:db8::1", 128, 443 },
	{ "[2001:db8::/32]:*", NULL, AF_INET6, "2001:db8::", 32, 0 },
	{ "[::/0]:*", NULL, AF_INET6, "::", 0, 0 },
	{ "[::]:7", NULL, AF_INET6, "::", 128, 7 },
	{ "198.18.0.5:80-90", NULL, AF_INET, "198.18.0.5", 32, 80 },
	{ "198.18.0.5:80-80", "198.18.0.5:80", AF_INET, "198.18.0.5", 32, 80 },
	{ "198.18.0.5:1-65535", "198.18.0.5:*", AF_INET, "198.18.0.5", 32, 0 },
	{ "tcp:198.18.0.5:80", "198.18.0.5:80", AF_INET, "198.18.0.5", 32, 80 },
	{ "udp:198.18.0.5:123", NULL, AF_INET, "198.18.0.5", 32, 123 },
	{ "any:[2001:db8::/32]:1000-1999", NULL, AF_INET6, "2001:db8::", 32, 1000 },
	{ "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127]:65535", NULL, AF_INET6,
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 127, 65535 },
};

static const struct refusal {
	const char *text;
	const char *word;	/* of the sentence */
} bad_endpoints[] = {
	{ "", "no endpoint" },
	{ ":", "no IPv4 address" },
	{ ":80", "no IPv4 address" },
	{ "198.18.0.5", "no endpoint" },
	{ "198.18.0.5:", "port" },
	{ "198.18.0.5:0", "port" },
	{ "198.18.0.5:080", "port" },
	{ "198.18.0.5:65536", "port" },
	{ "198.18.0.5:+80", "port" },
	{ "198.18.0.5:-1", "port" },
	{ "198.18.0.5: 80", "port" },
	{ "198.18.0.5:80 ", "port" },
	{ "198.18.0.5:0x50", "port" },
	{ "198.18.0.5:http", "port" },
	{ "198.18.0.5:**", "port" },
	{ "198.18.0.5:90-80", "port" },
	{ "198.18.0.5:80-", "port" },
	{ "198.18.0.5:-80", "port" },
	{ "198.18.0.5:80-90-99", "port" },
	{ "198.18.0.5:0-90", "port" },
	{ "198.18.0.5:80-65536", "port" },
	{ "198.18.0.5:*-90", "port" },
	{ "sctp:198.18.0.5:80", "brackets" },
	{ "udp:", "no endpoint" },
	{ "udp:udp:198.18.0.5:80", "brackets" },
	{ "unix:", "begins with /" },
	{ "unix:run/x.sock", "begins with /" },
	{ "unix:/" MANY MANY, "at most 107" },
	{ "198.18.0.5:" MANY, "no endpoint" },
	{ MANY ":80", "no endpoint" },
	{ "198.18.0:80", "no IPv4 address" },
	{ "198.18.0.256:80", "no IPv4 address" },
	{ "198.18.0.05:80", "no IPv4 address" },
	{ " 198.18.0.5:80", "no IPv4 address" },
	{ "0xc6.18.0.5:80", "no IPv4 address" },
	{ "s3.amazonaws.com:443", "host names" },
	{ "*:80", "no IPv4 address" },
	{ "198.18.0.5/:80", "no endpoint" },
	{ "198.18.0.0/33:80", "0 to 32" },
	{ "198.18.0.0/-1:80", "0 to 32" },
	{ "198.18.0.0/015:80", "0 to 32" },
	{ "198.18.0.0/15/15:80", "0 to 32" },
	{ "198.18.0.0/255.0.0.0:80", "no endpoint" },
	{ "198.18.0.5/15:80", "beyond the prefix" },
	{ "0.0.0.1/0:80", "beyond the prefix" },
	{ "2001:db8::1:443", "brackets" },
	{ "::1", "brackets" },
	{ "[2001:db8::1]", "no endpoint" },
	{ "[2001:db8::1]443", "no endpoint" },
	{ "[2001:db8::1:443", "no endpoint" },
	{ "[2001:db8::1]:", "port" },
	{ "[2001:db8::1]/64:443", "no endpoint" },
	{ "[]:443", "no IPv6 address" },
	{ "[198.18.0.5]:80", "no IPv6 address" },
	{ "[2001:db8::1::]:80", "no IPv6 address" },
	{ "[fe80::1%eth0]:80", "no IPv6 address" },
	{ "[2001:db8::/129]:80", "0 to 128" },
	{ "[2001:db8::1/32]:80", "beyond the prefix" },
	{ "[::ffff:198.18.0.5]:80", "is an IPv4 address" },
	{ "[::ffff:0:0/96]:80", "is an IPv4 address" },
}, bad_handlers[] = {
	{ "", "no endpoint" },
	{ "localhost:80", "host names" },
	{ "127.0.0.1:*", "one port" },
	{ "127.0.0.1:0", "port" },
	{ "127.0.0.1:80-90", "one port" },
	{ "udp:127.0.0.1:80", "leave out the protocol" },
	{ "tcp:127.0.0.1:80", "leave out the protocol" },
	{ "unix:x", "begins with /" },
	{ "127.0.0.0/8:80", "not a prefix" },
	{ "[::1/127]:80", "beyond the prefix" },
	{ "[2001:db8::/64]:80", "not a prefix" },
	{ "0.0.0.0:80", "unspecified" },
	{ "0.1.2.3:80", "unspecified" },
	{ "[::]:80", "unspecified" },
	{ "224.0.0.1:80", "multicast" },
	{ "239.255.255.255:80", "multicast" },
	{ "255.255.255.255:80", "broadcast" },
	{ "[ff02::1]:80", "multicast" },
	{ "[fe80::1]:80", "link-local" },
};

TEST(endpoints_are_read_and_shown)
{
	char shown[REDIRECT_TEXT_MAX];
	struct endpoint endpoint;
	uint8_t address[16];
	struct error err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		memset(&endpoint, 0xff, sizeof(endpoint));
		memset(address, 0, sizeof(address));
		ASSERT_EQ(0, endpoint_parse(good[i].text, &endpoint, &err)) {
			TH_LOG("%s: %s", good[i].text, err.text);
		}
		inet_pton(good[i].family, good[i].address, address);
		EXPECT_EQ(good[i].family, endpoint.family);
		EXPECT_EQ(0, memcmp(address, endpoint.address, sizeof(address)));
		EXPECT_EQ(good[i].prefixlen, endpoint.prefixlen);
		EXPECT_EQ(good[i].port, endpoint.port);
		endpoint_format(&endpoint, shown);
		EXPECT_STREQ(good[i].shown ? good[i].shown : good[i].text, shown);
	}
}

TEST(what_is_shown_is_read_again)
{
	char shown[REDIRECT_TEXT_MAX];
	struct endpoint endpoint, again;
	struct error err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ASSERT_EQ(0, endpoint_parse(good[i].text, &endpoint, &err));
		endpoint_format(&endpoint, shown);
		ASSERT_EQ(0, endpoint_parse(shown, &again, &err));
		EXPECT_EQ(0, memcmp(&endpoint, &again, sizeof(again)));
	}
}

static void refuse(struct __test_metadata *_metadata, const struct refusal *refusal,
		   int (*parse)(const char *, struct endpoint *, struct error *))
{
	struct endpoint endpoint;
	struct error err = {};

	EXPECT_EQ(-1, parse(refusal->text, &endpoint, &err)) {
		TH_LOG("'%s' was accepted", refusal->text);
	}
	EXPECT_EQ(EXIT_USAGE, (int)err.status);
	EXPECT_NE(NULL, strstr(err.text, refusal->word)) {
		TH_LOG("'%s': no '%s' in: %s", refusal->text, refusal->word, err.text);
	}
	EXPECT_EQ(NULL, strchr(err.text, '\n'));
}

TEST(wrong_endpoints_are_refused)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad_endpoints); i++)
		refuse(_metadata, &bad_endpoints[i], endpoint_parse);
}

TEST(wrong_handlers_are_refused)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad_handlers); i++)
		refuse(_metadata, &bad_handlers[i], handler_parse);
}

TEST(a_handler_is_an_address_and_a_port)
{
	struct endpoint handler;
	struct error err;

	EXPECT_EQ(0, handler_parse("127.0.0.1:8080", &handler, &err));
	EXPECT_EQ(8080, handler.port);
	EXPECT_EQ(0, handler_parse("[::1]:8080", &handler, &err));
	EXPECT_EQ(128, handler.prefixlen);
}

TEST_HARNESS_MAIN
