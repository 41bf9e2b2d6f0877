// SPDX-License-Identifier: GPL-2.0
/*
 * The text form of endpoints and handlers: [PROTOCOL:]ADDR[/LEN]:PORT[-PORT], in brackets
 * [ADDR6[/LEN]] for IPv6; unix:PATH.
 *
 * Nothing is guessed: a text means one endpoint or is refused. A prefix with bits
 * set beyond its length, say, is more often a slip in the length than meant.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "redirect.h"

#define SHOWN 80	/* characters of a refused text that are repeated */

/* A text taken apart; all parts are copies and not yet looked at. */
struct parts {
	sa_family_t family;
	char address[INET6_ADDRSTRLEN];
	char length[8];		/* "": none was given */
	char port[16];
};

static int copy_part(char *part, size_t size, const char *from, size_t len)
{
	if (len >= size)
		return -1;
	memcpy(part, from, len);
	part[len] = '\0';
	return 0;
}

/* "ADDR/LEN" of @len bytes into its two parts. */
static int split_prefix(const char *text, size_t len, struct parts *parts)
{
	const char *slash = memchr(text, '/', len);
	size_t address_len = slash ? (size_t)(slash - text) : len;

	parts->length[0] = '\0';
	if (slash && copy_part(parts->length, sizeof(parts->length), slash + 1,
			       len - address_len - 1))
		return -1;
	if (slash && !parts->length[0])
		return -1;
	return copy_part(parts->address, sizeof(parts->address), text, address_len);
}

static int split(const char *text, struct parts *parts)
{
	const char *open = *text == '[' ? text + 1 : text;
	const char *close = *text == '[' ? strchr(text, ']') : strrchr(text, ':');
	const char *colon = close && *text == '[' ? close + 1 : close;

	parts->family = *text == '[' ? AF_INET6 : AF_INET;
	if (!colon || *colon != ':')
		return -1;
	if (split_prefix(open, close - open, parts))
		return -1;
	return copy_part(parts->port, sizeof(parts->port), colon + 1, strlen(colon + 1));
}

/* A decimal number up to @max: no sign, no space, no leading zero. */
static int parse_number(const char *text, unsigned long max, unsigned long *number)
{
	unsigned long value = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
		if (value > max)
			return -1;
	}
	*number = value;
	return 0;
}

static int parse_address(const char *text, const struct parts *parts,
			 struct endpoint *endpoint, struct error *err)
{
	if (inet_pton(parts->family, parts->address, endpoint->address) == 1)
		return 0;
	if (parts->family == AF_INET && strchr(parts->address, ':'))
		return error_usage(err, "'%.*s': an IPv6 address needs brackets: write [ADDRESS]:PORT",
				   SHOWN, text);
	return error_usage(err, "'%.*s': '%s' is no IPv%d address: give a numeric one (host names cannot be overridden yet)",
			   SHOWN, text, parts->address, parts->family == AF_INET ? 4 : 6);
}

static unsigned int address_bits(const struct endpoint *endpoint)
{
	return endpoint->family == AF_INET ? 32 : 128;
}

static bool bits_beyond(const struct endpoint *endpoint)
{
	unsigned int bit;

	for (bit = endpoint->prefixlen; bit < address_bits(endpoint); bit++)
		if (endpoint->address[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

static int parse_length(const char *text, const struct parts *parts,
			struct endpoint *endpoint, struct error *err)
{
	unsigned long length = address_bits(endpoint);

	if (parts->length[0] && parse_number(parts->length, address_bits(endpoint), &length))
		return error_usage(err, "'%.*s': the length of an IPv%d prefix is a number from 0 to %u",
				   SHOWN, text, endpoint->family == AF_INET ? 4 : 6,
				   address_bits(endpoint));
	endpoint->prefixlen = length;
	if (bits_beyond(endpoint))
		return error_usage(err, "'%.*s': the address has bits set beyond the prefix of /%u: shorten the address or lengthen the prefix",
				   SHOWN, text, endpoint->prefixlen);
	return 0;
}

/* "PORT-PORT" of @text; anything else is left to the caller. */
static int parse_range(const char *text, unsigned long *first, unsigned long *last)
{
	const char *dash = strchr(text, '-');
	char part[8];

	if (copy_part(part, sizeof(part), text, dash ? (size_t)(dash - text) : strlen(text)) ||
	    parse_number(part, 65535, first) || !*first)
		return -1;
	*last = *first;
	if (!dash)
		return 0;
	return parse_number(dash + 1, 65535, last) || *last < *first ? -1 : 0;
}

int endpoint_parse_ports(const char *ports, const char *whole, struct endpoint *endpoint,
			 struct error *err)
{
	unsigned long first = 0, last = 0;

	if (strcmp(ports, "*") && parse_range(ports, &first, &last))
		return error_usage(err, "'%.*s': the port is a number from 1 to 65535, or in an endpoint a range FIRST-LAST or * for any",
				   SHOWN, whole);
	/* All ports are any port, however it is written. */
	if (first == 1 && last == 65535)
		first = last = 0;
	endpoint->port = first;
	endpoint->last = last;
	return 0;
}

uint8_t endpoint_parse_protocol(const char **text)
{
	static const struct { const char *prefix; uint8_t protocol; } protocols[] = {
		{ "tcp:", IPPROTO_TCP }, { "udp:", IPPROTO_UDP }, { "any:", 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (!strncmp(*text, protocols[i].prefix, 4)) {
			*text += 4;
			return protocols[i].protocol;
		}
	return IPPROTO_TCP;
}

/* Two FNV-1a hashes, of which the second starts with the first: as the programs make them. */
static void hash_path(const char *path, uint8_t hash[16])
{
	uint64_t sum[2] = { 0xcbf29ce484222325, 0x84222325cbf29ce4 };
	const char *c;

	for (c = path; *c; c++) {
		sum[0] = (sum[0] ^ (uint8_t)*c) * 0x100000001b3;
		sum[1] = (sum[1] ^ (uint8_t)*c ^ sum[0] >> 32) * 0x100000001b3;
	}
	memcpy(hash, sum, sizeof(sum));
}

static int parse_unix(const char *path, const char *text, struct endpoint *endpoint,
		      struct error *err)
{
	if (path[0] != '/')
		return error_usage(err, "'%.*s': the path of a socket begins with /", SHOWN, text);
	if (strlen(path) >= sizeof(endpoint->path))
		return error_usage(err, "'%.*s': the path of a socket has at most %zu bytes",
				   SHOWN, text, sizeof(endpoint->path) - 1);
	endpoint->family = AF_UNIX;
	endpoint->prefixlen = 128;
	strcpy(endpoint->path, path);
	hash_path(path, endpoint->address);
	return 0;
}

/* A copy, because the bytes in a struct endpoint are not aligned. */
static struct in6_addr address6(const struct endpoint *endpoint)
{
	struct in6_addr address;

	memcpy(&address, endpoint->address, sizeof(address));
	return address;
}

static bool is_mapped(const struct endpoint *endpoint)
{
	struct in6_addr address = address6(endpoint);

	return endpoint->family == AF_INET6 && endpoint->prefixlen >= 96 &&
	       IN6_IS_ADDR_V4MAPPED(&address);
}

int endpoint_parse(const char *text, struct endpoint *endpoint, struct error *err)
{
	const char *rest = text;
	struct parts parts;

	/* Zeroed: the unused bytes of an IPv4 address become part of a key. */
	memset(endpoint, 0, sizeof(*endpoint));
	if (!strncmp(text, "unix:", 5))
		return parse_unix(text + 5, text, endpoint, err);
	endpoint->protocol = endpoint_parse_protocol(&rest);
	if (split(rest, &parts))
		return error_usage(err, "'%.*s' is no endpoint: write [udp:|any:]ADDRESS[/LENGTH]:PORT, for IPv6 [ADDRESS[/LENGTH]]:PORT, with FIRST-LAST for a range and * for any port, or unix:PATH",
				   SHOWN, text);
	endpoint->family = parts.family;
	if (parse_address(text, &parts, endpoint, err) ||
	    parse_length(text, &parts, endpoint, err) ||
	    endpoint_parse_ports(parts.port, text, endpoint, err))
		return -1;
	if (is_mapped(endpoint))
		return error_usage(err, "'%.*s' is an IPv4 address: write it as one, it then holds for IPv6 sockets too",
				   SHOWN, text);
	return 0;
}

/* Addresses that no service can listen on, or that only a socket's scope makes whole. */
static const char *unusable(const struct endpoint *handler)
{
	struct in6_addr a6 = address6(handler);
	uint32_t a4;

	if (handler->family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&a6) ? "the unspecified address" :
		       IN6_IS_ADDR_MULTICAST(&a6) ? "a multicast address" :
		       IN6_IS_ADDR_LINKLOCAL(&a6) ? "a link-local address" : NULL;
	memcpy(&a4, handler->address, sizeof(a4));
	a4 = ntohl(a4);
	return a4 >> 24 == 0 ? "an unspecified address" :
	       IN_MULTICAST(a4) ? "a multicast address" :
	       a4 == INADDR_BROADCAST ? "the broadcast address" : NULL;
}

int handler_parse(const char *text, struct endpoint *handler, struct error *err)
{
	const char *why, *rest = text;

	if (endpoint_parse(text, handler, err))
		return -1;
	if (handler->family == AF_UNIX)
		return 0;
	endpoint_parse_protocol(&rest);
	if (rest != text)
		return error_usage(err, "'%.*s': a handler is spoken to as its endpoint is: leave out the protocol",
				   SHOWN, text);
	if (handler->prefixlen != address_bits(handler))
		return error_usage(err, "'%.*s': a handler is one address, not a prefix: leave out /%u",
				   SHOWN, text, handler->prefixlen);
	if (!handler->port || handler->port != handler->last)
		return error_usage(err, "'%.*s': a handler has one port: give the one it listens on",
				   SHOWN, text);
	why = unusable(handler);
	if (why)
		return error_usage(err, "'%.*s': %s cannot be connected to: give the one the handler listens on, 127.0.0.1 say",
				   SHOWN, text, why);
	return 0;
}

static void format_ports(const struct endpoint *endpoint, char text[16])
{
	if (!endpoint->port)
		strcpy(text, "*");
	else if (endpoint->last > endpoint->port)
		snprintf(text, 16, "%u-%u", endpoint->port, endpoint->last);
	else
		snprintf(text, 16, "%u", endpoint->port);
}

static const char *protocol_prefix(const struct endpoint *endpoint)
{
	return endpoint->protocol == IPPROTO_UDP ? "udp:" : endpoint->protocol ? "" : "any:";
}

void endpoint_format(const struct endpoint *endpoint, char text[REDIRECT_TEXT_MAX])
{
	bool v4 = endpoint->family == AF_INET;
	char address[INET6_ADDRSTRLEN] = "?";
	char length[8] = "";
	char ports[16];

	if (endpoint->family == AF_UNIX) {
		snprintf(text, REDIRECT_TEXT_MAX, "unix:%s", endpoint->path);
		return;
	}
	inet_ntop(endpoint->family, endpoint->address, address, sizeof(address));
	if (endpoint->prefixlen != address_bits(endpoint))
		snprintf(length, sizeof(length), "/%u", endpoint->prefixlen);
	format_ports(endpoint, ports);
	snprintf(text, REDIRECT_TEXT_MAX, "%s%s%s%s%s:%s", protocol_prefix(endpoint),
		 v4 ? "" : "[", address, length, v4 ? "" : "]", ports);
}

void override_format(const struct override *override,
		     char text[REDIRECT_TEXT_MAX + REDIRECT_LABEL])
{
	char ports[16];

	if (!override->label[0]) {
		endpoint_format(&override->endpoint, text);
		return;
	}
	format_ports(&override->endpoint, ports);
	snprintf(text, REDIRECT_TEXT_MAX + REDIRECT_LABEL, "%s%s:%s",
		 protocol_prefix(&override->endpoint), override->label, ports);
}

static uint16_t last_port(const struct endpoint *endpoint)
{
	return endpoint->last ? endpoint->last : endpoint->port;
}

bool endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->prefixlen == b->prefixlen &&
	       a->protocol == b->protocol && a->port == b->port &&
	       last_port(a) == last_port(b) &&
	       !memcmp(a->address, b->address, sizeof(a->address)) &&
	       !strcmp(a->path, b->path);
}

socklen_t endpoint_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *to)
{
	struct sockaddr_in *in = (struct sockaddr_in *)to;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	to->ss_family = endpoint->family;
	if (endpoint->family == AF_INET) {
		in->sin_port = htons(endpoint->port);
		memcpy(&in->sin_addr, endpoint->address, 4);
		return sizeof(*in);
	}
	in6->sin6_port = htons(endpoint->port);
	memcpy(&in6->sin6_addr, endpoint->address, 16);
	return sizeof(*in6);
}
